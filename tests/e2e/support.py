"""What the end-to-end tests share: a private Postgres for a module, and a stack per test."""
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "deploy"))
from stack import BIN, ROOT, Kafka, Postgres, Stack, StoryBroken, free_port, http, wait_until  # noqa: E402,F401

MIX = "read=35,statement=15,deposit=20,withdrawal=10,transfer=20"


class StackTest(unittest.TestCase):
    """`self.stack` is fresh for every test; what it started is stopped afterwards, whatever happened."""

    postgres = None

    @classmethod
    def setUpClass(cls):
        cls.postgres = Postgres(os.path.join(ROOT, "build", "postgres-e2e"))
        cls.postgres.start()

    @classmethod
    def tearDownClass(cls):
        cls.postgres.stop()

    def make_stack(self, control=None, modern=None, kafka=None, config=None, pair="vip-fee", state_source="query"):
        """On Kafka each stack has topics of its own. state_source: see Stack."""
        (control or self.postgres).drop("phoenix")
        name = self.id().split(".")[-1]
        stack = Stack(os.path.join(ROOT, "build", "e2e", name), self.postgres, control_postgres=control, modern_postgres=modern, kafka=kafka,
                      topic_prefix=f"{name}-{time.monotonic_ns()}." if kafka else "", config=config, pair=pair, state_source=state_source)
        if state_source == "capture":
            self.addCleanup(stack.drop_slots)  # after the programs have stopped
        self.addCleanup(stack.programs.stop)
        return stack

    def verdicts(self, stack, condition="true"):
        return stack.control.query("phoenix", f"SELECT verdict, exchange_id, account, detail FROM arbiter.verdicts WHERE {condition} ORDER BY event_time")

    def drift(self, stack):
        """What the arbiter says: modern - legacy in minor units, by account that differs."""
        return {row[0]: int(row[1]) for row in stack.control.query("phoenix", "SELECT account, gap_minor FROM arbiter.drift")}

    def true_gaps(self):
        """The same, as the ledgers of the vip-fee pair have it."""
        legacy = dict(self.postgres.query("legacy_bank", "SELECT id, (balance * 100)::bigint FROM accounts"))
        modern = dict(self.postgres.query("modern_bank", "SELECT id, balance_minor FROM ledger_accounts"))
        gaps = {account: int(modern[account]) - int(legacy[account]) for account in legacy}
        return {account: gap for account, gap in gaps.items() if gap}

    def wait_all_decided(self, stack, seconds=60):
        """Until every exchange that the gateway handed over or told as dropped has a verdict; returns the gateway's sums and the counts."""
        def settled():
            stack.programs.check()
            sums = stack.check_accounting()
            counts = stack.verdict_counts() if sums["in_flight"] == 0 else {}
            decided = sum(count for verdict, count in counts.items() if verdict != "pending")
            return (sums, counts) if sums["in_flight"] == 0 and decided >= sums["handed_over"] + sums["dropped"] else None
        return wait_until("every exchange to be decided", settled, seconds, every=0.2)
