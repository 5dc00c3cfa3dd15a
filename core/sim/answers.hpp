// The JSON that the API answers with. Which fields exist is the API's contract and shared; posting ids and the
// precision of time stamps are each side's own and come in as text. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/sim/bank.hpp"

namespace phoenix::sim {

struct AccountFacts {
  std::int64_t account_id = 0;
  std::string tier;
  std::string currency;
  std::int64_t balance_minor = 0;
  std::string at;  ///< opened_at, or as_of
};
std::string opened_account_json(const AccountFacts& facts);
std::string account_json(const AccountFacts& facts);

/// posting_id is JSON already: a bare number, or a quoted UUID.
struct PostingFacts {
  std::string posting_id;
  std::string kind;  ///< deposit, withdrawal, transfer_out, transfer_in, interest
  std::int64_t amount_minor = 0;
  std::int64_t fee_minor = 0;
  std::int64_t balance_after_minor = 0;
  std::string created_at;
};
std::string posting_json(std::int64_t account_id, const PostingFacts& facts);
std::string transfer_json(std::int64_t from_account, std::int64_t to_account, const PostingFacts& facts);
std::string statement_json(std::int64_t account_id, std::int64_t balance_minor,
                           const std::vector<PostingFacts>& postings);

enum class Refusal {
  unknown_account,
  insufficient_funds,
  same_account,
  currency_mismatch,
  account_exists,
  balance_limit
};
/// RFC 9457; the same words on both sides.
Answer refuse(Refusal refusal);

/// "2026-01-01T10:00:00Z", with milliseconds where asked for.
std::string utc_timestamp(std::int64_t unix_ms, bool with_milliseconds);

}  // namespace phoenix::sim
