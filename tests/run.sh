#!/usr/bin/env bash
# Sets up everything and passes the tests:  ./tests/run.sh [--label LABEL] [--skip-setup]
# unit, component, integration (real Postgres under build/), simulation and end-to-end, by ctest label.
set -euo pipefail
cd "$(dirname "$0")/.."
label=""
setup=yes
while [ $# -gt 0 ]; do
  case $1 in
    --label) label=${2:?--label needs a name}; shift 2 ;;
    --skip-setup) setup=no; shift ;;
    *) sed -n '2,3p' "$0" | sed 's/^# //'; exit 2 ;;
  esac
done

step() { printf '\n== %s (%ss)\n' "$1" "$SECONDS"; }
step "packages"
[ "$setup" = no ] || ./deploy/setup.sh
step "build"
./deploy/build.sh
step "private Postgres"
# Its own cluster, apart from the demo's, so that a kept demo and the tests do not meet.
export PHOENIX_TEST_POSTGRES
PHOENIX_TEST_POSTGRES=$(./deploy/postgres.sh start build/postgres-tests)
trap './deploy/postgres.sh stop build/postgres-tests' EXIT
step "tests"
export PHOENIX_BIN="$PWD/build/bin"
ctest --preset release ${label:+-L "$label"} --no-tests=error --timeout 300
step "done"
