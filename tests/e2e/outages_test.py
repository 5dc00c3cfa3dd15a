"""The outage matrix: what Phoenix leans on goes away under load and comes back. The client sees nothing of it, events arrive
later and once, and the programs recover by themselves. On Apache Kafka, with a Postgres for each bank and one for control.

Prints the table that README shows, and leaves it in build/e2e/outages.md.
"""
import json
import os
import signal
import time
import unittest

from support import MIX, ROOT, Kafka, Postgres, StackTest, http, wait_until

OUTAGE_S = int(os.environ.get("PHOENIX_OUTAGE_S", "30"))
CRASH_S = min(5, OUTAGE_S)
RATE = 120
ACCOUNTS = 500
KINDS_OF_EQUALS = {"match", "match_late", "order_dependent"}
HEADER = ("| outage | client: requests, errors, wrong answers; p99 | exchanges told, each decided once | tainted keys | kill switch | caught up after |\n"
          "|---|---|---|---|---|---|\n")


class OutageMatrix(StackTest):
    rows = []

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.modern = Postgres(os.path.join(ROOT, "build", "postgres-e2e-modern"))
        cls.control = Postgres(os.path.join(ROOT, "build", "postgres-e2e-control"))
        cls.kafka = Kafka(os.path.join(ROOT, "build", "kafka-e2e"))
        for part in (cls.modern, cls.control, cls.kafka):
            cls.addClassCleanup(part.stop)
        cls.modern.start()
        cls.control.start()
        cls.kafka.start_empty()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        table = HEADER + "".join(cls.rows)
        print("\n" + table)
        with open(os.path.join(ROOT, "build", "e2e", "outages.md"), "w") as file:
            file.write(table)

    # --- one row ------------------------------------------------------------------------------------------------------

    def start(self, weight=None):
        """Everything runs, in stage shadow for good or with a weight set by hand, and the first verdicts are there."""
        self.stack = self.make_stack(control=self.control, modern=self.modern, kafka=self.kafka)
        self.stack.start_banks(ACCOUNTS)
        self.started = self.stack.start_phoenix()
        self.stack.ctl("pause", "payments", "--reason", "outage drill")
        if weight:
            self.stack.ctl("weight", "set", "payments", str(weight), "--reason", "outage drill")
        self.summary = os.path.join(self.stack.directory, "traffic.json")
        self.traffic = self.stack.programs.start("phoenix-traffic", *self.stack.traffic_arguments(
            ACCOUNTS, "--rate", str(RATE), "--duration", "600s", "--seed", "14", "--mix", MIX, "--final-check", "--json", self.summary))
        # The users first read every account once, and give up where that fails.
        wait_until("the users to be at work", lambda: self.stack.check_accounting()["received"] > ACCOUNTS + 2 * RATE, 60)
        wait_until("the first verdicts", lambda: sum(self.stack.verdict_counts().values()) > 100, 60)

    def last(self, seconds):
        """The outage lasts, and the gateway serves at the full rate all the while."""
        since = time.monotonic()
        before = self.stack.check_accounting()["received"]
        wait_until("the outage to last", lambda: time.monotonic() - since >= seconds, seconds + 5, every=0.2)
        served = self.stack.check_accounting()["received"] - before
        self.assertGreater(served, RATE * seconds * 0.9, "the gateway must serve on")

    def caught_up(self):
        """Nothing waits anywhere, and verdicts are at most a second of traffic behind."""
        if not all(ready(self.stack, name) for name in ("ADMIN", "ARBITER", "ORCHESTRATOR")):
            return False
        status = self.stack.gateway_status()
        if status["event_log"]["queued"] > RATE or any(backlog > RATE for backlog in status["backlog"].values()):
            return False
        decided = sum(count for kind, count in self.stack.verdict_counts().items() if kind != "pending")
        return decided >= self.stack.check_accounting()["handed_over"] - RATE

    def finish(self, name, recovered_s, errors=(), kinds=KINDS_OF_EQUALS, kill=False):
        self.traffic.send_signal(signal.SIGTERM)
        self.traffic.wait(timeout=60)
        self.stack.programs.forget(self.traffic)
        with open(self.summary) as file:
            client = json.load(file)
        sums, counts = self.wait_all_decided(self.stack, 90)
        status = self.stack.gateway_status()
        self.rows.append(
            f"| {name} | {client['requests']:,}, {client['errors']}, {client['wrong_answers']}; {client['latency_ms']['all']['p99']:.1f} ms | {sum(counts.values()):,}: "
            + ", ".join(f"{count:,} {kind}" for kind, count in sorted(counts.items(), key=lambda item: -item[1]))
            + f" | {status['keys_tainted']} | {status['latches'][0]['reason'].split(' (')[0] if status['latches'] else '–'} | {recovered_s:.1f} s |\n")
        print("\n" + self.rows[-1])
        self.assertEqual(client["wrong_answers"], 0, client.get("wrong"))
        self.assertEqual(set(client["errors_by_reason"]) - set(errors), set(), client["errors_by_reason"])
        self.assertEqual(status["event_log"]["failed"] + status["event_log"]["refused"], 0, "no event may be lost")
        self.assertEqual(sum(counts.values()), sums["handed_over"] + sums["dropped"], "every exchange that was told is decided once")
        self.assertEqual(set(counts) - kinds, set(), self.stack.control.query("phoenix", "SELECT * FROM arbiter.verdicts WHERE verdict NOT LIKE '%match' LIMIT 5"))
        self.assertEqual(len(status["latches"]), 1 if kill else 0, status["latches"])
        return status

    def mismatches_are_of_tainted_keys(self):
        """A crash in the middle of a write leaves its keys tainted; what they show afterwards may differ, and nothing else may."""
        differing = {row[0] for row in self.stack.control.query("phoenix", "SELECT account FROM arbiter.verdicts WHERE verdict = 'mismatch'")}
        keys = self.stack.gateway_status()["keys"]["payments"]
        self.assertEqual(differing - {key for side in keys.values() for key in side["examples"]}, set())

    def recover(self):
        since = time.monotonic()
        wait_until("everything to catch up", self.caught_up, 90, every=0.1)
        return time.monotonic() - since

    # --- the rows -----------------------------------------------------------------------------------------------------

    def test_1_event_log_down(self):
        self.start()
        self.kafka.stop()
        wait_until("the arbiter to say so", lambda: not ready(self.stack, "ARBITER"), 20)
        self.last(OUTAGE_S)
        self.kafka.start()
        self.finish(f"event log (Kafka) down {OUTAGE_S} s", self.recover())

    def test_2_broker_crashes_and_comes_back(self):
        self.start()
        self.kafka.kill()
        self.kafka.start()
        self.finish("Kafka broker SIGKILLed and restarted", self.recover())

    def database_down(self, postgres, seconds):
        port = postgres.base.rsplit(":", 1)[1].rstrip("/")
        postgres.stop()
        try:
            self.last(seconds)
        finally:
            postgres.start(port)

    def test_3_control_database_down(self):
        """Verdicts, positions, policies and audit live in it."""
        self.start()
        self.database_down(self.control, OUTAGE_S)
        self.finish(f"control Postgres down {OUTAGE_S} s", self.recover())

    def test_4_moderns_database_down(self):
        """Modern answers 503 where legacy answers: that is a mismatch, and so many of them trip the kill switch. Its writes are
        uncertain: their keys are tainted."""
        self.start()
        self.database_down(self.modern, OUTAGE_S)
        status = self.finish(f"modern's Postgres down {OUTAGE_S} s", self.recover(), kinds=KINDS_OF_EQUALS | {"unknown", "mismatch"}, kill=True)
        self.assertGreater(status["keys_tainted"], 0)

    def test_5_legacys_database_down(self):
        """Legacy serves: its own 503s are the client's, with Phoenix as without it, and nothing else is."""
        self.start()
        self.database_down(self.postgres, OUTAGE_S)
        self.finish(f"legacy's Postgres down {OUTAGE_S} s, while it serves", self.recover(), errors=["status 503"], kinds=KINDS_OF_EQUALS | {"unknown", "mismatch"})

    def test_6_modern_down(self):
        self.start()
        self.stack.programs.kill(self.stack.banks_started["modern"])
        self.last(OUTAGE_S)
        self.stack.start_bank("modern", ACCOUNTS)
        self.finish(f"modern SIGKILLed, down {OUTAGE_S} s", self.recover(), kinds=KINDS_OF_EQUALS | {"unknown", "mismatch"})
        self.mismatches_are_of_tainted_keys()

    def test_9_modern_down_while_it_serves(self):
        """The one outage that clients see: until the kill switch has tripped by itself, modern's keys are answered 503."""
        self.start(weight=50)
        since = time.monotonic()
        self.stack.programs.kill(self.stack.banks_started["modern"])
        wait_until("the kill", lambda: self.stack.gateway_status()["latches"], 20)
        tripped_s = time.monotonic() - since
        self.last(OUTAGE_S)
        self.stack.start_bank("modern", ACCOUNTS)
        self.finish(f"modern SIGKILLed while it serves 50 %, down {OUTAGE_S} s; killed by itself after {tripped_s:.1f} s", self.recover(),
                    errors=["status 502", "status 503"], kinds=KINDS_OF_EQUALS | {"unknown", "mismatch"}, kill=True)
        self.mismatches_are_of_tainted_keys()

    def crash(self, program, name):
        self.start()
        self.stack.programs.kill(self.started[program])
        self.last(CRASH_S)
        self.stack.start_phoenix(program)
        self.finish(name, self.recover())

    def test_7_arbiter_killed(self):
        self.crash("phoenix-arbiter", f"arbiter SIGKILLed, back after {CRASH_S} s")

    def test_8_orchestrator_killed(self):
        self.crash("phoenix-orchestrator", f"orchestrator SIGKILLed, back after {CRASH_S} s")


def ready(stack, program):
    try:
        http("GET", stack.urls[program] + "/readyz")
        return True
    except OSError:
        return False


if __name__ == "__main__":
    unittest.main()
