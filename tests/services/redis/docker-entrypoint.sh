#!/bin/sh
# Drops to the service's user and becomes the server, as the official image does.
set -e

if [ "$1" = redis-server ] && [ "$(id -u)" = 0 ]; then
    find . \! -user redis -exec chown redis '{}' +
    exec setpriv --reuid=redis --regid=redis --init-groups "$0" "$@"
fi

umask 0077
# The server rewrites its configuration, so it needs one of its own.
cp /usr/local/etc/redis.conf /data/redis.conf
printf 'requirepass %s\n' "$(cat "$REDIS_PASSWORD_FILE")" >> /data/redis.conf

exec "$@"
