"""The gateway SIGKILLed at random instants under load and started again on the same files."""
import contextlib
import dataclasses
import os
import random
import sqlite3
import statistics
import threading
import time

import checks
from stack import LOW, Bank, Gateway, Load, quantile, wait_until

ROUND_S = 1.0  # of load, with one kill in it
EXCUSED_S = 0.3  # after the restart: connections that were refused come back
MOST_UNDER_WAY = 64 + 2 * 32  # exchanges that one round may leave uncertain: each client's, and what modern was hung over
# What else goes on while the gateway dies: nothing, modern is away, slow or hangs, or the event log is locked.
TROUBLES = ("none", "refuse", "slow 200", "hang", "log")


@dataclasses.dataclass
class Kills:
    name: str
    title: str
    stage: str
    troubles: tuple


KILLS = [
    Kills("sigkill", "gateway SIGKILLed {kills} times, shadow or event log at fault as well", "stage: shadow", TROUBLES),
    Kills("sigkill_canary", "gateway SIGKILLed {kills} times while either side serves", "stage: canary, weight: 50", ("none",)),
]


class Killer:
    def __init__(self, gateway, modern, row, seed):
        self.gateway, self.modern, self.row, self.random = gateway, modern, row, random.Random(seed)
        self.away = []  # (killed, excused until), on the monotonic clock
        self.latched, self.problems, self.restart_s = set(), [], []

    @contextlib.contextmanager
    def trouble(self):
        kind = self.random.choice(self.row.troubles)
        log = sqlite3.connect(f"{self.gateway.directory}/events.db", timeout=20, isolation_level=None)
        if kind == "log":
            log.execute("BEGIN EXCLUSIVE")
        elif kind != "none":
            self.modern.fault(kind)
        yield
        self.modern.fault("ok")
        log.close()  # and with it the lock

    def round(self, options, number):
        """What clients were told in a second with one kill."""
        load = Load(self.gateway.port, ROUND_S, options.rate, options.seed * 1000 + number)
        time.sleep(self.random.uniform(0.05, 0.5 * ROUND_S))
        with self.trouble():
            time.sleep(self.random.uniform(0, 0.3 * ROUND_S))
            self.latch_and_kill(f"spare{number}")
            self.restart()
            return load.result()

    def latch_and_kill(self, spare):
        """A kill switch is thrown, and the gateway dies at some instant around that. Whatever was acknowledged must hold."""
        acknowledged = []
        kill = {"slice": spare, "reason": "drill", "by": "fault matrix"}
        caller = threading.Thread(target=lambda: acknowledged.append(self.gateway.get("/kill", "POST", kill)[0] == 200))
        caller.start()
        time.sleep(self.random.uniform(0, 0.012))
        self.away.append((time.monotonic(), 0))
        self.gateway.kill()
        caller.join()
        if acknowledged[0]:
            self.latched.add(spare)

    def restart(self):
        started = time.monotonic()
        self.gateway.start()
        self.restart_s.append(time.monotonic() - started)
        self.away[-1] = (self.away[-1][0], time.monotonic() + EXCUSED_S)
        forgotten = self.latched - {latch["slice"] for latch in self.gateway.status()["latches"]}
        if forgotten:
            self.problems.append(f"acknowledged kills were forgotten by a restart: {sorted(forgotten)}")

    def excuses(self, one):
        """Was the gateway away at some time between when the request was due and its end?"""
        return any(one.due / 1e6 <= until and (one.due + one.latency) / 1e6 >= killed for killed, until in self.away)


def check_kills(killer, told, options):
    problems = killer.problems
    errors = checks.errors_of(one for one in told if not killer.excuses(one))
    if errors:
        problems.append(f"client errors away from the kills: {dict(errors)}")
    if not killer.latched:
        problems.append("no kill switch was acknowledged: that none was forgotten shows nothing")
    incomplete = killer.gateway.status()["keys_tainted"]
    if incomplete > options.kills * MOST_UNDER_WAY:
        problems.append(f"{incomplete} keys are incomplete, and no more than {options.kills * MOST_UNDER_WAY} exchanges were under way")
    return problems


def cells_of(killer, told, off, lost, status):
    undisturbed = [one for one in told if not killer.excuses(one)]
    errors = checks.errors_of(undisturbed)
    broken = checks.errors_of(told) - errors
    alone = [[one.latency / 1000 for one in each] for each in off]
    p99s = [quantile(each, 0.99) for each in alone]
    latencies = [one.latency / 1000 for one in undisturbed if one.outcome == "answered"]
    dropped = sum(sum(route["dropped"].values()) for route in status["routes"])
    return [f"{statistics.median(quantile(each, 0.5) for each in alone):.2f} / {statistics.median(p99s):.2f}",
            f"{quantile(latencies, 0.5):.2f} / {quantile(latencies, 0.99):.2f}", f"{max(p99s) - min(p99s):.2f}", "–",
            f"{len(told):,}: {sum(errors.values())}, and {sum(broken.values()):,} around the kills", f"{dropped:,}, lost {lost:,}"]


def run_kills(row, options, directory, check_books, check_ledgers):
    """(cells of the row, problems). Latencies are shown, not judged: those of requests that no kill touched."""
    legacy, modern, legacy_alone = Bank(), Bank(nice=LOW), Bank()
    gateway = Gateway(os.path.join(directory, "shadowing"), legacy, modern, stage=row.stage, spares=options.kills)
    plain = Gateway(os.path.join(directory, "plain"), legacy_alone, modern, shadow=False)
    killer = Killer(gateway, modern, row, options.seed)
    told, off = [], []
    try:
        for number in range(options.kills):
            told += killer.round(options, number)
            if number % 2 == 0:
                off.append(Load(plain.port, ROUND_S, options.rate, number).result())
        since = time.monotonic()
        wait_until("the gateway to catch up", lambda: not gateway.busy(), 60)
        caught_up_s = time.monotonic() - since
        status, _, problems = check_books(gateway, told, gateway.directory, 60)
        ledgers, more = check_ledgers(gateway, told, legacy.dump(), modern.dump(), complete=False)
        problems += more + check_kills(killer, told, options)
        cells = cells_of(killer, told, off, checks.accounts_of(status)[2], status)
        cells += [ledgers, f"{caught_up_s:.1f} s; restarts {max(killer.restart_s):.2f} s at most", f"{gateway.most_memory_mb():.0f} MB"]
    except TimeoutError as error:
        cells, problems = ["–"], [f"{error}: {gateway.busy()}"]
    finally:
        ended = [one.stop() for one in (gateway, plain)]
        for bank in (legacy, modern, legacy_alone):
            bank.stop()
    return cells, problems + [f"a gateway ended with {one}" for one in ended if one != 0]
