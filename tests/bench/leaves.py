#!/usr/bin/env python3
"""Counts the instructions of the gateway's leaves by valgrind and compares them with leaves.json.

  python3 tests/bench/leaves.py [--accept] [NAME…]

Each leaf runs N and 2 N times; the difference is free of the start-up. Counts are the same in each run on one build.
Fails when one needs over 5 % more than in leaves.json; --accept writes the new figures there."""
import argparse
import os
import re
import shutil
import subprocess
import sys

import figures

HERE = os.path.dirname(os.path.abspath(__file__))
BIN = os.environ.get("PHOENIX_BIN", os.path.join(HERE, "..", "..", "build", "bin"))
PROGRAM = os.path.join(BIN, "bench_leaves")
STORED = os.path.join(HERE, "leaves.json")
TIMES = 1000
TOLERANCE = 0.05
# libc chooses its copying and searching by the processor; the plain variants are the same on all. `rep movsb` would count
# one instruction for each byte.
SAME_EVERYWHERE = "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512BW,-AVX2,-RTM,-ERMS,-FSRM:glibc.cpu.x86_rep_movsb_threshold=1000000000:" \
                  "glibc.cpu.x86_rep_stosb_threshold=1000000000:glibc.cpu.x86_non_temporal_threshold=100000000"


def instructions(leaf, times):
    command = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null", PROGRAM, leaf, str(times)]
    done = subprocess.run(command, env={"PATH": os.environ["PATH"], "GLIBC_TUNABLES": SAME_EVERYWHERE}, capture_output=True, text=True)
    found = re.search(r"I\s+refs:\s+([\d,]+)", done.stderr)
    if done.returncode != 0 or not found:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return int(found[1].replace(",", ""))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accept", action="store_true", help="write the figures to leaves.json")
    parser.add_argument("names", nargs="*", metavar="NAME", help="these leaves alone, shown without a comparison")
    options = parser.parse_args()
    if options.accept and options.names:
        raise SystemExit("leaves.py: --accept is for all leaves at once")
    if not shutil.which("valgrind"):
        print("skipped: valgrind is not installed (./deploy/setup.sh --with guard)")
        return figures.SKIPPED
    if not os.path.exists(PROGRAM):
        raise SystemExit(f"{PROGRAM} is missing: ./deploy/build.sh bench_leaves")
    names = options.names or subprocess.run([PROGRAM], capture_output=True, text=True, check=True).stdout.split()
    counts = {name: round((instructions(name, 2 * TIMES) - instructions(name, TIMES)) / TIMES) for name in names}
    if options.names:
        for name, count in counts.items():
            print(f"{name}  {count:,}")
        return 0
    return figures.compare(counts, STORED, lambda expected: TOLERANCE * expected, "instructions", options.accept, "python3 tests/bench/leaves.py")


if __name__ == "__main__":
    sys.exit(main())
