"""The processes of the fault matrix: banks, gateways and load, each pinned to its core and stopped by its pid."""
import atexit
import collections
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("PHOENIX_BIN", os.path.join(ROOT, "build", "bin"))
CORES = sorted(os.sched_getaffinity(0))
PINNED = len(CORES) >= 2
GATEWAY_CORE, OTHER_CORE = CORES[0], CORES[-1]
LOW = 10  # nice value of the shadow, whose own work is not measured

CONFIG = """
event_log: {{sqlite: {{path: "{directory}/events.db"}}}}
slices: [{{name: bank, {stage}}}{spares}]
gateway:
  id: gw-faults
  state_dir: "{directory}/state"
  listen: 127.0.0.1:{port}
  admin_listen: 127.0.0.1:{admin_port}
  threads: 1
  legacy: {{endpoints: ["http://127.0.0.1:{legacy}"]}}
  modern: {{endpoints: ["http://127.0.0.1:{modern}"]}}
  timeouts: {{connect: 1s, response: 3s, idle: 3s, gate_wait: 2s}}
  limits: {{capture_bytes: 512{limits}}}
  routes:
    - {{name: account, slice: bank, match: {{methods: [GET], path: "/accounts/{{account}}"}}, key: {{path: account}}, shadow: {reads}}}
    - {{name: postings, slice: bank, match: {{methods: [POST], path: "/accounts/{{account}}/*"}}, key: {{path: account}}, shadow: {writes}, ordering: strict, idempotent: {idempotent}}}
"""


def wait_until(what, condition, seconds, every=0.02):
    """The condition's value once it is true; ends the run when it does not become so."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:.0f} s for {what}")
        time.sleep(every)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


STARTED = []  # for end_all()


@atexit.register
def end_all():
    """Whatever the run left behind, by pid."""
    for process in STARTED:
        if process.poll() is None:
            process.kill()


def start(command, core, nice=0, **more):
    def prepare():
        if PINNED:
            os.sched_setaffinity(0, {core})
        os.nice(nice)
        # A full disk is an error of write(); a file-size limit that plays it must not be a signal.
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=prepare, **more)
    STARTED.append(process)
    return process


class Bank:
    """One fault_backend. Modern runs at low priority, so that its own work does not take the load's core."""

    def __init__(self, nice=0, dedupe=False):
        self.process = start([os.path.join(BIN, "fault_backend"), "--dedupe", str(int(dedupe))], OTHER_CORE, nice, stdin=subprocess.PIPE)
        self.port = int(self.process.stdout.readline())

    def say(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def fault(self, fault):
        answer = self.say(f"fault {fault}")
        if answer != fault.split()[0]:
            raise SystemExit(f"fault_backend: {fault}: {answer}")

    def dump(self):
        return json.loads(self.say("dump"))

    def stop(self):
        self.process.kill()
        self.process.wait()


class Gateway:
    def __init__(self, directory, legacy, modern, shadow=True, stage="stage: shadow", limits="", idempotent=False, spares=0):
        os.makedirs(directory)
        self.directory, self.config = directory, os.path.join(directory, "phoenix.yml")
        self.port, self.admin = free_port(), f"127.0.0.1:{free_port()}"
        with open(self.config, "w") as out:
            out.write(CONFIG.format(
                directory=directory, legacy=legacy.port, modern=modern.port, port=self.port, admin_port=self.admin.split(":")[1], stage=stage, limits=limits, idempotent=str(idempotent).lower(),
                spares="".join(f", {{name: spare{number}, stage: shadow}}" for number in range(spares)),
                reads="reads" if shadow else '"off"', writes="dual" if shadow else '"off"'))
        self.log_path = os.path.join(directory, "gateway.log")
        self.start()

    def start(self):
        with open(self.log_path, "a") as log:
            self.process = start([os.path.join(BIN, "phoenix-gateway"), "--config", self.config], GATEWAY_CORE, stderr=log)
        line = self.process.stdout.readline()
        if not re.match(r"listening on ", line):
            raise SystemExit(f"phoenix-gateway did not start: {line}{self.said()}")

    def said(self):
        with open(self.log_path) as log:
            return log.read()[-4000:]

    def get(self, path, method="GET", body=None):
        """(status, text); status 0: nobody answered."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://{self.admin}{path}", data=data, method=method, headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def status(self):
        status, text = self.get("/status")
        if status != 200:
            raise SystemExit(f"GET /status: {status}; the gateway {'runs' if self.process.poll() is None else f'ended with {self.process.poll()}'}: {self.said()}")
        return json.loads(text)

    def busy(self):
        """What is under way, empty when nothing is."""
        status = self.status()
        left = {"in flight": sum(route["in_flight"] for route in status["routes"]), "backlog": sum(status["backlog"].values()),
                "keys behind": status["keys_behind"], "events queued": status["event_log"]["queued"]}
        return {what: count for what, count in left.items() if count}

    def most_memory_mb(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            return int(re.search(r"VmHWM:\s+(\d+) kB", status.read())[1]) / 1024

    def limit_files(self, size):
        """No file of the gateway may grow beyond `size` bytes: a disk that is full for it alone. -1: no limit."""
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.terminate()
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return "nothing within 30 s of SIGTERM"


# What one client was told. Times in microseconds, `due` on the monotonic clock.
Told = collections.namedtuple("Told", "due latency write account status exchange outcome")


class Load:
    """One run of fault_load in the background."""

    def __init__(self, port, seconds, rate, seed, first_account=0, accounts=2000, pad=0):
        self.process = start([os.path.join(BIN, "fault_load"), "--port", str(port), "--seconds", str(seconds), "--rate", str(rate), "--seed", str(seed),
                              "--first-account", str(first_account), "--accounts", str(accounts), "--pad", str(pad)], OTHER_CORE)

    def result(self):
        text = self.process.communicate()[0]
        if self.process.returncode != 0:
            sys.exit(f"fault_load ended with {self.process.returncode}")
        told = []
        for line in text.splitlines():
            due, latency, kind, account, status, exchange, outcome = line.split()
            told.append(Told(int(due), int(latency), kind == "w", account, int(status), exchange, outcome))
        return told


def quantile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0
