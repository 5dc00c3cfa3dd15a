#include "core/sim/answers.hpp"

#include <fmt/format.h>

#include <ctime>

#include "core/http/server.hpp"
#include "core/sim/exact_json.hpp"

namespace phoenix::sim {

namespace {

std::string account_fields(const AccountFacts& facts) {
  return fmt::format(R"("account_id":{},"tier":{},"currency":{},"balance":{})", facts.account_id,
                     quote_json(facts.tier), quote_json(facts.currency), hundredths_to_text(facts.balance_minor));
}

std::string money_fields(const PostingFacts& facts) {
  return fmt::format(R"("amount":{},"fee":{},"balance_after":{},"created_at":"{}")",
                     hundredths_to_text(facts.amount_minor), hundredths_to_text(facts.fee_minor),
                     hundredths_to_text(facts.balance_after_minor), facts.created_at);
}

}  // namespace

std::string opened_account_json(const AccountFacts& facts) {
  return fmt::format(R"({{{},"opened_at":"{}"}})", account_fields(facts), facts.at);
}

std::string account_json(const AccountFacts& facts) {
  return fmt::format(R"({{{},"as_of":"{}"}})", account_fields(facts), facts.at);
}

std::string posting_json(std::int64_t account_id, const PostingFacts& facts) {
  return fmt::format(R"({{"posting_id":{},"account_id":{},"kind":"{}",{}}})", facts.posting_id, account_id, facts.kind,
                     money_fields(facts));
}

std::string transfer_json(std::int64_t from_account, std::int64_t to_account, const PostingFacts& facts) {
  return fmt::format(R"({{"posting_id":{},"from_account":{},"to_account":{},{}}})", facts.posting_id, from_account,
                     to_account, money_fields(facts));
}

std::string statement_json(std::int64_t account_id, std::int64_t balance_minor,
                           const std::vector<PostingFacts>& postings) {
  std::string list;
  for (const auto& posting : postings) {
    if (!list.empty()) list += ',';
    list +=
        fmt::format(R"({{"posting_id":{},"kind":"{}",{}}})", posting.posting_id, posting.kind, money_fields(posting));
  }
  return fmt::format(R"({{"account_id":{},"balance":{},"postings":[{}]}})", account_id,
                     hundredths_to_text(balance_minor), list);
}

Answer refuse(Refusal refusal) {
  auto answer = [](int status, std::string_view title, std::string_view detail) {
    return Answer{status, http::problem(status, title, detail).body};
  };
  switch (refusal) {
    case Refusal::unknown_account:
      return answer(404, "unknown account", "there is no such account");
    case Refusal::insufficient_funds:
      return answer(422, "insufficient funds", "the balance does not cover the amount and its fee");
    case Refusal::same_account:
      return answer(422, "same account", "a transfer needs two different accounts");
    case Refusal::currency_mismatch:
      return answer(422, "currency mismatch", "both accounts must hold one currency");
    case Refusal::account_exists:
      return answer(409, "account exists", "the assigned account id is taken");
    case Refusal::balance_limit:
      return answer(422, "balance limit", "no balance may pass " + hundredths_to_text(kMaxBalanceMinor));
  }
  return answer(500, "internal error", "unknown refusal");
}

std::string utc_timestamp(std::int64_t unix_ms, bool with_milliseconds) {
  const std::time_t seconds = static_cast<std::time_t>(unix_ms / 1000);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  std::string text = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
                                 utc.tm_hour, utc.tm_min, utc.tm_sec);
  if (with_milliseconds) text += fmt::format(".{:03}", unix_ms % 1000);
  return text + "Z";
}

}  // namespace phoenix::sim
