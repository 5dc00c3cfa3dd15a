#!/usr/bin/env bash
# Sets up everything and passes the tests:  ./tests/run.sh [--label LABEL] [--skip-setup] [--require-kafka]
# unit, component, integration (real Postgres under build/), simulation and end-to-end, by ctest label. Where Apache Kafka
# cannot be obtained, the tests that need it are named and left out, unless --require-kafka asks for them.
set -euo pipefail
cd "$(dirname "$0")/.."
label=""
setup=yes
require_kafka=no
while [ $# -gt 0 ]; do
  case $1 in
    --label) label=${2:?--label needs a name}; shift 2 ;;
    --skip-setup) setup=no; shift ;;
    --require-kafka) require_kafka=yes; shift ;;
    *) sed -n '2,4p' "$0" | sed 's/^# //'; exit 2 ;;
  esac
done

step() { printf '\n== %s (%ss)\n' "$1" "$SECONDS"; }
stop() {
  ./deploy/postgres.sh stop build/postgres-tests || true
  [ ! -d build/kafka-tests ] || ./deploy/kafka.sh stop build/kafka-tests
}

step "packages"
[ "$setup" = no ] || ./deploy/setup.sh --with prometheus
step "build"
./deploy/build.sh
step "private Postgres and Kafka"
trap stop EXIT
# Their own clusters, apart from the demo's, so that a kept demo and the tests do not meet.
export PHOENIX_TEST_POSTGRES PHOENIX_TEST_KAFKA
PHOENIX_TEST_POSTGRES=$(./deploy/postgres.sh start build/postgres-tests)
without=()
if ./deploy/kafka.sh fetch; then
  PHOENIX_TEST_KAFKA=$(./deploy/kafka.sh start build/kafka-tests)
elif [ "$require_kafka" = yes ]; then
  echo "tests/run.sh: Apache Kafka is required and cannot be obtained" >&2
  exit 1
else
  unset PHOENIX_TEST_KAFKA
  without=(-LE kafka)
  echo "Skipped, because Apache Kafka cannot be obtained, beside the Kafka part of event_log_contract and kafka_event_log_test:"
  ctest --preset release -N -L kafka | sed -n 's/^ *Test *#[0-9]*: /  /p'
fi
step "tests"
export PHOENIX_BIN="$PWD/build/bin"
ctest --preset release ${label:+-L "$label"} "${without[@]}" --no-tests=error --timeout 300
step "done"
