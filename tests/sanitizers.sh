#!/usr/bin/env bash
# Builds the gateway and its suites once more under a sanitizer and runs them:  tests/sanitizers.sh asan|tsan
# asan (address and undefined behaviour): unit, component, fault sweep, and the conformance cases against that gateway.
# tsan: component and fault sweep. A finding is a failure. Into build/asan or build/tsan.
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${1:-}
case $preset in
  asan) targets=(phoenix-gateway test_gateway_pure test_gateway gateway_fault_sweep) ;;
  tsan) targets=(test_gateway gateway_fault_sweep) ;;
  *) sed -n '2,4p' "$0" | sed 's/^# //' >&2; exit 2 ;;
esac
bin="$PWD/build/$preset/bin"
mkdir -p build
started=$SECONDS
cmake --preset "$preset" >"build/configure-$preset.log" 2>&1 || { cat "build/configure-$preset.log" >&2; exit 1; }
cmake --build --preset "$preset" --target "${targets[@]}" >"build/build-$preset.log" 2>&1 ||
  { grep -E 'error|FAILED' -A 12 "build/build-$preset.log" | head -n 80 >&2; exit 1; }
echo "$preset: built in $((SECONDS - started)) s"

export PHOENIX_BIN="$bin" PYTHONDONTWRITEBYTECODE=1
export ASAN_OPTIONS=detect_stack_use_after_return=1 UBSAN_OPTIONS=print_stacktrace=1
export TSAN_OPTIONS="halt_on_error=1 second_deadlock_stack=1"
# A suite's own lines go to a file: of a failure those that tell it are printed last, where a reader looks.
run() {
  local name=$1 from=$SECONDS log="build/$preset-$1.log"
  shift
  "$@" >"$log" 2>&1 || {
    tail -n 20 "$log"
    echo "$preset: $name failed; in $log:"
    ./tests/failures.sh "$log"
    exit 1
  }
  echo "$preset: $name passed in $((SECONDS - from)) s"
}
for suite in "${targets[@]}"; do
  [ "$suite" = phoenix-gateway ] || run "$suite" "$bin/$suite"
done
[ "$preset" != asan ] || run conformance python3 tests/conformance/run.py
