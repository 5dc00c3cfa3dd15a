"""Verdicts from a real Debezium: Postgres, Kafka Connect, Apache Kafka and the real programs. Not part of ctest; a few minutes.

  python3 tests/debezium/run.py -v [Debezium.test_NAME…]

Skipped, with the reason, where Debezium cannot be obtained. Leaves the first records of each topic in build/debezium/NAME/records.
"""
import os
import re
import sys
import unittest
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from connect import KafkaConnect, fetch, postgres_connector  # noqa: E402
from support import ROOT, Kafka, StackTest, http, wait_until  # noqa: E402

ACCOUNTS = 20
TABLES = {"legacy": "public.accounts", "modern": "public.ledger_accounts"}
TRAFFIC = ("--concurrency", "16", "--mix", "read=40,deposit=25,withdrawal=10,transfer=25", "--final-check")
EQUAL = {"match", "match_late", "order_dependent"}


def json_converter(schemas):
    return {side + "__converter" + more: value for side in ("key", "value")
            for more, value in (("", "org.apache.kafka.connect.json.JsonConverter"), ("__schemas__enable", str(schemas).lower()))}


class Debezium(StackTest):
    @classmethod
    def setUpClass(cls):
        if (why := fetch()) is not None:
            raise unittest.SkipTest(why)
        super().setUpClass()
        cls.kafka = Kafka(os.path.join(ROOT, "build", "kafka-debezium"))
        cls.addClassCleanup(cls.kafka.stop)
        cls.kafka.start_empty()
        cls.connect = KafkaConnect(os.path.join(ROOT, "build", "debezium", "connect"), cls.kafka.brokers)
        cls.addClassCleanup(cls.connect.stop)
        cls.connect.start()

    def start(self, schemas, legacy_state="", modern_state="", wait=True, **more):
        """Banks, a connector for each, Phoenix. `more`: properties of both connectors."""
        stack = self.make_stack(kafka=self.kafka, state_source="debezium")
        self.prefix = stack.programs.environment["PHOENIX_DEMO_TOPIC_PREFIX"]
        stack.config = self.configuration(stack, {"legacy": legacy_state, "modern": modern_state})
        stack.start_banks(ACCOUNTS)
        for side, table in TABLES.items():
            slot = f"phoenix_{side}"
            name = f"{side}-{self.prefix.rstrip('.')}"
            self.addCleanup(stack.drop_slots)
            self.addCleanup(self.connect.delete, name)
            self.connect.put(name, postgres_connector(f"{self.postgres.base}{side}_bank", self.prefix + side, slot, table, **json_converter(schemas), **more))
        self.started = stack.start_phoenix()
        return stack

    def configuration(self, stack, extra):
        """deploy/demo.yml with the topics of both connectors."""
        with open(os.path.join(ROOT, "deploy", "demo.yml")) as file:
            text = file.read()
        for side, table in TABLES.items():
            own = f"slot: phoenix_{side}, topics: [{side}.{table}, {side}.message]" + (", " + extra[side] if extra[side] else "")
            text, count = re.subn(rf"(  {side}_state: {{.*)}}\n", rf"\1, {own}}}\n", text)
            self.assertEqual(count, 1)
        path = os.path.join(stack.directory, "phoenix.yml")
        with open(path, "w") as file:
            file.write(text)
        return path

    def verdicts(self, stack, condition="true"):
        return stack.control.query("phoenix", f"SELECT verdict, exchange_id, account, detail FROM arbiter.verdicts WHERE {condition} ORDER BY event_time")

    def run_traffic(self, stack, requests, seed):
        client = stack.run_traffic(ACCOUNTS, *TRAFFIC, "--requests", str(requests), "--seed", str(seed))
        self.assertEqual((client["errors"], client["wrong_answers"]), (0, 0), client.get("wrong"))
        return client

    def drift(self, stack):
        return {row[0]: int(row[1]) for row in stack.control.query("phoenix", "SELECT account, gap_minor FROM arbiter.drift")}

    def true_gaps(self):
        legacy = dict(self.postgres.query("legacy_bank", "SELECT id, (balance * 100)::bigint FROM accounts"))
        modern = dict(self.postgres.query("modern_bank", "SELECT id, balance_minor FROM ledger_accounts"))
        gaps = {account: int(modern[account]) - int(legacy[account]) for account in legacy}
        return {account: gap for account, gap in gaps.items() if gap}

    def assert_all_equal(self, stack, counts):
        self.assertEqual(set(counts) - EQUAL, set(), (counts, self.verdicts(stack, "verdict NOT IN ('match', 'match_late', 'order_dependent')")[:5]))
        self.assertEqual(self.drift(stack), {})

    def test_with_schemas_and_precise_decimals_and_kafka_connect_killed_on_the_way(self):
        """Debezium's defaults."""
        stack = self.start(schemas=True)
        self.run_traffic(stack, 800, 21)
        self.connect.kill()
        stack.programs.kill(self.started["phoenix-arbiter"])
        self.run_traffic(stack, 400, 22)  # while nobody captures
        self.connect.start()
        stack.start_phoenix("phoenix-arbiter")
        self.run_traffic(stack, 400, 23)
        sums, counts = self.wait_all_decided(stack, 120)
        print(f"\n  gateway: {sums}; verdicts: {counts}")
        self.assert_all_equal(stack, counts)
        self.find_what_is_wrong(stack)

    def test_without_schemas_and_decimals_as_text(self):
        stack = self.start(schemas=False, decimal__handling__mode="string", heartbeat__interval__ms="500", provide__transaction__metadata="true")
        self.run_traffic(stack, 400, 31)
        self.assert_all_equal(stack, self.wait_all_decided(stack)[1])
        self.find_what_is_wrong(stack)

    def test_without_schemas_and_precise_decimals(self):
        stack = self.start(schemas=False, legacy_state="decimals: base64, scale: 2")
        self.run_traffic(stack, 400, 41)
        self.assert_all_equal(stack, self.wait_all_decided(stack)[1])

    def test_flattened(self):
        stack = self.start(schemas=False, decimal__handling__mode="string", transforms="flat", transforms__flat__type="io.debezium.transforms.ExtractNewRecordState",
                           transforms__flat__add__fields="op,lsn,txId,sequence,source.ts_ms")
        self.run_traffic(stack, 400, 51)
        self.assert_all_equal(stack, self.wait_all_decided(stack)[1])
        self.find_what_is_wrong(stack)

    def test_binary_floating_point_is_refused_with_advice(self):
        stack = self.start(schemas=True, decimal__handling__mode="double")
        self.run_traffic(stack, 100, 61)
        _, counts = self.wait_all_decided(stack)
        print(counts)

    def find_what_is_wrong(self, stack):
        """Faults of modern, each named; then a change from elsewhere, which is none."""
        self.wait_for_streams(stack)
        http("PUT", stack.urls["MODERN"] + "/_sim/faults", {"wrong_fee_every": 200, "wrong_fee_amount": 0.01, "duplicate_every": 175, "drop_every": 150})
        self.run_traffic(stack, 1500, 24)
        http("PUT", stack.urls["MODERN"] + "/_sim/faults", {"wrong_fee_every": 0, "duplicate_every": 0, "drop_every": 0})
        sums, counts = self.wait_all_decided(stack)
        injected = {kind: set(http("GET", f"{stack.urls['MODERN']}/_sim/{path}")["exchange_ids"])
                    for kind, path in (("mismatch", "wrong-fees"), ("duplicate", "duplicates"), ("missing_modern", "drops"))}
        found = {kind: {row[1] for row in self.verdicts(stack, f"verdict = '{kind}' AND exchange_id <> ''")} for kind in ("mismatch", "missing_modern")}
        print(f"\n  injected: { {kind: len(ids) for kind, ids in injected.items()} }; verdicts: {counts}; gateway: {sums}")
        if os.environ.get("DBG"):
            for r in stack.control.query("phoenix", "SELECT * FROM arbiter.verdicts WHERE verdict='match_late' ORDER BY event_time LIMIT 4"): print(r)
            for r in stack.control.query("phoenix", "SELECT column_name FROM information_schema.columns WHERE table_schema='arbiter' and table_name='verdicts'"): print(r)
        self.assertTrue(all(injected.values()), injected)
        self.assertEqual(found["missing_modern"], injected["missing_modern"], self.verdicts(stack, "verdict = 'unknown'")[:8])
        self.assertEqual(found["mismatch"], (injected["mismatch"] | injected["duplicate"]) - injected["missing_modern"], self.verdicts(stack, "verdict = 'mismatch'")[:12])
        self.assertEqual(set(counts) - EQUAL, {"mismatch", "missing_modern"}, counts)
        self.assertEqual(self.drift(stack), self.true_gaps())
        self.postgres.query("legacy_bank", "UPDATE accounts SET balance = balance + 5 WHERE id = 3")
        wait_until("the change to be known", lambda: self.drift(stack) == self.true_gaps(), 20)

    def wait_for_streams(self, stack):
        """Until what is not posted counts as missing: `settle` after the streams began, in event time."""
        def event_time():
            with urllib.request.urlopen(stack.urls["ARBITER"] + "/metrics", timeout=5) as answer:
                found = re.search(r"^phoenix_arbiter_event_time_seconds (\S+)$", answer.read().decode(), re.M)
            return float(found[1]) if found else None
        first = wait_until("event time to be known", event_time, 20)
        wait_until("the streams to be old enough", lambda: event_time() > first + 6, 30)


if __name__ == "__main__":
    unittest.main()
