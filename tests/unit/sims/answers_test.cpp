#include "core/sim/answers.hpp"

#include "tests/support/catch.hpp"

using namespace phoenix::sim;

TEST_CASE("answers carry money with two decimals and ids as they are given") {
  const PostingFacts legacy{"42", "transfer_out", 10'00, 25, 89'75, "2026-01-01T10:00:00Z"};
  CHECK(transfer_json(1, 2, legacy) ==
        R"({"posting_id":42,"from_account":1,"to_account":2,"amount":10.00,"fee":0.25,"balance_after":89.75,)"
        R"("created_at":"2026-01-01T10:00:00Z"})");
  CHECK(
      posting_json(1, {"\"u-1\"", "deposit", 5, 0, 5, "t"}) ==
      R"({"posting_id":"u-1","account_id":1,"kind":"deposit","amount":0.05,"fee":0.00,"balance_after":0.05,"created_at":"t"})");
  CHECK(account_json({7, "vip", "EUR", 12050, "t"}) ==
        R"({"account_id":7,"tier":"vip","currency":"EUR","balance":120.50,"as_of":"t"})");
  CHECK(opened_account_json({7, "vip", "EUR", 0, "t"}) ==
        R"({"account_id":7,"tier":"vip","currency":"EUR","balance":0.00,"opened_at":"t"})");
  CHECK(statement_json(7, 5, {}) == R"({"account_id":7,"balance":0.05,"postings":[]})");
}

TEST_CASE("time stamps") {
  CHECK(utc_timestamp(1'767'261'600'007, false) == "2026-01-01T10:00:00Z");
  CHECK(utc_timestamp(1'767'261'600'007, true) == "2026-01-01T10:00:00.007Z");
}

TEST_CASE("refusals are problem documents") {
  CHECK(refuse(Refusal::unknown_account).status == 404);
  CHECK(refuse(Refusal::insufficient_funds).status == 422);
  CHECK(refuse(Refusal::insufficient_funds).body.find("\"insufficient funds\"") != std::string::npos);
  CHECK(refuse(Refusal::same_account).status == 422);
  CHECK(refuse(Refusal::account_exists).status == 409);
  CHECK(refuse(Refusal::balance_limit).status == 422);
  CHECK(refuse(Refusal::balance_limit).body.find("no balance may pass 10000000000000.00") != std::string::npos);
}
