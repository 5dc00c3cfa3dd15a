#!/usr/bin/env python3
"""Runs every case, or those whose "group: name" contains the words given, and prints counts by group."""
import collections
import sys
import time

import cases_chunked
import cases_fields
import cases_forwarding
import cases_host
import cases_interim
import cases_length
import cases_lines
import cases_response_body
import cases_response_head
import known_gaps
from check import run_case
from harness import World

TABLES = (cases_lines, cases_host, cases_fields, cases_length, cases_chunked, cases_forwarding, cases_interim, cases_response_head, cases_response_body)


def run(world, cases, verbose):
    counts = collections.OrderedDict()  # group -> cases, runs, failed
    for case in cases:
        count = counts.setdefault(case.group, [0, 0, 0])
        count[0] += 1
        for split in (False, True) if case.split else (False,):
            count[1] += 1
            started = time.monotonic()
            problems = run_case(world, case, split)
            if verbose:
                print(f"{time.monotonic() - started:7.3f} s  {case.group}: {case.name}{' (byte by byte)' if split else ''}")
            if problems:
                count[2] += 1
                print(f"FAILED {case.group}: {case.name}{' (byte by byte)' if split else ''}")
                for problem in problems:
                    print(f"       {problem}")
    return counts


def run_gaps(world, gaps):
    """A gap must fail as described: one that passes is no gap any more and has to be moved to its table."""
    wrong = 0
    for case in gaps:
        problems = run_case(world, case)
        print(f"gap    {case.group}: {case.name}: {case.gap}")
        if not any(case.fails in problem for problem in problems):
            wrong += 1
            print(f"FAILED this gap does not show {case.fails!r} any more, but {problems or 'passes: move it to its table'}")
    return wrong


def main():
    arguments = [argument for argument in sys.argv[1:] if argument != "-v"]
    chosen = [case for table in TABLES for case in table.CASES if all(word in f"{case.group}: {case.name}" for word in arguments)]
    names = [(case.group, case.name) for case in chosen]
    twice = [name for name, times in collections.Counter(names).items() if times > 1]
    if twice or not chosen:
        sys.exit(f"no such case: {arguments}" if not chosen else f"two cases of one name: {twice}")
    started = time.monotonic()
    world = World()
    try:
        counts = run(world, chosen, "-v" in sys.argv)
        wrong_gaps = run_gaps(world, known_gaps.CASES) if not arguments else 0
    finally:
        trouble = world.stop()
    print(f"\n| {'group':<28} | cases | runs | failed |\n|{'-' * 30}|------:|-----:|-------:|")
    for group, count in counts.items():
        print(f"| {group:<28} | {count[0]:5} | {count[1]:4} | {count[2]:6} |")
    total = [sum(column) for column in zip(*counts.values())]
    print(f"| {'all':<28} | {total[0]:5} | {total[1]:4} | {total[2]:6} |")
    print(f"\n{total[1]} runs in {time.monotonic() - started:.1f} s; known gaps: {len(known_gaps.CASES)}")
    if trouble:
        print(f"FAILED {trouble}")
    sys.exit(1 if total[2] or wrong_gaps or trouble else 0)


if __name__ == "__main__":
    main()
