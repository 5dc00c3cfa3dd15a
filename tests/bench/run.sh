#!/usr/bin/env bash
# Installs what the benchmark needs, builds, and measures:  ./tests/bench/run.sh [--quick] (options: see run.py --help)
set -euo pipefail
cd "$(dirname "$0")/../.."
./deploy/setup.sh --with bench
./deploy/build.sh phoenix-gateway bench_backend bench_load
exec python3 tests/bench/run.py "$@"
