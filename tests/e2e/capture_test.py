"""Both ledgers are followed by their change streams: nothing is found that is not there, everything that is there is
found, and programs that die on the way lose nothing."""
import re
import unittest
import urllib.request

from support import StackTest, http, wait_until

ACCOUNTS = 20
TRAFFIC = ("--concurrency", "32", "--mix", "read=40,deposit=25,withdrawal=10,transfer=25", "--final-check")


class Capture(StackTest):
    def start(self, modern_options=("--bug-compatible",)):
        stack = self.make_stack(state_source="capture")
        stack.start_banks(ACCOUNTS, modern_options)
        return stack, stack.start_phoenix()

    def run_traffic(self, stack, requests, seed):
        return self.run_traffic_of(stack, ACCOUNTS, requests, seed)

    def run_traffic_of(self, stack, accounts, requests, seed):
        client = stack.run_traffic(accounts, *TRAFFIC, "--requests", str(requests), "--seed", str(seed))
        self.assertEqual((client["errors"], client["wrong_answers"]), (0, 0), client.get("wrong"))
        return client

    def wait_for_streams(self, stack):
        """Until what is not posted counts as missing: `settle` after the streams began, in event time."""
        def event_time():
            with urllib.request.urlopen(stack.urls["ARBITER"] + "/metrics", timeout=5) as answer:
                found = re.search(r"^phoenix_arbiter_event_time_seconds (\S+)$", answer.read().decode(), re.M)
            return float(found[1]) if found else None
        self.run_traffic(stack, 200, 20)
        first = wait_until("event time to be known", event_time, 20)
        wait_until("the streams to be old enough", lambda: event_time() > first + 6, 30)

    def test_identical_backends_with_programs_killed_on_the_way(self):
        stack, programs = self.start()
        self.run_traffic(stack, 1000, 21)
        for name in ("phoenix-capture", "phoenix-arbiter"):
            stack.programs.kill(programs[name])
        self.run_traffic(stack, 600, 22)  # while nobody captures
        stack.start_phoenix("phoenix-capture", "phoenix-arbiter")
        self.run_traffic(stack, 600, 23)
        sums, counts = self.wait_all_decided(stack)
        print(f"\n  gateway: {sums}; verdicts: {counts}")
        self.assertEqual(set(counts) - {"match", "match_late", "order_dependent"}, set(), self.verdicts(stack)[:5])
        self.assertEqual(self.drift(stack), {})

    def test_wrong_missing_and_duplicate_postings_are_named(self):
        stack, _ = self.start()
        self.wait_for_streams(stack)
        http("PUT", stack.urls["MODERN"] + "/_sim/faults", {"wrong_fee_every": 400, "wrong_fee_amount": 0.01, "duplicate_every": 350, "drop_every": 300})
        self.run_traffic(stack, 3000, 24)
        http("PUT", stack.urls["MODERN"] + "/_sim/faults", {"wrong_fee_every": 0, "duplicate_every": 0, "drop_every": 0})
        sums, counts = self.wait_all_decided(stack)
        injected = {kind: set(http("GET", f"{stack.urls['MODERN']}/_sim/{path}")["exchange_ids"])
                    for kind, path in (("mismatch", "wrong-fees"), ("duplicate", "duplicates"), ("missing_modern", "drops"))}
        found = {kind: {row[1] for row in self.verdicts(stack, f"verdict = '{kind}' AND exchange_id <> ''")} for kind in ("mismatch", "missing_modern")}
        twice = {row[1] for row in self.verdicts(stack, "cause = 'duplicate_posting'")}
        print(f"\n  injected: { {kind: len(ids) for kind, ids in injected.items()} }; verdicts: {counts}; gateway: {sums}")
        self.assertTrue(all(len(ids) >= 2 for ids in injected.values()), injected)
        self.assertEqual(found["missing_modern"], injected["missing_modern"], self.verdicts(stack, "verdict = 'unknown'")[:8])
        # The simulator books it twice in one transaction: a wrong amount, whose cause is told.
        self.assertEqual(found["mismatch"], (injected["mismatch"] | injected["duplicate"]) - injected["missing_modern"], self.verdicts(stack, "verdict = 'mismatch'")[:12])
        # One that was charged too much as well has either cause.
        self.assertEqual(twice - injected["mismatch"], injected["duplicate"] - injected["mismatch"], self.verdicts(stack, "verdict = 'mismatch'")[:12])
        self.assertEqual(self.drift(stack), self.true_gaps())

    def test_a_change_from_elsewhere_is_no_mismatch(self):
        stack, _ = self.start()
        self.run_traffic(stack, 300, 25)
        self.wait_all_decided(stack)
        self.postgres.query("legacy_bank", "UPDATE accounts SET balance = balance + 5 WHERE id = 3")
        wait_until("the change to be known", lambda: self.drift(stack) == {"3": -500}, 20)
        self.run_traffic(stack, 600, 26)
        _, counts = self.wait_all_decided(stack)
        self.assertEqual(set(counts) - {"match", "match_late", "order_dependent"}, set(), self.verdicts(stack)[:5])
        self.assertEqual(self.drift(stack), self.true_gaps())

    def sweep(self, stack):
        """States of the accounts that a complete sweep has something to say about."""
        asked = http("POST", stack.urls["ARBITER"] + "/sweep", {"by": "test"})["sweep"]
        state = lambda: stack.control.query("phoenix", f"SELECT state, problem FROM arbiter.sweeps WHERE id = {asked}")[0]
        wait_until("the sweep to be over", lambda: state()[0] in ("finished", "failed"), 60, every=0.2)
        self.assertEqual(state()[0], "finished", state())
        return {row[0]: row[1] for row in stack.control.query("phoenix", f"SELECT account, state FROM arbiter.sweep_accounts WHERE sweep = {asked} AND state <> 'equal'")}

    def test_a_sweep_beside_the_streams(self):
        stack = self.make_stack(state_source="capture")
        stack.start_banks(ACCOUNTS)
        self.postgres.query("modern_bank", "UPDATE ledger_accounts SET balance_minor = balance_minor + 1 WHERE id = 20")  # before anybody looks
        programs = stack.start_phoenix()
        self.run_traffic_of(stack, 19, 300, 27)
        self.postgres.query("legacy_bank", "UPDATE accounts SET balance = balance + 5 WHERE id = 3")
        self.wait_all_decided(stack)
        self.assertEqual(self.sweep(stack), {"20": "unseen", "3": "explained"})
        self.assertEqual([(row[0], row[2]) for row in self.verdicts(stack)], [("mismatch", "20")])
        self.assertEqual(self.drift(stack), self.true_gaps())
        # The slot is lost while nobody captures, and a change with it.
        stack.programs.kill(programs["phoenix-capture"])
        wait_until("the slot to be free", lambda: self.postgres.query("postgres", "SELECT active FROM pg_replication_slots WHERE slot_name = 'phoenix_legacy'") == [["f"]], 30)
        self.postgres.query("postgres", "SELECT pg_drop_replication_slot('phoenix_legacy')")
        self.postgres.query("legacy_bank", "UPDATE accounts SET balance = balance - 5 WHERE id = 3")
        stack.start_phoenix("phoenix-capture")
        wait_until("the gap to be known", lambda: "rebased" in self.sweep(stack).values(), 60)
        self.run_traffic_of(stack, 19, 300, 28)
        _, counts = self.wait_all_decided(stack)
        self.assertEqual(self.drift(stack), self.true_gaps())
        self.assertEqual(self.true_gaps(), {"20": 1})


if __name__ == "__main__":
    unittest.main()
