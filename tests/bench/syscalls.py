#!/usr/bin/env python3
"""Counts the system calls of the gateway's event loop per mirrored exchange and compares them with syscalls.json.

  python3 tests/bench/syscalls.py [--accept]

One client, one request after another, and backends that take their time, each its own: every event of the loop comes
alone, nothing is there before it is asked for, and strace's slowness changes nothing. So the counts repeat and are the
most that an exchange can cost; under load a loop gets several events at a time (run.py --only syscalls). What the loop
does when idle is subtracted, and one wake of the event log's thread. Other threads work in batches: shown, not judged.
Fails when a loop needs a third of a call more than in syscalls.json; --accept writes the new figures there."""
import argparse
import collections
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

import figures
from peers import BIN, Backend, Phoenix

STORED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "syscalls.json")
TOLERANCE = 0.34
LEGACY_MS, MODERN_MS = 6, 2  # the shadow leg is over before the next request's answer comes
SECONDS = 5
ON_THE_NETWORK = {"recvmsg", "sendmsg", "recvfrom", "sendto", "accept", "accept4"}


class CannotTrace(Exception):
    pass


class Trace:
    """The system calls that `pid` begins between entering and leaving: `calls` counts names by thread."""

    def __init__(self, pid):
        self.pid = pid

    def __enter__(self):
        self.file = tempfile.NamedTemporaryFile(mode="r", prefix="phoenix-strace-")
        self.process = subprocess.Popen(["strace", "-f", "-s", "0", "-o", self.file.name, "-p", str(self.pid)], stderr=subprocess.PIPE, text=True)
        line = self.process.stderr.readline()
        if "attached" not in line:
            self.process.wait()
            raise CannotTrace(line.strip())
        self.started = time.monotonic()
        return self

    def __exit__(self, *_):
        self.seconds = time.monotonic() - self.started
        self.process.terminate()
        self.process.communicate()
        self.calls = collections.defaultdict(collections.Counter)
        for line in self.file:
            if found := re.match(r"(\d+)\s+(\w+)\(", line):  # a resumed call was counted when it began
                self.calls[int(found[1])][found[2]] += 1
        self.file.close()

    def threads_on_the_network(self):
        return {thread for thread, calls in self.calls.items() if ON_THE_NETWORK & calls.keys()}

    def of(self, threads):
        return sum((self.calls[thread] for thread in threads), collections.Counter())


def load(gateway, method, seconds):
    command = [os.path.join(BIN, "bench_load"), "--port", str(gateway.port), "--connections", "1", "--method", method, "--seconds", str(seconds)]
    result = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
    if result["errors"] or result["unanswered"] or not result["requests"]:
        raise SystemExit(f"the load did not go through: {result}")
    return result["requests"]


def listing(calls, requests):
    return ", ".join(f"{name} {count / requests:.2f}" for name, count in calls.most_common() if count / requests >= 0.01)


def measure(gateway, method):
    load(gateway, method, 0.5)  # connections made
    with Trace(gateway.process.pid) as busy:
        requests = load(gateway, method, SECONDS)
    loops = busy.threads_on_the_network()
    with Trace(gateway.process.pid) as idle:
        time.sleep(2)
    at_rest = idle.of(loops)
    calls = busy.of(loops)
    for name in calls:
        calls[name] -= at_rest[name] * busy.seconds / idle.seconds
    others = busy.of(busy.calls.keys() - loops)
    print(f"\n{method}: {requests} exchanges\n  event loop: {listing(calls, requests)}\n  other threads: {listing(others, requests)}")
    # Waking the event log's thread: one call, or none when it is still at work, which depends on the disk.
    calls["futex"] = max(0, calls["futex"] - requests)
    return round(sum(calls.values()) / requests, 2)


def measure_both():
    """By method."""
    directory = tempfile.mkdtemp(prefix="phoenix-bench-")
    legacy, modern = Backend(200, "slow", LEGACY_MS), Backend(200, "slow", MODERN_MS)
    try:
        gateway = Phoenix(os.path.join(directory, "gateway"), legacy.port, modern.port, keyed=True)
        try:
            return {method: measure(gateway, method) for method in ("GET", "POST")}
        finally:
            gateway.stop()
    finally:
        legacy.stop()
        modern.stop()
        shutil.rmtree(directory, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accept", action="store_true", help="write the figures to syscalls.json")
    options = parser.parse_args()
    if not shutil.which("strace"):
        print("skipped: strace is not installed (./deploy/setup.sh --with guard)")
        return figures.SKIPPED
    try:
        counts = measure_both()
    except CannotTrace as trouble:
        print(f"skipped: {trouble}")
        return figures.SKIPPED
    print()
    return figures.compare(counts, STORED, lambda _: TOLERANCE, "system calls", options.accept, "python3 tests/bench/syscalls.py")


if __name__ == "__main__":
    sys.exit(main())
