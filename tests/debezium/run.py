"""Verdicts from a real Debezium: Postgres, Kafka Connect, Apache Kafka and the real programs. Not part of ctest; four
minutes on a quiet machine.

  python3 tests/debezium/run.py -v [Debezium.test_NAME…]

Skipped, with the reason, where Debezium cannot be obtained. What each topic held is left in build/debezium/records/TEST;
the golden files tests/unit/arbiter/change_records/debezium-real-* are from there.
"""
import concurrent.futures
import glob
import os
import re
import subprocess
import sys
import unittest
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from connect import KafkaConnect, fetch, postgres_connector  # noqa: E402
from support import ROOT, Kafka, StackTest, http, wait_until  # noqa: E402

ACCOUNTS = 20
TABLES = {"legacy": "public.accounts", "modern": "public.ledger_accounts"}
BALANCE = {"legacy": "balance", "modern": "balance_minor"}
MIX = ("--mix", "read=40,deposit=25,withdrawal=10,transfer=25", "--final-check")
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
        cls.addClassCleanup(cls.postgres.stop)
        cls.kafka = Kafka(os.path.join(ROOT, "build", "kafka-debezium"))
        cls.addClassCleanup(cls.kafka.stop)
        cls.kafka.start_empty()
        cls.connect = KafkaConnect(os.path.join(ROOT, "build", "debezium", "connect"), cls.kafka.brokers)
        cls.addClassCleanup(cls.connect.stop)
        cls.connect.start()

    def start(self, schemas, legacy_state="", **more):
        """Banks, a connector for each, Phoenix. `more`: properties of both connectors."""
        stack = self.make_stack(kafka=self.kafka, state_source="debezium")
        self.prefix = stack.programs.environment["PHOENIX_DEMO_TOPIC_PREFIX"]
        stack.config = self.configuration(stack, {"legacy": legacy_state, "modern": ""})
        stack.start_banks(ACCOUNTS)
        self.addCleanup(self.keep_records)
        self.addCleanup(stack.drop_slots)
        for side, table in TABLES.items():
            name = f"{side}-{self.prefix.rstrip('.')}"
            self.addCleanup(self.connect.delete, name)
            self.connect.put(name, postgres_connector(f"{self.postgres.base}{side}_bank", self.prefix + side, f"phoenix_{side}", table, **json_converter(schemas), **more))
        self.started = stack.start_phoenix()
        self.addCleanup(stack.programs.stop)  # before the connectors, which it would miss
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

    def keep_records(self):
        """One file for each partition of both connectors, a record in a line: key and payload, where it has them."""
        folder = os.path.join(ROOT, "build", "debezium", "records", self.id().split(".")[-1])
        os.makedirs(folder, exist_ok=True)
        data = os.path.join(self.kafka.directory, "data", self.prefix)
        segments = [path for side in TABLES for path in glob.glob(f"{glob.escape(data)}{side}.*-*/*.log")]
        dump = subprocess.run(["java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", os.path.join(ROOT, "build", "kafka-libs", "*"), "kafka.tools.DumpLogSegments",
                               "--print-data-log", "--files", ",".join(segments)], capture_output=True, text=True, check=True).stdout
        for part in dump.split("Dumping ")[1:]:
            name = os.path.basename(os.path.dirname(part.split("\n", 1)[0]))
            lines = re.findall(r"^\| offset: .* headerKeys: \[.*?\] (.*)$", part, re.M)
            with open(os.path.join(folder, name.removeprefix(self.prefix) + ".txt"), "w") as file:
                file.writelines(line + "\n" for line in lines)

    # --- what is asked of the arbiter ---------------------------------------------------------------------------------

    def metric(self, stack, name):
        with urllib.request.urlopen(stack.urls["ARBITER"] + "/metrics", timeout=5) as answer:
            found = re.search(rf"^{name} (\S+)$", answer.read().decode(), re.M)
        return float(found[1]) if found else None

    def run_traffic(self, stack, requests, seed, *more):
        client = stack.run_traffic(ACCOUNTS, *MIX, "--concurrency", "16", "--requests", str(requests), "--seed", str(seed), *more)
        self.assertEqual((client["errors"], client["wrong_answers"]), (0, 0), client.get("wrong"))
        return client

    def assert_all_equal(self, stack, seconds=60):
        sums, counts = self.wait_all_decided(stack, seconds)
        print(f"\n  gateway: {sums}; verdicts: {counts}")
        self.assertEqual(set(counts) - EQUAL, set(), (counts, self.verdicts(stack, "verdict NOT IN ('match', 'match_late', 'order_dependent')")[:5]))
        self.assertEqual(self.drift(stack), {})
        self.assertEqual(stack.control.query("phoenix", "SELECT topic, reason FROM arbiter.rejected LIMIT 3"), [])

    def wait_for_streams(self, stack):
        """Until what is not posted counts as missing: `settle` after the streams began, in event time."""
        event_time = "phoenix_arbiter_event_time_seconds"
        first = wait_until("event time to be known", lambda: self.metric(stack, event_time), 20)
        wait_until("the streams to be old enough", lambda: self.metric(stack, event_time) > first + 6, 30)

    def kill_on_the_way(self, stack):
        """Kafka Connect and the arbiter by SIGKILL under traffic: nothing is lost, nothing found that is not there."""
        self.run_traffic(stack, 300, 20)
        received = stack.check_accounting()["received"]
        with concurrent.futures.ThreadPoolExecutor() as background:
            traffic = background.submit(self.run_traffic, stack, 1500, 21, "--rate", "150")
            wait_until("traffic", lambda: stack.check_accounting()["received"] > received + 300)
            self.connect.kill()
            stack.programs.kill(self.started["phoenix-arbiter"])
            wait_until("traffic that nobody captures", lambda: stack.check_accounting()["received"] > received + 600)
            self.connect.start()
            stack.start_phoenix("phoenix-arbiter")
            traffic.result()
        self.assert_all_equal(stack, 120)

    def find_what_is_wrong(self, stack):
        """Faults of modern, each named; then changes from elsewhere, which are none."""
        self.wait_for_streams(stack)
        http("PUT", stack.urls["MODERN"] + "/_sim/faults", {"wrong_fee_every": 200, "wrong_fee_amount": 0.01, "duplicate_every": 175, "drop_every": 150})
        self.run_traffic(stack, 1500, 24)
        http("PUT", stack.urls["MODERN"] + "/_sim/faults", {"wrong_fee_every": 0, "duplicate_every": 0, "drop_every": 0})
        sums, counts = self.wait_all_decided(stack)
        injected = {kind: set(http("GET", f"{stack.urls['MODERN']}/_sim/{path}")["exchange_ids"])
                    for kind, path in (("mismatch", "wrong-fees"), ("duplicate", "duplicates"), ("missing_modern", "drops"))}
        found = {kind: {row[1] for row in self.verdicts(stack, f"verdict = '{kind}' AND exchange_id <> ''")} for kind in ("mismatch", "missing_modern")}
        print(f"\n  injected: { {kind: len(ids) for kind, ids in injected.items()} }; verdicts: {counts}; gateway: {sums}")
        self.assertTrue(all(injected.values()), injected)
        # What is missing shows that the markers come through: nothing else can tell.
        self.assertEqual(found["missing_modern"], injected["missing_modern"], self.verdicts(stack, "verdict = 'unknown'")[:8])
        # The simulator books it twice in one transaction: a wrong amount.
        self.assertEqual(found["mismatch"], (injected["mismatch"] | injected["duplicate"]) - injected["missing_modern"], self.verdicts(stack, "verdict = 'mismatch'")[:12])
        self.assertEqual(set(counts) - EQUAL, {"mismatch", "missing_modern"}, counts)
        self.assertEqual(self.drift(stack), self.true_gaps())
        self.postgres.query("legacy_bank", "UPDATE accounts SET balance = balance + 5 WHERE id = 3")
        wait_until("the change to be known", lambda: self.drift(stack) == self.true_gaps(), 20)

    def change_by_hand(self):
        """What the banks do not do, for its records: accounts that come and go, a table that is emptied."""
        for side, table in TABLES.items():
            insert = f"INSERT INTO {table} (id, tier, currency, {BALANCE[side]}, txn_count, txn_hash, opened_at) VALUES ({{}}, 'vip', 'EUR', 129, 0, 0, now())"
            for sql in (insert.format(9998), f"DELETE FROM {table} WHERE id = 9998", f"TRUNCATE {table}", insert.format(9999)):
                self.postgres.query(f"{side}_bank", sql)
            wait_until("the last row to be sent", lambda: any(b'"id":9999' in segment for segment in self.segments(f"{side}.{table}-*")), 20)

    def segments(self, topic):
        for path in glob.glob(os.path.join(glob.escape(os.path.join(self.kafka.directory, "data", self.prefix)) + topic, "*.log")):
            with open(path, "rb") as file:
                yield file.read()

    # --- tests --------------------------------------------------------------------------------------------------------

    def test_with_schemas_and_precise_decimals(self):
        """Debezium's defaults."""
        stack = self.start(schemas=True)
        self.kill_on_the_way(stack)
        self.find_what_is_wrong(stack)
        self.change_by_hand()

    def test_without_schemas_and_decimals_as_text(self):
        """With all that Debezium can add: heartbeats, transaction metadata, several partitions."""
        stack = self.start(schemas=False, decimal__handling__mode="string", heartbeat__interval__ms="500", provide__transaction__metadata="true",
                           topic__creation__default__partitions="3")
        self.kill_on_the_way(stack)
        self.find_what_is_wrong(stack)
        self.change_by_hand()

    def test_without_schemas_and_precise_decimals(self):
        stack = self.start(schemas=False, legacy_state="decimals: base64, scale: 2")
        self.run_traffic(stack, 400, 41)
        self.assert_all_equal(stack)
        self.change_by_hand()

    def test_flattened(self):
        stack = self.start(schemas=False, decimal__handling__mode="string", transforms="flat", transforms__flat__type="io.debezium.transforms.ExtractNewRecordState",
                           transforms__flat__add__fields="op,lsn,txId,sequence,source.ts_ms", transforms__flat__delete__tombstone__handling__mode="rewrite")
        self.run_traffic(stack, 400, 51)
        self.assert_all_equal(stack)
        self.find_what_is_wrong(stack)
        self.change_by_hand()

    def test_binary_floating_point_is_refused_with_advice(self):
        stack = self.start(schemas=True, decimal__handling__mode="double")
        self.run_traffic(stack, 100, 61)
        _, counts = self.wait_all_decided(stack)
        self.assertLessEqual(set(counts), {"match", "unknown"}, counts)
        self.assertGreater(counts["unknown"], 0)
        reasons = stack.control.query("phoenix", "SELECT DISTINCT topic, regexp_replace(reason, '[0-9.]+', 'N') FROM arbiter.rejected")
        self.assertTrue(reasons and all("set Debezium's decimal.handling.mode to string or precise" in reason for _, reason in reasons), reasons)
        self.assertEqual({topic for topic, _ in reasons}, {"legacy.public.accounts"})


if __name__ == "__main__":
    unittest.main()
