"""The demo's story. Called by deploy/demo.sh; needs Python 3 and nothing else.

Starts a private Postgres, two banks, the gateway, the arbiter, the orchestrator and simulated users; then only watches:
what moves traffic is the orchestrator. Exits 0 only if the story holds; writes build/demo/summary.json.
"""
import argparse
import fcntl
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time

from stack import PAIRS, ROOT, Kafka, Postgres, Stack, StoryBroken, http

DIR = os.path.join(ROOT, "build", "demo")
ACCOUNTS = 2000
RATE = 350
SLICE = "payments"
# What the users do, and what act 2 changes; the float-rounding pair also pays interest.
MIX = {
    "vip-fee": "read=35,statement=15,deposit=20,withdrawal=10,transfer=20",
    "float-rounding": "read=30,statement=10,deposit=15,withdrawal=5,transfer=35,interest=5",
}
TURN = {
    "vip-fee": "modern now charges VIPs the tariff's 2.0 % where legacy takes 2.5 %",
    "float-rounding": "modern now rounds exactly, where legacy's binary floating point drops half a cent",
}
RAMP_DEADLINE_S = 130
TRIP_DEADLINE_S = 30


class View:
    """A few lines redrawn in place on a terminal; elsewhere a line whenever something changed."""

    def __init__(self):
        self.terminal = sys.stdout.isatty()
        self.drawn = 0
        self.last = None
        self.start = time.monotonic()
        self.next_line = 0

    def say(self, text):
        self.drawn = 0
        print(text, flush=True)

    def draw(self, act, state):
        lines = self.lines(act, state)
        if not self.terminal:
            # A change is shown with the evidence that led to it: what the rung before it had gathered.
            now = time.monotonic()
            changed = self.last and (state["stage"], state["weight"], state["killed"]) != (self.last["stage"], self.last["weight"], self.last["killed"])
            if changed:
                print(f"[{now - self.start:5.1f}s] {self.last['weight']:g} % -> {state['weight']:g} %{' KILLED' if state['killed'] else ''}  on  "
                      + "; ".join(self.lines(act, self.last)[2:5]), flush=True)
            elif now > self.next_line:
                print(f"[{now - self.start:5.1f}s] " + "; ".join(lines[1:5]), flush=True)
            if changed or now > self.next_line:
                self.next_line = now + 5
            self.last = state
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
        self.postgres = Postgres(os.path.join(ROOT, "build", "postgres-demo"))
        self.kafka = Kafka(os.path.join(ROOT, "build", "kafka-demo")) if options.mode == "enterprise" else None
        self.stack = None
        self.summary = {}

    # --- setting up ---------------------------------------------------------------------------------------------------

    def set_up(self):
        self.postgres.start()
        if self.kafka:
            self.view.say(f"Apache Kafka listens on {self.kafka.start_empty()}")
        self.stack = Stack(DIR, self.postgres, kafka=self.kafka, use_default_ports=True, pair=self.options.pair)
        self.postgres.drop("phoenix")
        self.view.say("starting two banks, the gateway, the arbiter and the orchestrator")
        self.stack.start_banks(ACCOUNTS)
        self.stack.start_phoenix()
        self.live = os.path.join(DIR, "traffic-live.json")
        self.traffic_summary = os.path.join(DIR, "traffic.json")
        self.traffic = self.stack.programs.start(
            "phoenix-traffic", *self.stack.traffic_arguments(ACCOUNTS, "--rate", str(RATE), "--seed", "7", "--zipf", "0.6", "--duration", "600s",
                                                             "--mix", MIX[self.options.pair],
                                                             "--final-check", "--live", self.live, "--json", self.traffic_summary))

    # --- watching -----------------------------------------------------------------------------------------------------

    def state(self):
        self.stack.programs.check()
        slice_ = http("GET", f"{self.stack.urls['ORCHESTRATOR']}/api/v1/slices/{SLICE}")
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
        self.stack.ctl("weight", "set", SLICE, "5", "--reason", "demo: the next release of modern starts small")
        self.watch("act 2: the next release starts at 5 %", self.gateway_applied_five, 20)
        http("PUT", self.stack.urls["MODERN"] + "/_sim/faults", {"bug_compatible": False})
        started = time.monotonic()
        self.view.say(f"act 2: unannounced, {TURN[self.options.pair]}")
        self.watch("act 2: the ledgers drift apart", lambda state: state["killed"], TRIP_DEADLINE_S)
        self.summary["seconds_to_trip"] = round(time.monotonic() - started, 2)
        gateway = self.stack.gateway_status()
        if not gateway["latches"] or gateway["slices"][0]["stage"] != "shadow":
            raise StoryBroken("act 2: the orchestrator tripped, but the gateway still serves modern")
        self.summary["trip_reason"] = gateway["latches"][0]["reason"]
        self.view.say(f"act 2 holds: the kill switch tripped by itself after {self.summary['seconds_to_trip']} s: {self.summary['trip_reason']}\n")

    def gateway_applied_five(self, state):
        status = self.stack.gateway_status()
        return status["slices"][0]["weight"] == 5 and state["weight"] == 5

    def explain(self):
        named = []
        for route in ("interest", "transfers"):  # the last one is shown: a transfer where there is one
            verdicts = json.loads(self.stack.ctl("verdicts", "--kind", "mismatch", "--route", route, "--json"))["verdicts"]
            named += [verdict for verdict in verdicts if verdict["exchange_id"]]
        if not named:
            raise StoryBroken("act 2: the kill switch tripped, but no mismatch on transfers or interest is on record")
        self.summary["explained_exchange"] = named[-1]["exchange_id"]
        self.view.say(f"$ phoenixctl explain {named[-1]['exchange_id']}")
        self.view.say(self.stack.ctl("explain", named[-1]["exchange_id"]))

    def close(self):
        self.traffic.send_signal(signal.SIGTERM)
        self.traffic.wait(timeout=60)
        with open(self.traffic_summary) as file:
            client = json.load(file)
        self.stack.programs.forget(self.traffic)
        self.stack.check_accounting()
        audit = json.loads(self.stack.ctl("history", "--verify", "--json"))
        self.summary.update(
            weights_reached=self.weights, client_requests=client["requests"], client_errors=client["errors"], client_wrong_answers=client["wrong_answers"],
            client_latency_ms=client["latency_ms"], audit=audit.get("verification"), accounting="exact",
            verdicts=self.stack.verdict_counts())
        if client["errors"] or client["wrong_answers"]:
            raise StoryBroken(f"the client saw {client['errors']} errors and {client['wrong_answers']} wrong answers")
        if not (audit.get("verification") or {}).get("intact"):
            raise StoryBroken("the audit record is not intact")

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
        if self.options.keep and self.stack:
            environment = " ".join(f"{name}={shlex.quote(value)}" for name, value in self.stack.programs.environment.items() if name.startswith("PHOENIX_DEMO_"))
            with open(os.path.join(DIR, "environment"), "w") as file:
                file.write("export " + environment + "\n")
            pids = " ".join(str(process.pid) for _, process in self.stack.programs.running)
            self.view.say("Left running:\n" + "\n".join(f"  {name.lower():12} {url}" for name, url in self.stack.urls.items()))
            self.view.say("  . build/demo/environment; build/bin/phoenixctl --config deploy/demo.yml status\n"
                          f"Stop with: kill {pids}; deploy/postgres.sh stop build/postgres-demo"
                          + ("; deploy/kafka.sh stop build/kafka-demo" if self.kafka else ""))
            return
        for part in (self.stack and self.stack.programs, self.kafka, self.postgres):
            try:
                if part:
                    part.stop()
            except (StoryBroken, subprocess.CalledProcessError) as error:
                self.view.say(f"demo: while stopping: {error}")


def main():
    parser = argparse.ArgumentParser(prog="demo.sh", description="Runs the main job on real input and checks that the story holds.")
    parser.add_argument("--keep", action="store_true", help="leave everything running and print the URLs")
    parser.add_argument("--pair", choices=list(PAIRS), default="vip-fee", help="which two banks; float-rounding: binary floating point against exact decimals")
    parser.add_argument("--mode", choices=["local", "enterprise"], default="local", help="local: the embedded SQLite event log; enterprise: Apache Kafka")
    options = parser.parse_args()
    os.makedirs(os.path.join(ROOT, "build"), exist_ok=True)
    with open(os.path.join(ROOT, "build", "demo.lock"), "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            print("demo: another demo of this checkout is running; it uses the same databases", file=sys.stderr)
            return 1
        return Demo(options).run()


if __name__ == "__main__":
    def interrupted(_signal, _frame):
        raise StoryBroken("interrupted")
    signal.signal(signal.SIGTERM, interrupted)
    signal.signal(signal.SIGINT, interrupted)
    sys.exit(main())
