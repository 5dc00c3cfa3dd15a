#!/usr/bin/env python3
"""The fault matrix: what clients notice while the shadow, the event log, the disk or the gateway itself fails, and what is true
afterwards.   tests/faults/run.py [--quick | --full] [--only NAME] [--seed N]
Prints a Markdown table; exit status 1 and the reasons when something does not hold. README.md here says what each row is."""
import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time

import checks
from scenarios import SCENARIOS
from sigkill import KILLS, run_kills
from stack import LOW, PINNED, Bank, Gateway, Load, quantile, wait_until

# Latency at fault against latency with the shadow off, beside the measured noise: p99, and p50, whose noise is smaller.
TOLERANCES = {0.99: 1.10, 0.5: 1.5}
MOST_CATCHING_UP_MS = 50  # p99 of clients in the first moment after the fault, while what waited is delivered
MOST_MEMORY_MB = 600  # of the gateway: its queues are bounded by 256 MiB each
ACCOUNTS, FRESH_ACCOUNTS = 2000, 500
RATE = 1000  # requests per second
BUSY = 1.0  # load average beyond which others disturb the latencies
# Seconds of one round, of a fault at least, and of a long one; pairs of rounds at most; kills.
SCALES = {"quick": (0.6, 1.2, 8, 6, 4), "medium": (3, 18, 60, 8, 30), "full": (5, 60, 600, 60, 100)}


class World:
    """Two gateways: one shadows to the bank at fault, the other has the shadow off. Neither knows of the other."""

    def __init__(self, directory, scenario):
        self.directory = directory
        self.legacy, self.modern, self.legacy_alone = Bank(), Bank(nice=LOW, dedupe=scenario.idempotent), Bank()
        self.shadowing = Gateway(os.path.join(directory, "shadowing"), self.legacy, self.modern, limits=scenario.limits, idempotent=scenario.idempotent)
        self.plain = Gateway(os.path.join(directory, "plain"), self.legacy_alone, self.modern, shadow=False)

    def stop(self):
        """What the gateways ended with, when it was not 0."""
        ended = [gateway.stop() for gateway in (self.shadowing, self.plain)]
        for bank in (self.legacy, self.modern, self.legacy_alone):
            bank.stop()
        return [f"a gateway ended with {status}" for status in ended if status != 0]


class Rounds:
    """Rounds with the shadow at fault between rounds with the shadow off, so that what slows the machine slows both."""

    def __init__(self, world, options, pad):
        self.world, self.options, self.pad, self.number = world, options, pad, 0
        self.at_fault, self.off = [], []  # by round: what clients were told

    def one(self, gateway, seconds=None, first_account=0, accounts=ACCOUNTS):
        self.number += 1
        seed = self.options.seed * 1000 + self.number
        return Load(gateway.port, seconds or self.options.round_s, self.options.rate, seed, first_account, accounts, self.pad).result()

    def run(self, fault_s):
        """For `fault_s` at least; longer, up to a limit, while the latencies do not tell."""
        started = time.monotonic()
        self.off.append(self.one(self.world.plain))
        while True:
            self.at_fault.append(self.one(self.world.shadowing))
            self.off.append(self.one(self.world.plain))
            enough = time.monotonic() - started >= fault_s and len(self.at_fault) >= 2
            if enough and (self.options.latency == "shown" or not self.problems() or len(self.at_fault) >= self.options.most_pairs):
                return

    @staticmethod
    def latency(rounds, share):
        """Of each round, in milliseconds."""
        return [quantile([one.latency for one in told if one.outcome == "answered"], share) / 1000 for told in rounds]

    def noise_ms(self, share):
        off = self.latency(self.off, share)
        return max(off) - min(off)

    def problems(self):
        """Latencies that are more than they may be."""
        found = []
        for share, tolerance in TOLERANCES.items():
            at_fault, off = (statistics.median(self.latency(rounds, share)) for rounds in (self.at_fault, self.off))
            if at_fault > tolerance * off + self.noise_ms(share):
                found.append(f"p{share * 100:.0f} is {at_fault:.2f} ms, with the shadow off {off:.2f} ms, noise {self.noise_ms(share):.2f} ms, in {len(self.at_fault)} rounds")
        return found

    def cells(self):
        def both(rounds):
            return f"{statistics.median(self.latency(rounds, 0.5)):.2f} / {statistics.median(self.latency(rounds, 0.99)):.2f}"
        return [both(self.off), both(self.at_fault), f"{self.noise_ms(0.99):.2f}"]


def check_books(gateway, told, directory, patience_s):
    """Accounts of the gateway against what clients sent, and the events against both. Returns (status, events, problems)."""
    status = gateway.status()
    received, published, lost, problems = checks.accounts_of(status)
    answered = sum(one.outcome == "answered" for one in told)
    sent = sum(one.outcome != "refused" for one in told)
    if not answered <= received <= sent:
        problems.append(f"received {received}, but clients sent {sent} and were answered {answered}")
    try:
        wait_until("the events", lambda: checks.count_events(directory) >= published, patience_s)
    except TimeoutError:
        pass  # what is missing is told below
    headers = checks.events_of(directory)
    died = sum(header.get("dropped") == "lost" for header in headers.values())  # with the gateway, as its journal knows
    if len(headers) - died != published or died > lost:
        problems.append(f"the log has {len(headers)} exchanges, {died} of them lost; the accounts say {published} published and {lost} lost")
    return status, headers, problems


def check_ledgers(gateway, told, legacy, modern, complete):
    """(cell, problems)"""
    incomplete = checks.incomplete_keys(gateway)
    equal, differing, problems = checks.compare_ledgers(legacy, modern, incomplete)
    problems += checks.check_writes(told, legacy, modern)
    named = len(incomplete["legacy"] | incomplete["modern"])
    if complete and named:
        problems.append(f"{named} keys are incomplete, and every write should have arrived")
    if not equal:
        problems.append("no account could be compared: all are incomplete")
    return f"{equal:,} equal; {named:,} incomplete, {differing:,} of them differ", problems


def run_scenario(scenario, options, directory):
    """(cells of the row, problems)"""
    world = World(directory, scenario)
    try:
        rounds = Rounds(world, options, scenario.pad)
        first = rounds.one(world.shadowing, options.short_s)
        rounds.one(world.plain, options.short_s)
        wait_until("the warm-up to settle", lambda: not world.shadowing.busy(), 20)

        scenario.begin(world)
        rounds.run(options.long_s if scenario.long else options.fault_s)
        at_end = world.shadowing.status()
        scenario.end(world)
        ended = time.monotonic()
        recovering = rounds.one(world.shadowing, options.short_s)
        patience_s = 30 + (options.long_s if scenario.long else options.fault_s)
        wait_until("the gateway to catch up", lambda: not world.shadowing.busy(), patience_s)
        caught_up_s = time.monotonic() - ended
        # Whoever has recovered serves and shadows as before, also keys that nobody has seen.
        last = rounds.one(world.shadowing, options.short_s, ACCOUNTS, FRESH_ACCOUNTS)
        wait_until("the last of it", lambda: not world.shadowing.busy(), 20)

        told = first + [one for each in rounds.at_fault for one in each] + recovering + last
        status, headers, problems = check_books(world.shadowing, told, world.shadowing.directory, patience_s)
        modern = world.modern.dump()
        ledgers, more = check_ledgers(world.shadowing, told, world.legacy.dump(), modern, scenario.complete)
        problems += more + checks.check_reasons(world.shadowing, headers, status)
        errors = checks.errors_of(told) + checks.errors_of(one for each in rounds.off for one in each)
        if errors:
            problems.append(f"client errors: {dict(errors)}")
        catching_up_ms = rounds.latency([recovering], 0.99)[0]
        if options.latency == "judged":
            if catching_up_ms > MOST_CATCHING_UP_MS:
                problems.append(f"p99 is {catching_up_ms:.1f} ms while the gateway catches up")
            problems += rounds.problems()
        if not scenario.bitten(headers, at_end, modern):
            problems.append("the fault was never felt: the row shows nothing")
        memory_mb = world.shadowing.most_memory_mb()
        if memory_mb > MOST_MEMORY_MB:
            problems.append(f"the gateway took {memory_mb:.0f} MB")
        dropped = sum(sum(route["dropped"].values()) for route in status["routes"])
        cells = rounds.cells() + [f"{catching_up_ms:.2f}", f"{len(told):,}: {sum(errors.values())}", f"{dropped:,}", ledgers, f"{caught_up_s:.1f} s", f"{memory_mb:.0f} MB"]
    except TimeoutError as error:
        cells, problems = ["–"], [f"{error}: {world.shadowing.busy()}"]
    finally:
        ended = world.stop()
    return cells, problems + ended


def title(row, options):
    return row.title.format(long_s=options.long_s, kills=options.kills)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", dest="scale", action="store_const", const="quick", default="medium", help="under 90 seconds")
    parser.add_argument("--full", dest="scale", action="store_const", const="full", help="faults of a minute, an outage of ten, 100 kills")
    parser.add_argument("--only", choices=[row.name for row in SCENARIOS + KILLS], help="one row")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--latency", choices=["judged", "shown"], default="judged", help="shown: no failure, for machines that do something else as well")
    options = parser.parse_args()
    options.round_s, options.fault_s, options.long_s, options.most_pairs, options.kills = SCALES[options.scale]
    options.rate, options.short_s = RATE, 0.5 * min(1, options.round_s)

    load = os.getloadavg()[0]
    print(f"{options.rate} requests/s, half of them writes, on {ACCOUNTS} accounts; rounds of {options.round_s} s with the shadow off and at fault in turn.\n"
          + ("Gateways on one core, banks and load on another." if PINNED else "One core for all: do not trust the latencies.")
          + (f" Load average of the machine before: {load:.1f}: do not trust the latencies." if load > BUSY else "") + "\n\n"
          "| fault | shadow off: p50 / p99 ms | at fault: p50 / p99 ms | noise ms | just after it: p99 ms | requests: client errors | dropped | accounts | caught up after | most memory |\n"
          "|---|---:|---:|---:|---:|---:|---:|---|---:|---:|", flush=True)
    problems = []
    for row in SCENARIOS + KILLS:
        if options.only not in (None, row.name):
            continue
        directory = tempfile.mkdtemp(prefix=f"phoenix-faults-{row.name}-")
        cells, wrong = run_kills(row, options, directory, check_books, check_ledgers) if row in KILLS else run_scenario(row, options, directory)
        print(f"| {title(row, options)} | {' | '.join(cells)} |", flush=True)
        problems += [f"{row.name}: {problem}" for problem in wrong]
        if wrong:
            problems[-1] += f" (files in {directory})"
        else:
            shutil.rmtree(directory)
    if problems:
        print(f"\n{len(problems)} problems:\n" + "\n".join(f"- {problem}" for problem in problems))
        sys.exit(1)
    print("\nno client noticed, nothing is missing, doubled or unaccounted for")


if __name__ == "__main__":
    main()
