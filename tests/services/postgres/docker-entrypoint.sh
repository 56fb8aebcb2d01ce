#!/usr/bin/env bash
# Drops to the service's user, makes the database if there is none, and becomes the server, as the official image does.
set -Eeo pipefail

if [ "$1" = postgres ] && [ "$(id -u)" = 0 ]; then
    mkdir -p "$PGDATA"
    chmod 00700 "$PGDATA"
    find "$PGDATA" \! -user postgres -exec chown postgres '{}' +
    mkdir -p /var/run/postgresql
    find /var/run/postgresql \! -user postgres -exec chown postgres '{}' +
    exec setpriv --reuid=postgres --regid=postgres --init-groups "$BASH_SOURCE" "$@"
fi

if [ "$1" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
    password="$(< "$POSTGRES_PASSWORD_FILE")"
    initdb --username=postgres --pwfile=<(printf '%s\n' "$password") --auth-host=scram-sha-256 \
        --encoding=UTF8 --locale=C.UTF-8
    printf '\nhost all all all scram-sha-256\n' >> "$PGDATA/pg_hba.conf"
    # A server that only this script reaches.
    pg_ctl -D "$PGDATA" -o "-c listen_addresses=''" -w start
    psql -v ON_ERROR_STOP=1 --username=postgres --no-password <<-'SQL'
		CREATE DATABASE shop;
	SQL
    pg_ctl -D "$PGDATA" -m fast -w stop
    unset password
fi

exec "$@"
