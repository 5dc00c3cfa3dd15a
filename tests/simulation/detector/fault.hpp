// The ways in which a rewrite of a bank has been seen to differ: each is a fault that one of the two simulated banks
// can be given, and a label that the arbiter should put on what it finds.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

namespace phoenix::detector {

enum class Fault : std::uint8_t {
  none,
  float_tie,
  truncation,
  half_even,
  vip_order,
  vip_threshold,
  day_count,
  daily_rounding,
  duplicate,
  missing_modern,
  missing_legacy,
  cut_off,
  wrong_account,
  response_only,
  posted_only,
  type_format,
  ordering,
  status_split
};

using Faults = std::set<Fault>;

struct FaultClass {
  Fault fault = Fault::none;
  std::string_view name;  ///< of --class
  std::string_view what;  ///< legacy against modern
};

/// The label that the arbiter should give it (arbiter/cause_label.hpp).
std::string_view expected_cause(Fault fault);

/// In the order of the table.
const std::vector<FaultClass>& fault_classes();
std::optional<Fault> fault_from_name(std::string_view name);
std::string_view name_of(Fault fault);
/// Of the amounts that a bank computes: shows in the answer as in the posting.
bool is_arithmetic(Fault fault);

}  // namespace phoenix::detector
