#!/usr/bin/env bash
# Builds the fuzz targets and runs each for a while, two at a time:  tests/fuzz/run.sh [SECONDS_PER_TARGET] [TARGET…]
# Default: 30 seconds, all targets. Ends with a table; exit status 1 if a target found an input that breaks a property,
# and that input stands in build/fuzz/crashes. What is learned stays in build/fuzz/corpus. PHOENIX_FUZZ_DIR: another
# directory than build/fuzz. PHOENIX_FUZZ_JOBS: another number at a time.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-30}
jobs=${PHOENIX_FUZZ_JOBS:-2}
[[ $seconds =~ ^[1-9][0-9]*$ ]] || { sed -n '2,5p' "$0" | sed 's/^# //' >&2; exit 2; }
shift $(($# > 0 ? 1 : 0))
directory=${PHOENIX_FUZZ_DIR:-build/fuzz}
targets=("$@")
if [ "${#targets[@]}" = 0 ]; then
  for folder in tests/fuzz/corpus/*/; do targets+=("$(basename "$folder")"); done
fi
for target in "${targets[@]}"; do
  [ -d "tests/fuzz/corpus/$target" ] || { echo "tests/fuzz/run.sh: no target '$target'; see tests/fuzz/corpus" >&2; exit 2; }
done

./deploy/setup.sh --with fuzz
cmake --preset fuzz -B "$directory" >/dev/null
started=$SECONDS
cmake --build "$directory" --target fuzz -j "$jobs" >"$directory/build.log" 2>&1 ||
  { grep -E 'error|FAILED' -A 12 "$directory/build.log" | head -n 80 >&2; exit 1; }
echo "fuzz targets built in $((SECONDS - started)) s"

mkdir -p "$directory/crashes" "$directory/log"
run_target() {
  local target=$1 log="$directory/log/$1" learned="$directory/corpus/$1" status=0
  mkdir -p "$learned"
  "$directory/bin/fuzz_$target" -max_total_time="$seconds" -max_len=8192 -timeout=10 -rss_limit_mb=2048 \
    -print_final_stats=1 -artifact_prefix="$directory/crashes/$target-" \
    "$learned" "tests/fuzz/corpus/$target" >"$log" 2>&1 || status=$?
  echo "$status" >"$log.status"
  echo "== $target ran for $seconds s"
  [ "$status" = 0 ] || grep -E 'what\(\)|runtime error|ERROR:|Test unit written' "$log" || tail -n 5 "$log"
}
for target in "${targets[@]}"; do
  while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n; done
  run_target "$target" &
done
wait

broken=0
all=0
table=$(printf '%-16s %12s %8s %8s %s' target executions exec/s edges crashes)
for target in "${targets[@]}"; do
  log="$directory/log/$target"
  stat() { sed -n "s/^stat::$1: *//p" "$log" | tail -n 1; }
  status=$(cat "$log.status")
  [ "$status" = 0 ] || broken=$((broken + 1))
  executions=$(stat number_of_executed_units)
  all=$((all + ${executions:-0}))
  edges=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
  table+=$'\n'$(printf '%-16s %12s %8s %8s %s' "$target" "$executions" "$(stat average_exec_per_sec)" "${edges:--}" \
    "$((status != 0))")
done
printf '\n%s\n%-16s %12s\n' "$table" all "$all"
[ "$broken" = 0 ] || { echo "inputs that break a property: $directory/crashes" >&2; exit 1; }
