// What is known of one exchange when its postings are judged, and what was decided. Plain data.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/decimal.hpp"
#include "core/model/result.hpp"
#include "core/model/traffic_policy.hpp"
#include "core/model/verdict.hpp"
#include "core/runtime/config_gateway.hpp"

namespace phoenix::arbiter {

/// What a leg says about its posting.
enum class LegFact : std::uint8_t {
  none,       ///< never reached the backend
  refused,    ///< answered, but not 2xx: nothing is to be expected
  done,       ///< answered 2xx: what is not posted by the next marker is missing
  uncertain,  ///< time-out, reset, 5xx: posted or not, never missing
};

/// The two answers without their stated balances.
enum class AnswerFact : std::uint8_t { equal, different, undecided, absent };

struct ExchangeFacts {
  std::string exchange_id;
  std::int64_t offset = 0;  ///< of its event; what markers cover
  std::int64_t received_at_us = 0, completed_at_us = 0;
  std::vector<std::string> accounts;  ///< its keys
  bool write = false;
  bool compared = true;  ///< false: excluded beforehand, gets no verdict
  AnswerFact answers = AnswerFact::equal;
  bool same_apart_from_order = false;
  bool overlap = false;  ///< beside another write of its keys
  config::ReadsBalance reads_balance = config::ReadsBalance::none;
  std::array<LegFact, 2> legs{};                 ///< by side
  std::array<std::optional<Decimal>, 2> stated;  ///< balances of the first key in the answers
  bool async = false;                            ///< postings may come up to async_max_us after the answers
  std::int64_t async_max_us = 0;

  [[nodiscard]] bool both_done() const { return legs[0] == LegFact::done && legs[1] == LegFact::done; }
  [[nodiscard]] bool any_uncertain() const { return legs[0] == LegFact::uncertain || legs[1] == LegFact::uncertain; }
  /// What it posts on this side may come long after its answers, and balances stated meanwhile lack it.
  [[nodiscard]] bool may_post_late(Side side) const {
    return async || legs[static_cast<std::size_t>(index(side))] == LegFact::uncertain;
  }
  [[nodiscard]] bool may_post_late() const { return async || any_uncertain(); }
};

/// What both sides did to one account in one exchange: the evidence of a verdict, and what rules and causes compute
/// from. Amounts in units of 10^-scale.
struct AccountPosting {
  struct Leg {
    std::uint32_t transactions = 0;  ///< 0: nothing was posted; then the amounts mean nothing
    std::int64_t delta = 0, before = 0, after = 0;
    std::uint64_t commit = 0, place = 0;  ///< of the latest change in the side's stream
  };
  std::string account;
  std::string currency;
  int scale = 2;
  std::array<Leg, 2> legs;         ///< by side
  std::int64_t gap = 0;            ///< modern - legacy of the account when it was decided
  std::int64_t carry = 0;          ///< part of the gap that was accepted
  bool same_predecessors = false;  ///< both sides had applied the same set of exchanges before it

  [[nodiscard]] bool on_both() const { return legs[0].transactions > 0 && legs[1].transactions > 0; }
};

/// What is remembered of a decided exchange, so that a late posting can correct it.
struct DecidedExchange {
  Verdict verdict = Verdict::unknown;
  bool compared = true;
  bool write = false, served = false;   ///< served: the client was answered 2xx
  bool current = false, first = false;  ///< counted in its rung's window; was the first of its unit
  bool confirmed = false;               ///< counted as a balance mismatch
  bool both_done = false;
  AnswerFact answers = AnswerFact::equal;
  std::uint8_t posted = 0;   ///< sides that posted, as bits
  std::uint8_t lacking = 0;  ///< accounts whose posting lacks its counterpart
  std::int64_t offset = 0;
  std::int64_t received_at_us = 0, completed_at_us = 0;
  std::uint64_t rung = 0;
  std::string slice, route, account;
};
std::string encode(const DecidedExchange& decided);
Result<DecidedExchange> decode_decided_exchange(std::string_view text);

}  // namespace phoenix::arbiter
