#!/usr/bin/env bash
# A private Postgres for demo and tests, never a cluster that is already on the machine:
#   deploy/postgres.sh start [DIR [PORT]]  creates it on first use, starts it on PORT or a free loopback port, prints the base URL
#   deploy/postgres.sh url   [DIR]   prints the base URL of a running one; append a database name
#   deploy/postgres.sh stop  [DIR]   stops it
# DIR defaults to build/postgres. Started as root it runs as the unprivileged user `postgres`.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
command=${1:-}
dir=${2:-$root/build/postgres}
port=${3:-}
bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
[ -n "$bin" ] || { echo "postgres.sh: no PostgreSQL server found; run deploy/setup.sh first" >&2; exit 1; }

run_as() { if [ "$(id -u)" = 0 ]; then setpriv --reuid=postgres --regid=postgres --clear-groups -- "$@"; else "$@"; fi; }

# As root, another user must be able to reach the directory; a checkout under /root cannot be reached.
place() {
  mkdir -p "$dir"
  dir=$(cd "$dir" && pwd)
  [ "$(id -u)" = 0 ] || return 0
  if ! run_as test -x "$(dirname "$dir")"; then
    dir=/var/tmp/phoenix-postgres-$(printf %s "$dir" | cksum | cut -d' ' -f1)
    mkdir -p "$dir"
  fi
  chown postgres:postgres "$dir"
}

url() { echo "postgresql://phoenix:$(cat "$dir/password")@127.0.0.1:$(sed -n 4p "$dir/data/postmaster.pid")/"; }
running() { [ -s "$dir/data/postmaster.pid" ] && run_as "$bin/pg_ctl" -D "$dir/data" status >/dev/null 2>&1; }

free_port() { python3 -c 'import socket; s=socket.socket(); s.bind(("127.0.0.1",0)); print(s.getsockname()[1])'; }

start() {
  if running; then url; return; fi
  cd "$dir"  # the unprivileged user may not be allowed to stay where we are
  if [ ! -s "$dir/data/PG_VERSION" ]; then
    # Letters and digits only, so that the password fits into a URL as it is.
    (umask 077; od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$dir/password")
    [ "$(id -u)" != 0 ] || chown postgres:postgres "$dir/password"
    run_as "$bin/initdb" -D "$dir/data" -U phoenix --auth=scram-sha-256 --pwfile="$dir/password" \
      --encoding=UTF8 --locale=C >"$dir/initdb.log" 2>&1 || { cat "$dir/initdb.log" >&2; exit 1; }
  fi
  [ -n "$port" ] || port=$(free_port)
  # synchronous_commit=off: a throw-away cluster; wal_level=logical: change capture reads it.
  run_as "$bin/pg_ctl" -D "$dir/data" -w -t 60 -l "$dir/postgres.log" -o "-p $port -c listen_addresses=127.0.0.1 \
    -c unix_socket_directories='' -c max_connections=300 -c synchronous_commit=off -c wal_level=logical \
    -c max_slot_wal_keep_size=1GB" start >/dev/null || { tail -n 20 "$dir/postgres.log" >&2; exit 1; }
  url
}

place
case $command in
  start) start ;;
  url) running || { echo "postgres.sh: not running in $dir" >&2; exit 1; }; url ;;
  stop) if running; then cd "$dir"; run_as "$bin/pg_ctl" -D "$dir/data" -m fast -w stop >/dev/null; fi ;;
  *) sed -n '2,6p' "$0" | sed 's/^# \{0,1\}//' >&2; exit 2 ;;
esac
