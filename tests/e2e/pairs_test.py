"""The float-rounding pair: binary floating point against its exact rewrite, interest included; and postings made twice."""
import json
import unittest

from support import StackTest, http, wait_until

ACCOUNTS = 20
AGREEMENT = {"match", "match_late", "order_dependent"}
# No statements where something differs: they repeat the postings of other exchanges, and rightly differ as well.
MIX = "read=15,deposit=10,withdrawal=5,transfer=45,interest=25"
# What a posting cost or earned its holder, by exchange: legacy's decimals, modern's minor units.
LEGACY_TERMS = "SELECT exchange_id, (fee * 100)::bigint, (amount * 100)::bigint FROM postings WHERE kind <> 'transfer_in'"
MODERN_TERMS = ("SELECT t.exchange_id, e.fee_minor, abs(e.net_minor + e.fee_minor) FROM ledger_transactions t JOIN customer_entries e ON e.transaction_id = t.id"
                " WHERE t.kind <> 'transfer' OR e.net_minor < 0")


class FloatRounding(StackTest):
    def run_pair(self, requests, seed, mix=MIX, modern_options=("--bug-compatible",), faults=None):
        """Starts everything, sends the traffic and waits for all verdicts; returns stack, gateway sums and verdict counts."""
        stack = self.make_stack(pair="float-rounding")
        stack.start_banks(ACCOUNTS, modern_options)
        if faults:
            http("PUT", stack.urls["MODERN"] + "/_sim/faults", faults)
        stack.start_phoenix()
        client = stack.run_traffic(ACCOUNTS, "--concurrency", "32", "--requests", str(requests), "--seed", str(seed), "--mix", mix, "--final-check")
        sums, counts = self.wait_all_decided(stack)
        print(f"\n  client: {client['requests']} requests, {client['errors']} errors, {client['wrong_answers']} wrong; gateway: {sums}; verdicts: {counts}")
        self.assertEqual((client["errors"], client["wrong_answers"]), (0, 0), client.get("wrong"))
        if "interest" in mix:
            self.assertGreater(client["latency_ms"]["interest"]["count"], requests // 20)
        self.assertEqual(sum(counts.values()), sums["handed_over"])
        return stack, sums, counts

    def mismatches(self, stack):
        return stack.control.query("phoenix", "SELECT exchange_id, route, account, detail FROM arbiter.verdicts WHERE verdict = 'mismatch'")

    def terms(self, stack, database, sql):
        """Fee and amount by exchange."""
        return {row[0]: (int(row[1]), int(row[2])) for row in stack.banks.query(database, sql)}

    def gaps(self, stack):
        """What modern's balance has more than legacy's, by account, in minor units."""
        legacy, modern = ({row[0]: int(row[1]) for row in stack.banks.query(database, "SELECT id, (balance * 100)::bigint FROM accounts")}
                          for database in ("legacy_bank", "modern_bank"))
        return {account: modern[account] - legacy[account] for account in legacy if modern[account] != legacy[account]}

    def drift(self, stack):
        return {row["account"]: row["gap_minor"] for row in json.loads(stack.ctl("drift", "--json"))["drift"]}

    def wait_killed(self, stack):
        # A balance that differs trips the kill switch, by itself, also in stage shadow.
        wait_until("the kill to be latched", lambda: stack.gateway_status()["latches"], 20)

    def test_a_bug_compatible_rewrite_agrees_on_2000_exchanges(self):
        stack, sums, counts = self.run_pair(2000, 21, "read=30,statement=10,deposit=15,withdrawal=10,transfer=25,interest=10")
        self.assertEqual(set(counts) - AGREEMENT, set(), self.mismatches(stack)[:5])
        self.assertEqual(self.terms(stack, "legacy_bank", LEGACY_TERMS), self.terms(stack, "modern_bank", MODERN_TERMS))
        self.assertFalse(stack.gateway_status()["latches"])

    def test_an_exact_rewrite_differs_where_a_fee_or_interest_does_and_nowhere_else(self):
        stack, sums, counts = self.run_pair(4000, 22, modern_options=())
        legacy, modern = self.terms(stack, "legacy_bank", LEGACY_TERMS), self.terms(stack, "modern_bank", MODERN_TERMS)
        self.assertEqual(set(legacy), set(modern))
        differing = {exchange for exchange in legacy if legacy[exchange] != modern[exchange]}
        found = {row[0] for row in self.mismatches(stack)}
        print(f"  {len(differing)} of {len(legacy)} postings differ, {len(found)} mismatches found")
        self.assertGreaterEqual(len(differing), 3)
        self.assertEqual(found, differing, self.mismatches(stack))
        self.assertEqual(counts["mismatch"], len(differing))
        self.assertEqual(set(counts) - AGREEMENT, {"mismatch"})
        self.wait_killed(stack)

    def test_postings_made_twice_are_found(self):
        # No interest: it depends on the balance, and would rightly differ wherever a duplicate has moved that.
        stack, sums, counts = self.run_pair(4000, 23, "read=30,deposit=20,withdrawal=15,transfer=35", faults={"duplicate_every": 300})
        duplicated = set(http("GET", stack.urls["MODERN"] + "/_sim/duplicates")["exchange_ids"])
        found = {row[0] for row in self.mismatches(stack)}
        print(f"  {len(duplicated)} postings made twice, {len(found)} mismatches found")
        self.assertGreaterEqual(len(duplicated), 5)
        # The answer of a duplicated posting shows the second booking's balance: a mismatch on the exchange itself.
        self.assertEqual(found, duplicated, self.mismatches(stack))
        self.assertEqual(counts["mismatch"], len(duplicated))
        self.assertEqual(set(counts) - AGREEMENT, {"mismatch"})
        self.wait_killed(stack)
        gaps = self.gaps(stack)  # payees', too, of whom no answer tells
        wait_until("the drift to be what both ledgers differ by", lambda: self.drift(stack) == gaps, 20)


if __name__ == "__main__":
    unittest.main()
