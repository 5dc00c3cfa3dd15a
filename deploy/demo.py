"""The demo's story. Called by deploy/demo.sh; needs Python 3 and nothing else.

Starts a private Postgres, two banks, the gateway, the arbiter, the orchestrator and simulated users; then only watches:
what moves traffic is the orchestrator. Exits 0 only if the story holds; writes build/demo/summary.json.
"""
import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DIR = os.path.join(ROOT, "build", "demo")
BIN = os.path.join(ROOT, "build", "bin")
ACCOUNTS = 2000
RATE = 350
SLICE = "payments"
RAMP_DEADLINE_S = 130
TRIP_DEADLINE_S = 30


class StoryBroken(Exception):
    """What did not hold, in one line."""


def free_port(preferred):
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


class Programs:
    """Child processes: logs under build/demo, stopped by pid in reverse order."""

    def __init__(self, environment):
        self.environment = environment
        self.running = []

    def start(self, name, *arguments):
        log = open(os.path.join(DIR, name + ".log"), "w")
        process = subprocess.Popen([os.path.join(BIN, name), *arguments], stdout=log, stderr=log, env=self.environment,
                                   start_new_session=True)
        self.running.append((name, process))
        return process

    def check(self):
        for name, process in self.running:
            if process.poll() not in (None, 0):
                with open(os.path.join(DIR, name + ".log")) as log:
                    tail = log.read().strip().splitlines()[-3:]
                raise StoryBroken(f"{name} ended with status {process.returncode}: {' | '.join(tail)}")

    def stop(self):
        for name, process in reversed(self.running):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.running = []


class View:
    """A few lines redrawn in place on a terminal; elsewhere a line whenever something changed."""

    def __init__(self):
        self.terminal = sys.stdout.isatty()
        self.drawn = 0
        self.last = None
        self.start = time.monotonic()

    def say(self, text):
        self.drawn = 0
        print(text, flush=True)

    def draw(self, act, state):
        lines = self.lines(act, state)
        if not self.terminal:
            key = (state["stage"], state["weight"], state["killed"])
            if key != self.last:
                self.last = key
                print(f"[{time.monotonic() - self.start:5.1f}s] " + "; ".join(lines[1:5]), flush=True)
            return
        if self.drawn:
            sys.stdout.write(f"\x1b[{self.drawn}A")
        for line in lines:
            sys.stdout.write("\x1b[2K" + line[: shutil.get_terminal_size().columns - 1] + "\n")
        sys.stdout.flush()
        self.drawn = len(lines)

    @staticmethod
    def lines(act, s):
        filled = int(round(s["weight"] / 2.5))
        bar = "#" * filled + "." * (40 - filled)
        client = s["client"]
        return [
            f"-- {act}",
            f"{SLICE}: stage {s['stage']}{' KILLED' if s['killed'] else ''}  modern [{bar}] {s['weight']:g} %",
            f"score {s['score'] * 100:.2f} % (at least {s['lower'] * 100:.2f} %), coverage {s['coverage'] * 100:.1f} %",
            f"rung: {s['decided']} decided, {s['mismatches']} mismatches, {s['pending']} pending, {s['unknown']} unknown; drift {s['drift'] or 0}",
            f"client: {client.get('rate', 0):.0f} req/s, p50 {client.get('p50_ms', 0):.1f} ms, p99 {client.get('p99_ms', 0):.1f} ms, "
            f"errors {client.get('total', {}).get('errors', 0)}, wrong answers {client.get('total', {}).get('wrong_answers', 0)}",
            f"next: {s['why']}",
        ]


class Demo:
    def __init__(self, options):
        self.options = options
        self.view = View()
        self.weights = []
        self.programs = None
        self.summary = {}

    # --- setting up ---------------------------------------------------------------------------------------------------

    def postgres(self, command):
        return subprocess.run([os.path.join(ROOT, "deploy", "postgres.sh"), command, os.path.join(ROOT, "build", "postgres-demo")],
                              check=True, capture_output=True, text=True).stdout.strip()

    def set_up(self):
        shutil.rmtree(DIR, ignore_errors=True)
        os.makedirs(DIR)
        base = self.postgres("start")
        for name in ("legacy_bank", "modern_bank", "phoenix"):
            subprocess.run(["psql", "-qX", base + "postgres", "-c", f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"], check=True, capture_output=True)
        ports = {name: free_port(default) for name, default in
                 (("GATEWAY", 8080), ("ADMIN", 9100), ("ARBITER", 9200), ("ORCHESTRATOR", 9300), ("LEGACY", 8081), ("MODERN", 8082))}
        environment = dict(os.environ, PHOENIX_DEMO_DIR=DIR, PHOENIX_DEMO_POSTGRES=base, PHOENIX_DEMO_MODE=self.options.mode)
        for name, port in ports.items():
            environment[f"PHOENIX_DEMO_{name}_PORT"] = str(port)
        self.urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        self.programs = Programs(environment)
        self.config = os.path.join(ROOT, "deploy", "demo.yml")
        self.view.say("starting two banks, the gateway, the arbiter and the orchestrator")
        seeds = ("--seed-accounts", str(ACCOUNTS))
        self.programs.start("phoenix-legacy-sim", "--flavour", "vip-fee", "--listen", f"127.0.0.1:{ports['LEGACY']}", "--database", base + "legacy_bank", *seeds)
        self.programs.start("phoenix-modern-sim", "--flavour", "ledger", "--bug-compatible", "--listen", f"127.0.0.1:{ports['MODERN']}", "--database", base + "modern_bank", *seeds)
        self.wait_for(self.urls["LEGACY"] + "/healthz")
        self.wait_for(self.urls["MODERN"] + "/healthz")
        for name in ("phoenix-gateway", "phoenix-orchestrator", "phoenix-arbiter"):
            self.programs.start(name, "--config", self.config)
        for name in ("ADMIN", "ORCHESTRATOR", "ARBITER"):
            self.wait_for(self.urls[name] + "/readyz")
        self.live = os.path.join(DIR, "traffic-live.json")
        self.traffic_summary = os.path.join(DIR, "traffic.json")
        self.traffic = self.programs.start(
            "phoenix-traffic", "--target", f"127.0.0.1:{ports['GATEWAY']}", "--accounts", str(ACCOUNTS), "--rate", str(RATE), "--seed", "7", "--zipf", "0.6",
            "--duration", "600s", "--mix", "read=35,statement=15,deposit=20,withdrawal=10,transfer=20", "--model", "legacy-vip-fee",
            "--final-check", "--live", self.live, "--json", self.traffic_summary)

    def wait_for(self, url, seconds=30):
        deadline = time.monotonic() + seconds
        while True:
            self.programs.check()
            try:
                return http("GET", url)
            except (OSError, ValueError):
                if time.monotonic() > deadline:
                    raise StoryBroken(f"{url} did not become ready within {seconds} s") from None
                time.sleep(0.1)

    # --- watching -----------------------------------------------------------------------------------------------------

    def state(self):
        self.programs.check()
        slice_ = http("GET", f"{self.urls['ORCHESTRATOR']}/api/v1/slices/{SLICE}")
        score = slice_.get("score") or {}
        try:
            with open(self.live) as live:
                client = json.load(live)
        except (OSError, ValueError):
            client = {}
        current = score.get("of_this_rung", False)
        classes = [score.get(kind, {}) for kind in ("reads", "writes")] if current else []
        state = {
            "stage": slice_["stage"], "weight": float(slice_["weight"]), "killed": bool(slice_["latches"]),
            "score": score.get("score", 0) if current else 0, "lower": score.get("lower", 0) if current else 0,
            "coverage": score.get("coverage", 0) if current else 0, "decided": score.get("decided", 0) if current else 0,
            "pending": score.get("pending", 0) if current else 0, "unknown": score.get("unknown", 0) if current else 0,
            "mismatches": sum(c.get("exchange_mismatches", 0) for c in classes),
            "drift": ", ".join(f"{v} {k} minor units" for k, v in (score.get("drift_minor_units") or {}).items() if v),
            "why": (slice_.get("decision") or {}).get("reason", "waiting for the first score"), "client": client,
        }
        if not self.weights or self.weights[-1]["weight"] != state["weight"]:
            self.weights.append({"at_s": round(time.monotonic() - self.view.start, 1), "weight": state["weight"], "stage": state["stage"]})
        return state

    def watch(self, act, done, seconds):
        deadline = time.monotonic() + seconds
        while True:
            state = self.state()
            self.view.draw(act, state)
            if done(state):
                return state
            if time.monotonic() > deadline:
                raise StoryBroken(f"{act}: not within {seconds} s; last reason: {state['why']}")
            time.sleep(0.25)

    def ctl(self, *arguments):
        return subprocess.run([os.path.join(BIN, "phoenixctl"), "--config", self.config, *arguments], check=True, capture_output=True, text=True,
                              env=self.programs.environment).stdout

    # --- the story ----------------------------------------------------------------------------------------------------

    def act_one(self):
        started = time.monotonic()

        def ramped(state):
            if state["killed"]:
                raise StoryBroken(f"act 1: the kill switch tripped on a rewrite that agrees: {state['why']}")
            return state["weight"] >= 100

        self.watch("act 1: the rewrite agrees with legacy to the cent; evidence alone raises the weight", ramped, RAMP_DEADLINE_S)
        self.summary["ramp_seconds"] = round(time.monotonic() - started, 1)
        self.view.say(f"act 1 holds: 0 to 100 % in {self.summary['ramp_seconds']} s, raised by the orchestrator alone\n")

    def act_two(self):
        self.ctl("weight", "set", SLICE, "5", "--reason", "demo: the next release of modern starts small")
        self.watch("act 2: the next release starts at 5 %", self.gateway_applied_five, 20)
        http("PUT", self.urls["MODERN"] + "/_sim/faults", {"bug_compatible": False})
        started = time.monotonic()
        self.view.say("act 2: unannounced, modern now charges VIPs the tariff's 2.0 % where legacy takes 2.5 %")
        self.watch("act 2: the ledgers drift apart", lambda state: state["killed"], TRIP_DEADLINE_S)
        self.summary["seconds_to_trip"] = round(time.monotonic() - started, 2)
        gateway = http("GET", self.urls["ADMIN"] + "/status")
        if not gateway["latches"] or gateway["slices"][0]["stage"] != "shadow":
            raise StoryBroken("act 2: the orchestrator tripped, but the gateway still serves modern")
        self.summary["trip_reason"] = gateway["latches"][0]["reason"]
        self.view.say(f"act 2 holds: the kill switch tripped by itself after {self.summary['seconds_to_trip']} s: {self.summary['trip_reason']}\n")

    def gateway_applied_five(self, state):
        status = http("GET", self.urls["ADMIN"] + "/status")
        return status["slices"][0]["weight"] == 5 and state["weight"] == 5

    def explain(self):
        verdicts = json.loads(self.ctl("verdicts", "--kind", "mismatch", "--route", "transfers", "--json"))["verdicts"]
        named = [verdict for verdict in verdicts if verdict["exchange_id"]]
        if not named:
            raise StoryBroken("act 2: the kill switch tripped, but no mismatch on transfers is on record")
        self.summary["explained_exchange"] = named[-1]["exchange_id"]
        self.view.say(f"$ phoenixctl explain {named[-1]['exchange_id']}")
        self.view.say(self.ctl("explain", named[-1]["exchange_id"]))

    def close(self):
        self.traffic.send_signal(signal.SIGTERM)
        self.traffic.wait(timeout=60)
        with open(self.traffic_summary) as file:
            client = json.load(file)
        self.programs.running = [entry for entry in self.programs.running if entry[1] is not self.traffic]
        gateway = http("GET", self.urls["ADMIN"] + "/status")
        for route in gateway["routes"]:
            ended = route["handed_over"] + route["in_flight"] + sum(route["excluded"].values()) + sum(route["dropped"].values())
            if route["received"] != ended:
                raise StoryBroken(f"route {route['route']}: received {route['received']} but only {ended} are accounted for")
        audit = json.loads(self.ctl("history", "--verify", "--json"))
        self.summary.update(
            weights_reached=self.weights, client_requests=client["requests"], client_errors=client["errors"], client_wrong_answers=client["wrong_answers"],
            client_latency_ms=client["latency_ms"], audit=audit.get("verification"), accounting="exact",
            verdicts=self.verdict_counts())
        if client["errors"] or client["wrong_answers"]:
            raise StoryBroken(f"the client saw {client['errors']} errors and {client['wrong_answers']} wrong answers")
        if not (audit.get("verification") or {}).get("intact"):
            raise StoryBroken("the audit record is not intact")

    def verdict_counts(self):
        counts = {}
        rows = subprocess.run(["psql", "-qXAt", "-F", " ", self.programs.environment["PHOENIX_DEMO_POSTGRES"] + "phoenix", "-c",
                               "SELECT verdict, sum(n) FROM arbiter.counters GROUP BY verdict ORDER BY 1"], check=True, capture_output=True, text=True).stdout
        for row in rows.strip().splitlines():
            verdict, count = row.rsplit(" ", 1)
            counts[verdict] = int(count)
        return counts

    def run(self):
        self.view.say("This demo asks for p0 = 1 % at 95 % confidence, some 500 clean units a rung. The product's defaults are 0.1 % at 99 %.\n")
        ok = False
        try:
            self.set_up()
            self.act_one()
            self.act_two()
            self.explain()
            self.close()
            ok = True
        except StoryBroken as broken:
            self.summary["broken"] = str(broken)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired, OSError, ValueError, KeyError) as error:
            self.summary["broken"] = f"{error!r} {getattr(error, 'stderr', '') or ''}".strip()
        self.summary["ok"] = ok
        self.finish(ok)
        return 0 if ok else 1

    def finish(self, ok):
        os.makedirs(DIR, exist_ok=True)
        with open(os.path.join(DIR, "summary.json"), "w") as file:
            json.dump(self.summary, file, indent=2)
            file.write("\n")
        if ok:
            self.view.say(f"The story holds. The client made {self.summary['client_requests']} requests: no error, no wrong answer. build/demo/summary.json has the figures.")
        else:
            self.view.say(f"demo: the story does not hold: {self.summary['broken']}\ndemo: logs are in build/demo/")
        if self.options.keep and self.programs:
            environment = " ".join(f"{name}={value}" for name, value in self.programs.environment.items() if name.startswith("PHOENIX_DEMO_"))
            with open(os.path.join(DIR, "environment"), "w") as file:
                file.write("export " + environment + "\n")
            pids = " ".join(str(process.pid) for _, process in self.programs.running)
            self.view.say("Left running:\n" + "\n".join(f"  {name.lower():12} {url}" for name, url in self.urls.items()))
            self.view.say("  . build/demo/environment; build/bin/phoenixctl --config deploy/demo.yml status\n"
                          f"Stop with: kill {pids}; deploy/postgres.sh stop build/postgres-demo")
            return
        if self.programs:
            self.programs.stop()
        self.postgres("stop")


def main():
    parser = argparse.ArgumentParser(prog="demo.sh", description="Runs the main job on real input and checks that the story holds.")
    parser.add_argument("--keep", action="store_true", help="leave everything running and print the URLs")
    parser.add_argument("--mode", choices=["local"], default="local", help="local: the embedded SQLite event log")
    return Demo(parser.parse_args()).run()


if __name__ == "__main__":
    def interrupted(_signal, _frame):
        raise StoryBroken("interrupted")
    signal.signal(signal.SIGTERM, interrupted)
    signal.signal(signal.SIGINT, interrupted)
    sys.exit(main())
