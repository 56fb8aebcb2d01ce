#!/bin/sh
# Runs what lies in /docker-entrypoint.d, then the server, as the official image does.
set -e
if [ "$1" = nginx ]; then
    if find /docker-entrypoint.d/ -mindepth 1 -maxdepth 1 -type f -print -quit | read -r _; then
        find /docker-entrypoint.d/ -follow -type f -print | sort -V | while read -r f; do
            case "$f" in
                *.sh) [ -x "$f" ] && "$f" ;;
            esac
        done
    fi
fi
exec "$@"
