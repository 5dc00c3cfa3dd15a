// Compares the two answers of one exchange. Pure.
//
// Statuses must agree. Bodies that are JSON on both sides are compared path by path: numbers exactly from their text
// (1.10 equals 1.1), members in any order, arrays by position. Everything else is compared by the hash of the whole
// body. The balance named by the route is left out here and returned instead: whether two balances agree depends on
// what is already known of the account (alignment.hpp).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "arbiter/json_value.hpp"
#include "core/events/exchange_event.hpp"
#include "core/model/decimal.hpp"
#include "core/runtime/config.hpp"

namespace phoenix::arbiter {

struct CompareRules {
  std::vector<JsonPath> ignore;  ///< a segment `*` matches every array element or member
  std::optional<JsonPath> balance;

  static CompareRules from_config(const config::CompareConfig& compare);
};

struct ValueDifference {
  std::string path;
  std::string legacy;  ///< "absent" when the member is missing there
  std::string modern;
  friend bool operator==(const ValueDifference&, const ValueDifference&) = default;
};

struct ResponseDifference {
  enum class Outcome {
    equal,  ///< apart from the balance, which is judged elsewhere
    different,
    undecided,  ///< bodies cut short whose hashes differ although rules might excuse the difference, or say nothing
  };
  Outcome outcome = Outcome::equal;
  std::vector<ValueDifference> values;  ///< at most kMaxReported
  std::size_t not_reported = 0;
  std::string note;  ///< for differences that have no path: statuses, hashes, truncation
  std::optional<Decimal> legacy_balance;
  std::optional<Decimal> modern_balance;
  /// Only the order of array elements and running balances differ: the same postings were listed in another order.
  bool same_apart_from_order = false;

  static constexpr std::size_t kMaxReported = 16;
  /// One line: "/fee: legacy 0.26, modern 0.21; /total: …".
  [[nodiscard]] std::string summary() const;
};

ResponseDifference compare_responses(const LegRecord& legacy, const LegRecord& modern, const CompareRules& rules,
                                     const std::vector<std::string>& running_balance_names = {});

}  // namespace phoenix::arbiter
