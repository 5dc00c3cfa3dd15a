"""Outages of what Phoenix leans on: the client sees nothing, and the others recover by themselves."""
import os
import time
import unittest

from support import MIX, ROOT, Postgres, StackTest, http, wait_until

OUTAGE_S = 30


class Outages(StackTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.control = Postgres(os.path.join(ROOT, "build", "postgres-e2e-control"))
        cls.control.start()

    @classmethod
    def tearDownClass(cls):
        cls.control.stop()
        super().tearDownClass()

    def test_the_control_database_down_for_30_s(self):
        """Verdicts, positions, policies and audit live in it; the banks have another cluster and go on."""
        stack = self.make_stack(control=self.control)
        stack.start_banks(200)
        stack.start_phoenix()
        traffic = stack.programs.start("phoenix-traffic", *stack.traffic_arguments(
            200, "--rate", "150", "--duration", f"{OUTAGE_S + 15}s", "--seed", "14", "--mix", MIX, "--json", os.path.join(stack.directory, "traffic.json")))
        wait_until("the first verdicts", lambda: sum(stack.verdict_counts().values()) > 100, 30)
        port = self.control.base.rsplit(":", 1)[1].rstrip("/")
        self.control.stop()
        down_since = time.monotonic()
        before = stack.check_accounting()["received"]
        wait_until("the gateway to serve on", lambda: stack.check_accounting()["received"] > before + 150 * (OUTAGE_S - 5), OUTAGE_S + 15, every=0.5)
        wait_until("the outage to last", lambda: time.monotonic() - down_since >= OUTAGE_S, OUTAGE_S)
        self.control.start(port)
        self.assertEqual(traffic.wait(timeout=90), 0, "the client must see no error and no wrong answer")
        sums, counts = self.wait_all_decided(stack, 90)
        print(f"\n  gateway: {sums}; verdicts: {counts}")
        self.assertEqual(sum(counts.values()), sums["handed_over"])
        self.assertEqual(set(counts) - {"match", "match_late", "order_dependent"}, set())
        wait_until("the orchestrator to be ready again", lambda: ready(stack), 30)


def ready(stack):
    try:
        http("GET", stack.urls["ORCHESTRATOR"] + "/readyz")
        return True
    except OSError:
        return False


if __name__ == "__main__":
    unittest.main()
