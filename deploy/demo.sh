#!/usr/bin/env bash
# Sets up everything on a fresh Debian machine and runs the main job:
#   ./deploy/demo.sh [--mode local|enterprise] [--pair vip-fee|float-rounding] [--keep] [--skip-setup]
# Act 1: a bug-compatible rewrite is ramped from 0 to 100 % by the evidence alone. Act 2: the rewrite starts to differ, and
# the kill switch trips by itself. --mode enterprise puts the loop on Apache Kafka (obtained from Maven Central, private,
# on loopback); --pair chooses the banks; --keep leaves everything running and prints the URLs.
set -euo pipefail
cd "$(dirname "$0")/.."
arguments=()
setup=yes
kafka=no
for argument in "$@"; do
  case $argument in
    --skip-setup) setup=no ;;
    enterprise | --mode=enterprise) kafka=yes; arguments+=("$argument") ;;
    -h | --help) sed -n '2,6p' "$0" | sed 's/^# \{0,1\}//'; exit 0 ;;
    *) arguments+=("$argument") ;;
  esac
done
[ "$setup" = no ] || ./deploy/setup.sh
[ "$kafka" = no ] || ./deploy/kafka.sh fetch  # before the build: it may be out of reach
./deploy/build.sh phoenix-gateway phoenix-arbiter phoenix-orchestrator phoenixctl phoenix-legacy-sim phoenix-modern-sim phoenix-traffic
exec python3 deploy/demo.py "${arguments[@]}"
