// Mismatches of one slice, route, cause and field taken together: which attribute they share, beside how common it is
// on the route, and how the two amounts relate. Bounded, and a function of the exchanges in their order. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "arbiter/cause_label.hpp"
#include "core/model/result.hpp"

namespace phoenix::arbiter {

/// What an exchange is told apart by: tier = vip, hour = 22, …
using Attributes = std::vector<std::pair<std::string, std::string>>;

/// How often each value of each attribute was seen. A name with more than kMostValues values is an identifier, a time
/// or a text, and is given up for good.
class AttributeCounts {
 public:
  struct Values {
    std::map<std::string, std::uint64_t> counts;
    std::uint64_t known = 0;  ///< exchanges that have the attribute
    bool given_up = false;
  };
  void count(const Attributes& attributes, std::uint64_t weight);
  [[nodiscard]] const std::map<std::string, Values>& names() const { return names_; }
  [[nodiscard]] bool is_given_up(const std::string& name) const;
  void restore(std::map<std::string, Values> names) { names_ = std::move(names); }

  static constexpr std::size_t kMostNames = 32;
  static constexpr std::size_t kMostValues = 24;  ///< the hours of a day
  static constexpr std::size_t kLongestValue = 32;

 private:
  std::map<std::string, Values> names_;
};

struct MismatchGroup {
  std::uint64_t mismatches = 0;
  std::int64_t first_us = 0, last_us = 0;  ///< event time
  std::string first_exchange, last_exchange;
  AttributeCounts attributes;
  std::vector<AmountDifference> samples;  ///< the first ones and the latest ones

  void add(const std::string& exchange_id, std::int64_t event_time_us, const Attributes& of_exchange,
           const std::optional<AmountDifference>& amount);
  static constexpr std::size_t kSamples = 32;
};
std::string encode(const MismatchGroup& group);
Result<MismatchGroup> decode_mismatch_group(const std::string& text);
std::string encode(const AttributeCounts& counts);
Result<AttributeCounts> decode_attribute_counts(const std::string& text);

/// The attribute that sets a group apart from its route.
struct SharedAttribute {
  std::string name, value;
  double share = 0;  ///< of the group's mismatches that have the attribute at all
  double base = 0;   ///< of the route's compared exchanges that have it
  [[nodiscard]] double lift() const { return share / base; }
};
/// At least half of the group, and 1.5 times as common in it as on the route; nothing below kLeast mismatches.
std::optional<SharedAttribute> shared_attribute(const MismatchGroup& group, const AttributeCounts& of_route);
inline constexpr std::uint64_t kLeastShared = 3;

/// "legacy - modern = 0.5 % of amount", "= 0.01 always", "= ±0.01", or a range; empty without amounts.
std::string relation(const MismatchGroup& group);

/// "97 % of 212 mismatches on `transfers` (/fee, fee_tier) have tier = vip (base rate 20 %, lift 4.9); legacy - modern
/// = 0.5 % of amount".
std::string sentence(const MismatchGroup& group, const AttributeCounts& of_route, const std::string& route, Cause cause,
                     const std::string& path);

}  // namespace phoenix::arbiter
