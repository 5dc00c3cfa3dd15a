// What a mismatch is labelled from: the fields of request and answers, the differences, and what both sides are known
// to have posted. Plain data and its making from an exchange; pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "arbiter/json_value.hpp"
#include "arbiter/response_differ.hpp"
#include "core/model/verdict.hpp"

namespace phoenix::arbiter {

/// A scalar of a document, with its JSON path.
struct StatedField {
  std::string path;
  JsonValue::Kind kind = JsonValue::Kind::null;
  std::string text;
};
using Fields = std::vector<StatedField>;

const StatedField* field_at(const Fields& fields, std::string_view path);
/// The scalars of a body, at most kMostFields; none where it is no document.
Fields fields_of(const HeaderList& headers, std::string_view body);
inline constexpr std::size_t kMostFields = 256;

/// Last segment of a path, and the path without it.
std::string_view name_of(std::string_view path);
std::string_view parent_of(std::string_view path);
/// Array positions as `*`.
std::string general_path(std::string_view path);

/// What one side did to the account, where it is known (state mode, or balances stated before and after).
struct Posted {
  std::optional<std::int64_t> before, delta;  ///< in units of 10^-posted_scale
  std::optional<int> transactions;            ///< with this exchange's id
};

struct MismatchFacts {
  std::string route, method;
  Verdict verdict = Verdict::mismatch;
  int legacy_status = 200, modern_status = 200;
  std::vector<ValueDifference> differences;
  Fields request, legacy, modern;
  std::vector<std::string> keys;
  /// Of the account, as other answers stated them: tier, currency.
  std::vector<std::pair<std::string, std::string>> attributes;
  std::array<Posted, 2> posted;  ///< by side
  int posted_scale = 2;
  /// The postings follow from balances stated before and after: a write in between would be taken for part of them.
  bool inferred = false;
  std::optional<std::int64_t> balance_moved;  ///< modern - legacy of the stated balances beyond what was known
  bool overlap = false;
  std::string other_account;  ///< who posted where the other side did not, the same amount; empty: nobody
  std::string order_proof;    ///< why a difference is an order of commits; empty: no proof
  std::int64_t event_time_us = 0;

  /// Empty when nobody states it.
  [[nodiscard]] std::string attribute(std::string_view name) const;
};

/// Fields, statuses and keys of an exchange; postings and attributes are left to the caller.
MismatchFacts facts_of(const ExchangeEvent& exchange, Verdict verdict, std::vector<ValueDifference> differences);

/// Counts that the request states: days, months, instalments.
std::vector<std::int64_t> requested_counts(const ExchangeEvent& exchange);

/// An amount that the differing one may have been computed from.
struct Base {
  std::string path;
  std::int64_t legacy = 0;  ///< in units of 10^-scale of the difference
  std::int64_t modern = 0;  ///< another only for balances, which may have differed before
  bool balance = false;     ///< the balance before the posting: interest is computed from it
};

/// Two amounts that differ, in one unit.
struct AmountPair {
  std::string path;
  int scale = 2;
  std::int64_t legacy = 0, modern = 0;
  std::vector<Base> bases;         ///< likeliest first
  std::vector<std::int64_t> days;  ///< counts that are stated: days, months, instalments
};
/// Nothing when one of them is no amount.
std::optional<AmountPair> amount_pair(const MismatchFacts& facts, const ValueDifference& difference);
/// The amount in units of 10^-scale; nothing when it has more digits.
std::optional<std::int64_t> minor_of(std::string_view text, int scale);

/// Where the value of a side at `path` and its bases stand: what rates are learned from, also from exchanges that
/// match.
struct StatedAmount {
  std::int64_t amount = 0;
  std::vector<Base> bases;
};
std::optional<StatedAmount> stated_amount(const MismatchFacts& facts, bool modern, const std::string& path, int scale);

}  // namespace phoenix::arbiter
