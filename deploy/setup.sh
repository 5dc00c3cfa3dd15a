#!/usr/bin/env bash
# Installs what the build and the tests need, from Debian 12 packages alone. Safe to run twice; quick when all is there.
#   deploy/setup.sh [--with kafka] [--with prometheus] [--with fuzz] [--with guard] [--with bench]
#                     also what the private Kafka, the dashboards' test, the fuzz targets, the counts of instructions
#                     and system calls, the benchmark need
# No daemon is started, no Postgres cluster is created, nothing that is installed is removed.
set -euo pipefail

packages=(
  g++ cmake ninja-build ccache pkg-config git ca-certificates curl python3
  libboost1.81-dev libssl-dev libfmt-dev libspdlog-dev nlohmann-json3-dev libyaml-cpp-dev libsqlite3-dev libxxhash-dev
  librdkafka-dev libpqxx-dev libpugixml-dev liblua5.4-dev libmimalloc-dev prometheus-cpp-dev catch2
  postgresql-15 postgresql-client-15
)
while [ $# -gt 0 ]; do
  case "$1 ${2:-}" in
    "--with kafka") packages+=(openjdk-17-jre-headless maven) ;;
    "--with prometheus") packages+=(prometheus) ;;
    "--with fuzz") packages+=(clang-14 libclang-rt-14-dev) ;;
    "--with guard") packages+=(valgrind strace) ;;
    "--with bench") packages+=(nginx-light haproxy valgrind strace procps) ;;
    *) sed -n '2,6p' "$0" | sed 's/^# \{0,1\}//' >&2; exit 2 ;;
  esac
  shift 2
done

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
if [ "${#missing[@]}" = 0 ]; then
  echo "setup: all packages are installed"
  exit 0
fi

command -v apt-get >/dev/null || { echo "setup: this needs Debian 12 or a relative; please install: ${missing[*]}" >&2; exit 1; }
as_root=()
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || { echo "setup: run as root, or install sudo; missing: ${missing[*]}" >&2; exit 1; }
  as_root=(sudo)
fi
export DEBIAN_FRONTEND=noninteractive

echo "setup: installing ${missing[*]}"
"${as_root[@]}" apt-get update -q >/dev/null
removed=$(apt-get install -s --no-install-recommends "${missing[@]}" | sed -n 's/^Remv \([^ ]*\).*/\1/p' | tr '\n' ' ')
if [ -n "$removed" ]; then
  echo "setup: installing ${missing[*]} would remove these packages of yours: $removed" >&2
  echo "setup: (libboost1.81-dev cannot stand beside the 1.74 development packages.) Remove them yourself, or use another machine." >&2
  exit 1
fi

# While packages are configured: services stay down, and no main cluster is created.
work=$(mktemp -d)
policy=/usr/sbin/policy-rc.d
cluster=/etc/postgresql-common/createcluster.d/phoenix-setup.conf
[ -e "$policy" ] && own_policy=no || own_policy=yes
restore() {
  "${as_root[@]}" rm -f "$cluster"
  if [ "$own_policy" = yes ]; then "${as_root[@]}" rm -f "$policy"; fi
  rm -rf "$work"
}
trap restore EXIT
printf '#!/bin/sh\nexit 101\n' >"$work/policy"
printf 'create_main_cluster = false\nstart_conf = manual\n' >"$work/cluster"
if [ "$own_policy" = yes ]; then "${as_root[@]}" install -m 755 "$work/policy" "$policy"; fi
"${as_root[@]}" install -D -m 644 "$work/cluster" "$cluster"
"${as_root[@]}" apt-get install -y -q --no-install-recommends "${missing[@]}" >"$work/log" 2>&1 || { tail -n 30 "$work/log" >&2; exit 1; }
echo "setup: done"
