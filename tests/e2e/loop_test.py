"""Many users on few accounts: nothing is found that is not there, and everything that is there is found."""
import os
import re
import unittest

from support import MIX, ROOT, StackTest, http, wait_until

ACCOUNTS = 20


class HotAccounts(StackTest):
    def key_ordered_config(self):
        """The demo's configuration without strict ordering: overlapping writes reach the shadow in order of completion."""
        directory = os.path.join(ROOT, "build", "e2e")
        os.makedirs(directory, exist_ok=True)
        path = os.path.join(directory, "key-ordered.yml")
        with open(os.path.join(ROOT, "deploy", "demo.yml")) as source, open(path, "w") as target:
            target.write(re.sub(r"ordering: strict", "ordering: key", source.read()))
        return path

    def run_clean(self, config=None, mix=MIX):
        stack = self.make_stack(config=config)
        stack.start_banks(ACCOUNTS)
        stack.start_phoenix()
        client = stack.run_traffic(ACCOUNTS, "--concurrency", "32", "--requests", "2000", "--seed", "11", "--mix", mix, "--final-check")
        sums, counts = self.wait_all_decided(stack)
        print(f"\n  client: {client['requests']} requests, {client['errors']} errors, {client['wrong_answers']} wrong; gateway: {sums}; verdicts: {counts}")
        self.assertEqual((client["errors"], client["wrong_answers"]), (0, 0), client.get("wrong"))
        self.assertEqual(sums["received"], sums["handed_over"] + sums["excluded"])
        self.assertEqual(sum(counts.values()), sums["handed_over"])
        self.assertEqual(set(counts) - {"match", "match_late", "order_dependent"}, set(), stack.control.query("phoenix", "SELECT detail FROM arbiter.verdicts LIMIT 5"))

    def test_2000_exchanges_on_20_accounts_with_identical_backends(self):
        self.run_clean()

    def test_the_same_with_writes_that_overlap(self):
        # No statements: they list overlapping postings in the order in which each side applied them.
        self.run_clean(self.key_ordered_config(), "read=50,deposit=20,withdrawal=10,transfer=20")

    def wrong_fees(self, config=None):
        stack = self.make_stack(config=config)
        stack.start_banks(ACCOUNTS)
        http("PUT", stack.urls["MODERN"] + "/_sim/faults", {"wrong_fee_every": 500, "wrong_fee_amount": 0.01})
        stack.start_phoenix()
        # No statements: they repeat the wrong posting of another exchange, and rightly differ as well.
        client = stack.run_traffic(ACCOUNTS, "--concurrency", "32", "--requests", "4000", "--seed", "12", "--mix", "read=40,deposit=30,withdrawal=10,transfer=20", "--final-check")
        sums, counts = self.wait_all_decided(stack)
        injected = set(http("GET", stack.urls["MODERN"] + "/_sim/wrong-fees")["exchange_ids"])
        found = {row[0] for row in stack.control.query("phoenix", "SELECT exchange_id FROM arbiter.verdicts WHERE verdict = 'mismatch' AND exchange_id <> ''")}
        print(f"\n  {len(injected)} wrong fees injected, {len(found)} mismatches found; verdicts: {counts}; gateway: {sums}")
        self.assertEqual((client["errors"], client["wrong_answers"]), (0, 0), client.get("wrong"))
        self.assertGreaterEqual(len(injected), 3)
        self.assertEqual(found, injected, stack.control.query("phoenix", "SELECT exchange_id, detail FROM arbiter.verdicts WHERE verdict = 'mismatch'"))
        self.assertEqual(counts["mismatch"], len(injected))
        # A balance that differs trips the kill switch, by itself, also in stage shadow.
        wait_until("the kill to be latched", lambda: stack.gateway_status()["latches"], 20)

    def test_one_wrong_fee_in_500_is_found_and_nothing_else(self):
        self.wrong_fees()

    def test_one_wrong_fee_in_500_among_writes_that_overlap(self):
        self.wrong_fees(self.key_ordered_config())


class Crashes(StackTest):
    def test_arbiter_and_orchestrator_killed_lose_and_double_nothing(self):
        stack = self.make_stack()
        stack.start_banks(200)
        started = stack.start_phoenix()
        traffic = stack.programs.start("phoenix-traffic", *stack.traffic_arguments(
            200, "--rate", "300", "--duration", "14s", "--seed", "13", "--mix", MIX, "--json", os.path.join(stack.directory, "traffic.json")))

        def handed_over(count):
            return lambda: stack.check_accounting()["handed_over"] >= count
        for count in (500, 1500):
            wait_until(f"{count} exchanges", handed_over(count), 60)
            stack.programs.kill(started["phoenix-arbiter"])
            stack.programs.kill(started["phoenix-orchestrator"])
            wait_until(f"{count + 300} exchanges", handed_over(count + 300), 60)
            started = stack.start_phoenix("phoenix-orchestrator", "phoenix-arbiter")
        self.assertEqual(traffic.wait(timeout=60), 0, "the client must see no error and no wrong answer")
        sums, counts = self.wait_all_decided(stack)
        print(f"\n  gateway: {sums}; verdicts: {counts}")
        self.assertEqual(sum(counts.values()), sums["handed_over"])
        self.assertEqual(counts.get("mismatch", 0), 0)
        self.assertEqual(counts.get("unknown", 0), 0)
        self.assertIn("intact", stack.ctl("history", "--verify"))


if __name__ == "__main__":
    unittest.main()
