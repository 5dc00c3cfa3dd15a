// Compares the two answers of one exchange. Pure.
//
// Statuses must agree, and the headers that the route names. Bodies that are JSON, XML or a form on both sides are
// compared path by path: numbers exactly from their text (1.10 equals 1.1), members in any order, arrays by position.
// Everything else is compared by the hash of the whole body. The route's rules (compare_rules.hpp) excuse what they
// name. The balance named by the route is left out here and returned instead: whether two balances agree depends on
// what is already known of the account (alignment.hpp).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "arbiter/compare_rules.hpp"
#include "core/events/exchange_event.hpp"
#include "core/model/decimal.hpp"

namespace phoenix::arbiter {

/// A closed set: how two answers can differ.
enum class DifferenceKind {
  missing,  ///< legacy states it, modern does not
  extra,    ///< modern states it, legacy does not
  type,     ///< a number here, text there
  value,
  order,  ///< the same elements in another order
  header,
  status,
  body,  ///< bodies that are compared by hash
};
std::string_view to_string(DifferenceKind kind);

struct ValueDifference {
  DifferenceKind kind = DifferenceKind::value;
  std::string path;    ///< JSON path; for headers the name; empty for status and body
  std::string legacy;  ///< "absent" when it is missing there
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
  std::vector<ValueDifference> values;  ///< at most kMaxReported, status and headers first
  std::size_t not_reported = 0;
  std::string note;  ///< why nothing can be said, when undecided
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
