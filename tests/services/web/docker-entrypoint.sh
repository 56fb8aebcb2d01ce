#!/bin/sh
# As root the server drops its workers to the service's user by itself.
set -e

if [ "$1" = gunicorn ] && [ "$(id -u)" = 0 ]; then
    chown www-data /data
    shift
    set -- gunicorn --user=www-data --group=www-data "$@"
fi
exec "$@"
