#!/usr/bin/env bash
# Sets up everything and passes the tests:
#   ./tests/run.sh [--label LABEL] [--skip-setup] [--require-kafka] [--no-sanitizers] [--no-fuzz] [--full]
# unit, component, integration (real Postgres under build/), simulation, end-to-end, soak, faults and bench, by ctest
# label; then the gateway's suites under ASan and UBSan, and every fuzz target for 30 s. --label runs that label alone.
# --full adds TSan, the long fault matrix and Debezium; each fuzz target and the soak then take ten minutes. Where Apache
# Kafka cannot be obtained, the tests that need it are named and left out, unless --require-kafka asks for them.
set -euo pipefail
cd "$(dirname "$0")/.."
label=""
setup=yes
require_kafka=no
sanitizers=yes
fuzz=yes
full=no
while [ $# -gt 0 ]; do
  case $1 in
    --label) label=${2:?--label needs a name}; shift 2 ;;
    --skip-setup) setup=no; shift ;;
    --require-kafka) require_kafka=yes; shift ;;
    --no-sanitizers) sanitizers=no; shift ;;
    --no-fuzz) fuzz=no; shift ;;
    --full) full=yes; shift ;;
    *) sed -n '2,8p' "$0" | sed 's/^# //'; exit 2 ;;
  esac
done
[ -z "$label" ] || { sanitizers=no; fuzz=no; full=no; }

name=""
started=0
times=""
step() {
  [ -z "$name" ] || times+=$(printf '%6d s  %s' $((SECONDS - started)) "$name")$'\n'
  name=$1
  started=$SECONDS
  printf '\n== %s (%ss)\n' "$name" "$SECONDS"
}
stop() {
  ./deploy/postgres.sh stop build/postgres-tests || true
  [ ! -d build/kafka-tests ] || ./deploy/kafka.sh stop build/kafka-tests
}

step "packages"
[ "$setup" = no ] || ./deploy/setup.sh --with prometheus --with guard
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
ctest --preset release ${label:+-L "$label"} "${without[@]}" --no-tests=error --timeout 300 || {
  echo "tests/run.sh: tests failed; of their log:"
  ./tests/failures.sh build/Testing/Temporary/LastTest.log
  exit 1
}
if [ "$sanitizers" = yes ]; then
  step "address and undefined-behaviour sanitizer"
  ./tests/sanitizers.sh asan
fi
if [ "$full" = yes ]; then
  step "thread sanitizer"
  ./tests/sanitizers.sh tsan
  step "soak, ten minutes"
  python3 tests/soak/run.py --seconds 600
  step "fault matrix, half an hour"
  python3 tests/faults/run.py --full
  step "Debezium"
  python3 tests/debezium/run.py
fi
if [ "$fuzz" = yes ]; then
  step "fuzzers"
  if [ "$full" = yes ]; then ./tests/fuzz/run.sh 600; else ./tests/fuzz/run.sh 8; fi
fi
step "done"
printf '%s' "$times"
