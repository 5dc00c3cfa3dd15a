#!/usr/bin/env bash
# Builds the fuzz targets and runs each for a while, one after another:  tests/fuzz/run.sh [SECONDS_PER_TARGET] [TARGET…]
# Default: 30 seconds, all targets. Ends with a table; exit status 1 if a target found an input that breaks a property,
# and that input stands in build/fuzz/crashes. What is learned stays in build/fuzz/corpus. PHOENIX_FUZZ_DIR: another
# directory than build/fuzz.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-30}
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
cmake --build "$directory" --target fuzz -j 1

mkdir -p "$directory/crashes" "$directory/log"
broken=0
table=$(printf '%-16s %12s %8s %8s %s' target executions exec/s edges crashes)
for target in "${targets[@]}"; do
  learned="$directory/corpus/$target"
  log="$directory/log/$target"
  mkdir -p "$learned"
  echo "== $target for $seconds s"
  status=0
  "$directory/bin/fuzz_$target" -max_total_time="$seconds" -max_len=8192 -timeout=10 -rss_limit_mb=2048 \
    -print_final_stats=1 -artifact_prefix="$directory/crashes/$target-" \
    "$learned" "tests/fuzz/corpus/$target" >"$log" 2>&1 || status=$?
  if [ "$status" != 0 ]; then
    broken=$((broken + 1))
    grep -E 'what\(\)|runtime error|ERROR:|Test unit written' "$log" || tail -n 5 "$log"
  fi
  stat() { sed -n "s/^stat::$1: *//p" "$log" | tail -n 1; }
  edges=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
  table+=$'\n'$(printf '%-16s %12s %8s %8s %s' "$target" "$(stat number_of_executed_units)" \
    "$(stat average_exec_per_sec)" "${edges:--}" "$((status != 0))")
done
printf '\n%s\n' "$table"
[ "$broken" = 0 ] || { echo "inputs that break a property: $directory/crashes" >&2; exit 1; }
