"""Starts and stops the real programs, for the demo and the end-to-end tests. Needs Python 3 and nothing else.

A Stack is two banks on a private Postgres, the gateway, the arbiter and the orchestrator, on free loopback ports, with
deploy/demo.yml (or another file) as their configuration.
"""
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BIN = os.environ.get("PHOENIX_BIN", os.path.join(ROOT, "build", "bin"))


# The banks that belong together, and the fees and interest that a client of legacy expects (phoenix-traffic --model).
PAIRS = {
    "vip-fee": {"legacy": "vip-fee", "modern": "ledger", "model": "legacy-vip-fee"},
    "float-rounding": {"legacy": "float-rounding", "modern": "precision", "model": "legacy-float"},
}


class StoryBroken(Exception):
    """What did not hold, in one line."""


def free_port(preferred=0):
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return probe.getsockname()[1]
            except OSError:
                continue
    raise StoryBroken("no free port")


def http(method, url, body=None, timeout=3):
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url, data=data, method=method, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=timeout) as response:
        return json.loads(response.read() or b"{}")


def wait_until(what, condition, seconds=30, every=0.05):
    """Polls until the condition holds and returns its value; StoryBroken names what did not come."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise StoryBroken(f"{what}: not within {seconds} s")
        time.sleep(every)


class Postgres:
    """A private cluster in a directory of its own; several may run side by side."""

    def __init__(self, directory):
        self.directory = directory
        self.base = None

    def call(self, command, *arguments):
        return subprocess.run([os.path.join(ROOT, "deploy", "postgres.sh"), command, self.directory, *arguments], check=True, capture_output=True, text=True).stdout.strip()

    def start(self, port=""):
        """On a free port, or on `port` again after an outage."""
        self.base = self.call("start", *([port] if port else []))
        return self.base

    def stop(self):
        self.call("stop")

    def query(self, database, sql):
        rows = subprocess.run(["psql", "-qXAt", "-F", "\t", self.base + database, "-c", sql], check=True, capture_output=True, text=True).stdout
        return [row.split("\t") for row in rows.splitlines()]

    def drop(self, *databases):
        for name in databases:
            self.query("postgres", f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


class Kafka:
    """A private broker in a directory of its own (deploy/kafka.sh)."""

    def __init__(self, directory):
        self.directory = directory
        self.brokers = None

    def call(self, command, *arguments):
        done = subprocess.run([os.path.join(ROOT, "deploy", "kafka.sh"), command, self.directory, *arguments], capture_output=True, text=True)
        if done.returncode != 0:
            raise StoryBroken(f"deploy/kafka.sh {command}: {(done.stderr.strip().splitlines() or ['failed'])[-1]}")
        return done.stdout.strip()

    def start(self):
        """On a free port, or on the port it had before an outage."""
        self.brokers = self.call("start", *([self.brokers.split(":")[1]] if self.brokers else []))
        return self.brokers

    def start_empty(self):
        """With nothing of an earlier run."""
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)
        return self.start()

    def stop(self):
        self.call("stop")

    def kill(self):
        """SIGKILL, as a crash would."""
        self.call("kill")


class Programs:
    """Child processes: logs in one directory, stopped by pid in reverse order."""

    def __init__(self, directory, environment):
        self.directory = directory
        self.environment = environment
        self.running = []

    def start(self, name, *arguments):
        with open(os.path.join(self.directory, name + ".log"), "a") as log:
            process = subprocess.Popen([os.path.join(BIN, name), *arguments], stdout=log, stderr=log, env=self.environment, start_new_session=True)
        self.running.append((name, process))
        return process

    def check(self):
        for name, process in self.running:
            if process.poll() not in (None, 0):
                with open(os.path.join(self.directory, name + ".log")) as log:
                    tail = log.read().strip().splitlines()[-3:]
                raise StoryBroken(f"{name} ended with status {process.returncode}: {' | '.join(tail)}")

    def forget(self, process):
        self.running = [entry for entry in self.running if entry[1] is not process]

    def kill(self, process):
        """SIGKILL, as a crash would."""
        process.kill()
        process.wait()
        self.forget(process)

    def stop(self):
        for _, process in reversed(self.running):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.running = []


class Stack:
    """Everything but the users. `control_postgres` may be another cluster than the banks', to take it down alone; so may
    `modern_postgres`. With `kafka` the event log is Kafka (mode enterprise), otherwise SQLite. With `state_source` capture
    phoenix-capture runs as well."""

    DEFAULT_PORTS = {"GATEWAY": 8080, "ADMIN": 9100, "ARBITER": 9200, "CAPTURE": 9210, "ORCHESTRATOR": 9300, "LEGACY": 8081, "MODERN": 8082}

    def __init__(self, directory, bank_postgres, control_postgres=None, kafka=None, use_default_ports=False, config=None, pair="vip-fee", modern_postgres=None, topic_prefix="", state_source="query"):
        self.directory = directory
        self.pair = PAIRS[pair]
        self.banks = bank_postgres
        self.modern_bank = modern_postgres or bank_postgres
        self.control = control_postgres or bank_postgres
        self.kafka = kafka
        self.state_source = state_source
        self.config = config or os.path.join(ROOT, "deploy", "demo.yml")
        shutil.rmtree(directory, ignore_errors=True)
        os.makedirs(directory)
        self.ports = {name: free_port(port if use_default_ports else 0) for name, port in self.DEFAULT_PORTS.items()}
        self.urls = {name: f"http://127.0.0.1:{port}" for name, port in self.ports.items()}
        environment = dict(os.environ, PHOENIX_DEMO_DIR=directory, PHOENIX_DEMO_POSTGRES=self.banks.base,
                           PHOENIX_DEMO_MODERN_POSTGRES=self.modern_bank.base, PHOENIX_DEMO_CONTROL_POSTGRES=self.control.base,
                           PHOENIX_DEMO_MODE="enterprise" if kafka else "local", PHOENIX_DEMO_KAFKA=kafka.brokers if kafka else "",
                           PHOENIX_DEMO_TOPIC_PREFIX=topic_prefix, PHOENIX_DEMO_STATE_SOURCE=state_source)
        environment.update({f"PHOENIX_DEMO_{name}_PORT": str(port) for name, port in self.ports.items()})
        self.programs = Programs(directory, environment)

    def start_banks(self, accounts, modern_options=("--bug-compatible",)):
        self.drop_slots()
        self.banks.drop("legacy_bank")
        self.modern_bank.drop("modern_bank")
        self.banks_started = {"legacy": self.start_bank("legacy", accounts, (), wait=False), "modern": self.start_bank("modern", accounts, modern_options, wait=False)}
        for side in ("LEGACY", "MODERN"):
            self.wait_ready(self.urls[side] + "/healthz")

    def drop_slots(self):
        """A database with a replication slot cannot be dropped, and a slot that nobody reads keeps write-ahead log."""
        for side in ("legacy", "modern"):
            self.bank(side).query("postgres", f"SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = 'phoenix_{side}' AND NOT active")

    def start_bank(self, side, accounts, options=("--bug-compatible",), wait=True):
        """Starts one bank, on what its database holds."""
        process = self.programs.start(f"phoenix-{side}-sim", "--flavour", self.pair[side], *options, "--listen", f"127.0.0.1:{self.ports[side.upper()]}",
                                      "--database", f"{self.bank(side).base}{side}_bank", "--seed-accounts", str(accounts))
        if wait:
            self.wait_ready(self.urls[side.upper()] + "/healthz")
        return process

    def bank(self, side):
        return self.modern_bank if side == "modern" else self.banks

    def start_phoenix(self, *names):
        """Starts the named programs (default: all) and waits until they are ready. Returns them by name."""
        ready = {"phoenix-gateway": "ADMIN", "phoenix-orchestrator": "ORCHESTRATOR", "phoenix-arbiter": "ARBITER"}
        if self.state_source == "capture":
            ready["phoenix-capture"] = "CAPTURE"
        started = {name: self.programs.start(name, "--config", self.config) for name in names or ready}
        for name in started:
            self.wait_ready(self.urls[ready[name]] + "/readyz")
        return started

    def wait_ready(self, url, seconds=30):
        def answers():
            self.programs.check()
            try:
                http("GET", url)
                return True
            except (OSError, ValueError):
                return False
        wait_until(f"{url} to answer", answers, seconds)

    def traffic_arguments(self, accounts, *more):
        return ("--target", f"127.0.0.1:{self.ports['GATEWAY']}", "--accounts", str(accounts), "--model", self.pair["model"], *more)

    def run_traffic(self, accounts, *more, timeout=300):
        """Runs phoenix-traffic to its end and returns its summary."""
        summary = os.path.join(self.directory, "traffic.json")
        done = subprocess.run([os.path.join(BIN, "phoenix-traffic"), *self.traffic_arguments(accounts, *more), "--json", summary],
                              capture_output=True, text=True, timeout=timeout, env=self.programs.environment)
        if not os.path.exists(summary):
            raise StoryBroken(f"phoenix-traffic: {done.stderr.strip()}")
        with open(summary) as file:
            return json.load(file)

    def ctl(self, *arguments, check=True):
        return subprocess.run([os.path.join(BIN, "phoenixctl"), "--config", self.config, *arguments], check=check, capture_output=True, text=True,
                              env=self.programs.environment).stdout

    def gateway_status(self):
        return http("GET", self.urls["ADMIN"] + "/status")

    def check_accounting(self):
        """received = in flight + handed over + excluded + dropped, exact for every route; returns the sums."""
        sums = {"received": 0, "in_flight": 0, "handed_over": 0, "excluded": 0, "dropped": 0}
        for route in self.gateway_status()["routes"]:
            row = dict(route, excluded=sum(route["excluded"].values()), dropped=sum(route["dropped"].values()))
            if row["received"] != row["in_flight"] + row["handed_over"] + row["excluded"] + row["dropped"]:
                raise StoryBroken(f"route {route['route']}: the account does not balance: {route}")
            for name in sums:
                sums[name] += row[name]
        return sums

    def verdict_counts(self):
        """Verdicts on exchanges, by kind (verdicts on accounts alone carry no route and are left out)."""
        return {verdict: int(count) for verdict, count in self.control.query(
            "phoenix", "SELECT verdict, sum(n) FROM arbiter.counters WHERE route <> '' AND verdict NOT IN ('received', 'excluded', 'dropped') AND verdict NOT LIKE 'cause%'"
                       " GROUP BY verdict HAVING sum(n) <> 0 ORDER BY 1")}
