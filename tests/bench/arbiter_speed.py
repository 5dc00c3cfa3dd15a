#!/usr/bin/env python3
"""How many exchanges one arbiter process decides in a second, on one core, from the local log.

  python3 tests/bench/arbiter_speed.py [--exchanges N] [--accounts N] [--state] [--log DIRECTORY] [--perf]

Writes a log of deposits first (bench_arbiter_log: both sides agree), then starts phoenix-arbiter on one core with its
private Postgres on the other and waits until all are decided. Prints exchanges per second of wall time, CPU of the
arbiter per exchange, CPU of Postgres per exchange, the arbiter's resident memory on the way and the lag that it told.
--state: with state alignment (state_source capture), two changes and their markers for each deposit. --log: keep the log
there, and use it again when it is there (of the same N and accounts). Not a timed test: it fails only when something is
decided wrongly, or the lag does not go to zero."""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("PHOENIX_BIN", os.path.join(ROOT, "build", "bin"))
TICKS = os.sysconf("SC_CLK_TCK")
MEMORY_AT = (0.1, 0.25, 0.5, 0.75, 1.0)

CONFIG = """
event_log: {{sqlite: {{path: "{directory}/events.db", retain: {{bytes: 200GiB, age: 3650d}}}}}}
slices: [{{name: payments, stage: shadow}}]
gateway:
  legacy: {{endpoints: ["http://127.0.0.1:1"]}}
  modern: {{endpoints: ["http://127.0.0.1:2"]}}
  routes:
    - name: deposits
      slice: payments
      match: {{methods: [POST], path: "/accounts/{{account}}/deposits"}}
      key: {{path: account}}
      shadow: dual
      compare: {{balance: /balance_after, ignore: [/posting_id, /created_at]}}
arbiter:
  listen: 127.0.0.1:{port}
  database: "{postgres}phoenix_bench"
  score_interval: 500ms
{state}
"""
STATE = """
  state_source: capture
  legacy_state: {table: accounts, account: id, balance: balance, currency: currency}
  modern_state: {table: ledger_accounts, account: id, balance: balance, currency: currency}
"""


def free_port():
    import socket
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def cpu_seconds(pids):
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12]) + int(fields[13]) + int(fields[14])
        except OSError:
            pass
    return total / TICKS


def resident_mb(pid):
    with open(f"/proc/{pid}/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1)) / 1024


def descendants(pid):
    out = [pid]
    for entry in subprocess.run(["pgrep", "-P", str(pid)], stdout=subprocess.PIPE, text=True).stdout.split():
        out += descendants(int(entry))
    return out


def metrics(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        return answer.read().decode()


def verdicts(page):
    return {kind: float(n) for kind, n in re.findall(r'phoenix_arbiter_verdicts_total\{[^}]*kind="(\w+)"[^}]*\} (\S+)', page)}


def lags(page):
    return {topic: float(n) for topic, n in re.findall(r'phoenix_arbiter_consumer_lag\{[^}]*topic="([\w-]+)"[^}]*\} (\S+)', page)}


class Cluster:
    def __init__(self):
        self.directory = os.path.join(ROOT, "build", "postgres-bench")
        script = os.path.join(ROOT, "deploy", "postgres.sh")
        self.url = subprocess.run([script, "start", self.directory], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        self.stop = lambda: subprocess.run([script, "stop", self.directory], check=False, stdout=subprocess.DEVNULL)
        pid_file = os.path.join(self.directory, "data", "postmaster.pid")
        if not os.path.exists(pid_file):  # below a home directory that postgres cannot enter
            pid_file = subprocess.run(["pgrep", "-fn", "postgres -D"], stdout=subprocess.PIPE, text=True).stdout.strip()
            self.pid = int(pid_file)
        else:
            with open(pid_file) as file:
                self.pid = int(file.readline())
        subprocess.run(["taskset", "-acp", "1", str(self.pid)], check=False, stdout=subprocess.DEVNULL)
        subprocess.run(["psql", "-q", self.url + "postgres", "-c", "SET client_min_messages = warning", "-c", "DROP DATABASE IF EXISTS phoenix_bench"], check=True)


def run(arguments, directory, cluster):
    port = free_port()
    config = os.path.join(directory, "phoenix.yml")
    with open(config, "w") as file:
        file.write(CONFIG.format(directory=directory, port=port, postgres=cluster.url, state=STATE if arguments.state else ""))
    written = os.path.join(directory, f"written-{arguments.exchanges}-{arguments.accounts}-{arguments.state}")
    if not os.path.exists(written):
        subprocess.run([os.path.join(BIN, "bench_arbiter_log"), config, str(arguments.exchanges), str(arguments.accounts)] + ["--state"] * arguments.state, check=True)
        open(written, "w").close()
    command = ["taskset", "-c", "0", os.path.join(BIN, "phoenix-arbiter"), "--config", config]
    if arguments.perf:
        command = ["perf", "record", "-q", "-g", "-o", os.path.join(directory, "perf.data")] + command
    log = open(os.path.join(directory, "arbiter.log"), "w")
    started = time.monotonic()
    arbiter = subprocess.Popen(command, stderr=log, stdout=log)
    try:
        follow(arguments, arbiter, cluster, port, started)
    finally:
        arbiter.terminate()
        arbiter.wait()
        if arguments.perf:
            shutil.copy(os.path.join(directory, "perf.data"), "/tmp/arbiter-perf.data")


def follow(arguments, arbiter, cluster, port, started):
    memory, first, page, most_lag = {}, None, "", {}
    postgres_before = cpu_seconds(descendants(cluster.pid))
    while True:
        if arbiter.poll() is not None:
            sys.exit(f"the arbiter ended with {arbiter.returncode}; see its log")
        try:
            page = metrics(port)
        except OSError:
            time.sleep(0.05)
            continue
        found = verdicts(page)
        decided = sum(found.values())
        if first is None and decided:
            first = (time.monotonic(), decided)
        for topic, behind in lags(page).items():
            most_lag[topic] = max(behind, most_lag.get(topic, 0))
        for share in MEMORY_AT:
            if decided >= share * arguments.exchanges:
                memory.setdefault(share, resident_mb(arbiter.pid))
        if decided >= arguments.exchanges:
            break
        if time.monotonic() - started > arguments.limit:
            sys.exit(f"only {decided:.0f} of {arguments.exchanges} decided in {arguments.limit} s: {found}")
        time.sleep(0.1)
    seconds = time.monotonic() - first[0]
    count = arguments.exchanges - first[1]
    cpu = cpu_seconds([arbiter.pid])
    print(f"{count / seconds:,.0f} exchanges/s ({count:.0f} in {seconds:.1f} s), {cpu * 1e6 / arguments.exchanges:.1f} us CPU per exchange in the arbiter, "
          f"{(cpu_seconds(descendants(cluster.pid)) - postgres_before) * 1e6 / arguments.exchanges:.1f} us in Postgres")
    print("resident memory of the arbiter: " + ", ".join(f"{mb:.0f} MB at {share:.0%}" for share, mb in sorted(memory.items())))
    follow_lag(arguments, port, most_lag)
    print("verdicts: " + ", ".join(f"{kind} {n:.0f}" for kind, n in sorted(found.items())))
    wrong = {kind: n for kind, n in found.items() if kind not in ("match", "match_late") and n}
    if wrong:
        sys.exit(f"everything agrees, but: {wrong}")


def follow_lag(arguments, port, most):
    """The lag of all that was to be read was told, and goes to zero."""
    topics = ["shadow-requests"] + ["db-state-updates"] * arguments.state
    deadline = time.monotonic() + 10
    now = lags(metrics(port))
    while any(now.get(topic) != 0 for topic in topics):
        if time.monotonic() > deadline:
            sys.exit(f"everything is decided, but the lag is {now}")
        time.sleep(0.1)
        now = lags(metrics(port))
    print("lag: " + ", ".join(f"{topic} at most {most.get(topic, 0):.0f}, then 0" for topic in topics))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exchanges", type=int, default=400_000)
    parser.add_argument("--accounts", type=int, default=10_000)
    parser.add_argument("--state", action="store_true")
    parser.add_argument("--perf", action="store_true")
    parser.add_argument("--limit", type=float, default=1800)
    parser.add_argument("--log", metavar="DIRECTORY")
    arguments = parser.parse_args()
    if arguments.log:
        os.makedirs(arguments.log, exist_ok=True)
    directory = arguments.log or tempfile.mkdtemp(prefix="phoenix-bench-")
    cluster = Cluster()
    try:
        run(arguments, directory, cluster)
    finally:
        cluster.stop()
        if not arguments.log:
            shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
