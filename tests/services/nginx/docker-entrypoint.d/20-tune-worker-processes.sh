#!/bin/sh
# Sets the number of workers, and goes on where it cannot.
set -e
touch /etc/nginx/nginx.conf 2>/dev/null || { echo "$0: cannot modify nginx.conf (read-only file system?)"; exit 0; }
sed -i.bak "s/^worker_processes .*/worker_processes $(nproc);/" /etc/nginx/nginx.conf
