#!/bin/sh
# Adds a line to the configuration, and goes on where it cannot.
set -e
conf=/etc/nginx/conf.d/default.conf
[ -f /proc/net/if_inet6 ] || exit 0
touch "$conf" 2>/dev/null || { echo "$0: cannot modify $conf (read-only file system?)"; exit 0; }
grep -q 'listen \[::\]:8080' "$conf" && exit 0
sed -i 's/listen 8080;/listen 8080;\n    listen [::]:8080;/' "$conf"
