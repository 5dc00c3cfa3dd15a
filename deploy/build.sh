#!/usr/bin/env bash
# Configures and builds the release preset (build/bin/…), showing progress. Arguments are targets; none: everything.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p build
cmake --preset release >build/configure.log 2>&1 || { cat build/configure.log >&2; exit 1; }
targets=()
for target in "$@"; do targets+=(--target "$target"); done
if [ -t 1 ]; then
  cmake --build --preset release "${targets[@]}"
else
  # One line in twenty: a log keeps the progress without a thousand lines.
  cmake --build --preset release "${targets[@]}" >build/build.log 2>&1 &
  pid=$!
  shown=0
  while kill -0 "$pid" 2>/dev/null; do
    line=$(grep -o '^\[[0-9]*/[0-9]*\]' build/build.log 2>/dev/null | tail -n 1 || true)
    now=$(printf '%s' "$line" | tr -dc '0-9/' | cut -d/ -f1)
    if [ -n "$now" ] && [ $((now - shown)) -ge 20 ]; then echo "build $line"; shown=$now; fi
    sleep 1
  done
  wait "$pid" || { grep -E 'error|FAILED' -A 12 build/build.log | head -n 80 >&2; exit 1; }
  echo "build: done"
fi
