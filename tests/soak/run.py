#!/usr/bin/env python3
"""Soak: the real gateway with its SQLite log, between instrumented backends, under mixed traffic with client aborts,
backend restarts and reloads.   tests/soak/run.py [--seconds N] [--seed S] [--clients N]
Afterwards nothing may be stuck, lost, doubled or grown. Prints a table; exit status 1 and the reasons otherwise."""
import argparse
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

from backend import Backend
from clients import Clients

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("PHOENIX_BIN", os.path.join(ROOT, "build", "bin"))
MOST_GROWTH_SHARE, MOST_GROWTH_MB = 0.10, 16  # of the resident memory, from the end of the warm-up to the end
LONGEST_OUTAGE_S = 0.8
RECOVERY_S = 1.5  # until every client has seen that legacy is back
COUNTED_ONLY = ("unmatched", "bypass", "retired", "event_log_full")  # no event in the log

CONFIG = """
event_log: {{sqlite: {{path: "{directory}/events.db"}}}}
slices: [{{name: all, stage: shadow}}]
gateway:
  id: gw-soak
  state_dir: "{directory}/state"
  listen: 127.0.0.1:0
  admin_listen: 127.0.0.1:0
  threads: 2
  legacy: {{endpoints: ["http://127.0.0.1:{legacy}"]}}
  modern: {{endpoints: ["http://127.0.0.1:{modern}"]}}
  timeouts: {{connect: 1s, response: 5s, idle: {idle}s, request_head: 5s}}
  limits: {{shadow_body_bytes: 64KiB, capture_bytes: 512}}
  routes:
    - {{name: keyed, match: {{path: "/keyed/{{key}}/*"}}, key: {{path: key}}, shadow: dual}}
    - {{name: uploads, match: {{path: "/upload/*"}}, shadow: dual}}
    - {{name: events, match: {{path: "/sse/*"}}, shadow: reads}}
    - {{name: rest, match: {{path: "/*"}}, shadow: reads}}
"""


class Gateway:
    def __init__(self, directory, legacy, modern):
        self.directory, self.ports = directory, {"legacy": legacy, "modern": modern}
        self.config = os.path.join(directory, "phoenix.yml")
        self.write_config(5)
        self.said = open(os.path.join(directory, "gateway.log"), "w+")
        self.process = subprocess.Popen([os.path.join(BIN, "phoenix-gateway"), "--config", self.config], stdout=subprocess.PIPE, stderr=self.said, text=True)
        found = re.match(r"listening on \S+:(\d+) \(admin (\S+)\)", self.process.stdout.readline())
        if not found:
            sys.exit(f"phoenix-gateway did not start: {self.log()}")
        self.port, self.admin = int(found[1]), found[2]

    def write_config(self, idle):
        with open(self.config, "w") as out:
            out.write(CONFIG.format(directory=self.directory, idle=idle, **self.ports))

    def log(self):
        self.said.seek(0)
        return self.said.read()

    def request(self, path, method="GET"):
        try:
            with urllib.request.urlopen(urllib.request.Request(f"http://{self.admin}{path}", method=method), timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def status(self):
        return json.loads(self.request("/status")[1])

    def upstream_connections(self):
        """(idle, active) over both backends."""
        metrics = self.request("/metrics")[1]
        sums = {state: sum(int(float(value)) for value in re.findall(rf'phoenix_gateway_upstream_connections{{[^}}]*state="{state}"[^}}]*}} (\S+)', metrics))
                for state in ("idle", "active")}
        return sums["idle"], sums["active"]

    def resident_mb(self):
        with open(f"/proc/{self.process.pid}/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def stop(self):
        self.process.terminate()
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return "nothing within 30 s of SIGTERM"


class Trouble:
    """Restarts backends and reloads the configuration at times chosen by chance."""

    def __init__(self, gateway, backends, seed):
        self.gateway, self.backends, self.random = gateway, backends, random.Random(seed)
        self.reloads = self.refused = 0
        self.problems, self.legacy_away = [], []
        # Without the call there is no signal handler either, and SIGHUP would end the program.
        self.can_reload = gateway.request("/reload", "POST")[0] == 200
        self.next_restart, self.next_reload = time.monotonic() + 1, time.monotonic() + 2
        # First the longest of each: what the shadow's queue needs at most belongs to the warm-up.
        self.first = [(backend, LONGEST_OUTAGE_S) for backend in backends]

    def step(self):
        now = time.monotonic()
        if now > self.next_restart:
            backend, seconds = self.first.pop() if self.first else (self.random.choice(self.backends), self.random.uniform(0.05, LONGEST_OUTAGE_S))
            started = time.monotonic()
            backend.restart(seconds)
            if backend is self.backends[0]:
                self.legacy_away.append((started, time.monotonic()))
            self.next_restart = time.monotonic() + self.random.uniform(2, 5)
        if self.can_reload and now > self.next_reload:
            self.reload()
            self.next_reload = time.monotonic() + self.random.uniform(1, 4)

    def reload(self):
        self.gateway.write_config(self.random.choice((4, 5, 6)))
        kind = self.random.choice(("call", "signal", "invalid"))
        if kind == "signal":
            self.gateway.process.send_signal(signal.SIGHUP)
        elif kind == "call":
            status, body = self.gateway.request("/reload", "POST")
            if status != 200:
                self.problems.append(f"a reload was refused: {status} {body}")
        else:
            self.gateway.write_config("not a number ")
            if self.gateway.request("/reload", "POST")[0] < 400:
                self.problems.append("an invalid configuration was taken")
            self.gateway.write_config(5)
            self.refused += 1
        self.reloads += kind != "invalid"


def settle(gateway, seconds=20):
    """Until nothing is under way; what still is, as one line."""
    deadline = time.monotonic() + seconds
    while True:
        status = gateway.status()
        left = {"in flight": sum(route["in_flight"] for route in status["routes"]), "sessions": status["connections"],
                "upstream connections in use": gateway.upstream_connections()[1], "events queued": status["event_log"]["queued"]}
        if not any(left.values()):
            return ""
        if time.monotonic() > deadline:
            return f"stuck after {seconds} s: {left}"
        time.sleep(0.1)


def check_accounts(status, directory, problems):
    """received = in flight + handed over + excluded + dropped for each route, and as many events in the log as that says."""
    published, received = 0, 0
    for route in status["routes"]:
        buckets = {**route["excluded"], **{f"dropped {reason}": count for reason, count in route["dropped"].items()}}
        ended = route["handed_over"] + sum(buckets.values())
        if route["received"] != ended + route["in_flight"]:
            problems.append(f"accounts of {route['route']}: received {route['received']}, ended {ended}")
        received += route["received"]
        published += ended - sum(count for reason, count in buckets.items() if reason.removeprefix("dropped ") in COUNTED_ONLY)
    log = sqlite3.connect(f"file:{directory}/events.db?mode=ro", uri=True)
    logged = log.execute("SELECT count(*) FROM records WHERE topic = 'shadow-requests'").fetchone()[0]
    log.close()
    if logged != published:
        problems.append(f"the log has {logged} events, the accounts say {published}")
    return received, logged


def check_failures(failures, away, problems):
    """Clients may fail while legacy is away and a moment later: not by a reload, not because the shadow is away."""
    unexcused = [what for when, what in failures if not any(start - 0.1 <= when <= end + RECOVERY_S for start, end in away)]
    if unexcused:
        problems.append(f"{len(unexcused)} failures while legacy was up, like {unexcused[0]}")


def check_writes(clients, legacy, modern, problems):
    for name, backend in (("legacy", legacy), ("modern", modern)):
        doubled = [write for write, times in enumerate(backend["seen"]) if times > 1]
        if doubled:
            problems.append(f"{name} saw {len(doubled)} writes more than once, like w{doubled[0]}")
        problems += [f"{name}: {problem}" for problem in backend["problems"]]
    taken = legacy["taken"]
    lost = [write for write in clients["accepted"] if write >= len(taken) or taken[write] != 1]
    if lost:
        problems.append(f"{len(lost)} writes were answered 2xx and legacy has not taken them once, like w{lost[0]}")
    problems += [f"client: {problem}" for problem in clients["problems"]]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--clients", type=int, default=48, help="at a time")
    options = parser.parse_args()
    directory = tempfile.mkdtemp(prefix="phoenix-soak-")
    backends = [Backend(), Backend()]
    gateway = Gateway(directory, *(backend.port for backend in backends))
    with urllib.request.urlopen(f"http://127.0.0.1:{gateway.port}/first", timeout=10) as answer:
        answer.read()  # what is opened with the first use is open
    settle(gateway)
    at_rest = gateway.descriptors() - gateway.upstream_connections()[0]
    trouble = Trouble(gateway, backends, options.seed)
    clients = Clients(gateway.port, options.seed, options.clients, options.seconds)
    started, memory, most_descriptors, most_sessions = time.monotonic(), [], 0, 0
    while not clients.finished() and gateway.process.poll() is None:
        if time.monotonic() - started < options.seconds:
            trouble.step()
        elif time.monotonic() - started > options.seconds + 90:
            break
        memory.append((time.monotonic() - started, gateway.resident_mb()))
        most_descriptors = max(most_descriptors, gateway.descriptors())
        time.sleep(0.25)

    problems = trouble.problems
    if gateway.process.poll() is not None or not clients.finished():
        sys.exit(f"the gateway or the clients did not end: {gateway.process.poll()} {gateway.log()[-4000:]}")
    seen = clients.result()
    stuck = settle(gateway)
    if stuck:
        problems.append(stuck)
    status = gateway.status()
    time.sleep(0.2)
    idle, _ = gateway.upstream_connections()
    left_open = gateway.descriptors() - at_rest - idle
    if left_open > 4:  # the admin's own connections come and go
        problems.append(f"{left_open} descriptors more than at the start, beside {idle} idle connections to backends")
    warm = max(mb for at, mb in memory if 0.15 * options.seconds <= at <= 0.3 * options.seconds)
    end = max(mb for at, mb in memory if at >= 0.85 * options.seconds)
    if end > warm * (1 + MOST_GROWTH_SHARE) + MOST_GROWTH_MB:
        problems.append(f"resident memory grew from {warm:.1f} MB after the warm-up to {end:.1f} MB")
    received, logged = check_accounts(status, directory, problems)
    legacy, modern = (backend.report() for backend in backends)
    check_failures(seen["failures"], trouble.legacy_away, problems)
    check_writes(seen, legacy, modern, problems)
    ended = gateway.stop()
    if ended != 0:
        problems.append(f"the gateway ended with {ended}: {gateway.log()[-4000:]}")

    counts = seen["counts"]
    answered = sum(count for key, count in counts.items() if isinstance(key, int))
    reasons = {}
    for route in status["routes"]:
        for reason, count in {**route["excluded"], **route["dropped"]}.items():
            reasons[reason] = reasons.get(reason, 0) + count
    rows = [
        ("seconds, seed", f"{options.seconds:.0f}, {options.seed}"),
        ("client connections", f"{counts['connections']}, of these {counts['aborts']} aborted by the client"),
        ("answers", f"{answered} ({answered / options.seconds:.0f}/s): " + ", ".join(f"{key}: {counts[key]}" for key in sorted(k for k in counts if isinstance(k, int)))),
        ("broken off while legacy restarted", f"{counts['broken off']}"),
        ("restarts", f"legacy {legacy['restarts']}, modern {modern['restarts']}"),
        ("reloads", f"{trouble.reloads}, and {trouble.refused} refused as invalid" if trouble.can_reload else "not offered by this gateway"),
        ("exchanges received", f"{received}, events in the log {logged}"),
        ("not compared", ", ".join(f"{reason}: {count}" for reason, count in sorted(reasons.items())) or "none"),
        ("writes", f"{seen['writes']} sent, {len(seen['accepted'])} answered 2xx; seen by legacy {sum(legacy['seen'])}, by modern {sum(modern['seen'])}"),
        ("resident memory", f"{warm:.1f} MB after the warm-up, {end:.1f} MB at the end"),
        ("descriptors", f"{at_rest} at rest, at most {most_descriptors}, {left_open + at_rest} at the end beside {idle} idle connections to backends"),
        ("left in flight, sessions", "0, 0" if not stuck else stuck),
    ]
    for name, value in rows:
        print(f"| {name:<38} | {value}")
    if problems:
        print(f"\n{len(problems)} problems; the gateway's files stay in {directory}")
        for problem in problems:
            print(f"  {problem}")
        sys.exit(1)
    shutil.rmtree(directory)
    print("nothing stuck, lost, doubled or grown")


if __name__ == "__main__":
    main()
