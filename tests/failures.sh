#!/usr/bin/env bash
# Prints what a log of tests tells about its failures, without the rest of it:  tests/failures.sh LOG
# Failed checks with the name of their test, sanitizers' reports, Python's tracebacks; at most 100 lines.
set -euo pipefail
grep -anE -B 8 -A 12 'FAILED:|ERROR: [A-Za-z]*Sanitizer|WARNING: ThreadSanitizer|runtime error:|Traceback|^FAIL|\*\*\*|terminate called|Segmentation fault' "${1:?name a log}" |
  grep -avE '(info|warning) phoenix' | head -n 100 || true
