#include "tests/simulation/detector/fault.hpp"

namespace phoenix::detector {

const std::vector<FaultClass>& fault_classes() {
  static const std::vector<FaultClass> kClasses{
      {Fault::float_tie, "float_tie", "fee printed from a binary double, against half up"},
      {Fault::truncation, "truncation", "fee and interest cut to whole cents"},
      {Fault::half_even, "rounding_mode", "ties to even, against half up"},
      {Fault::vip_order, "vip_fee_order", "2.5 % rounded, then 20 % off, against 2.0 %"},
      {Fault::vip_threshold, "vip_threshold", "free above 200.00, against from 200.00 on"},
      {Fault::day_count, "day_count", "interest by 30/360, against actual/365"},
      {Fault::daily_rounding, "intermediate_precision", "interest rounded day by day"},
      {Fault::duplicate, "duplicate_posting", "booked twice, in one transaction or two"},
      {Fault::missing_modern, "missing_modern", "answered by both, booked by legacy alone"},
      {Fault::missing_legacy, "missing_legacy", "answered by both, booked by modern alone"},
      {Fault::cut_off, "cut_off", "value date of UTC, against local time"},
      {Fault::wrong_account, "wrong_account", "the transfer's credit goes to another account"},
      {Fault::response_only, "response_only", "booked right, answered wrong"},
      {Fault::posted_only, "posted_only", "answered right, booked wrong"},
      {Fault::type_format, "type_format", "an amount as a string"},
      {Fault::ordering, "ordering", "overlapping writes commit in another order and are refused or accepted by it"},
      {Fault::status_split, "status_split", "modern refuses what legacy accepts"}};
  return kClasses;
}

std::optional<Fault> fault_from_name(std::string_view name) {
  for (const auto& known : fault_classes()) {
    if (known.name == name) return known.fault;
  }
  return std::nullopt;
}

std::string_view name_of(Fault fault) {
  for (const auto& known : fault_classes()) {
    if (known.fault == fault) return known.name;
  }
  return "none";
}

std::string_view expected_cause(Fault fault) {
  switch (fault) {
    case Fault::vip_order:
    case Fault::vip_threshold:
      return "fee_tier";
    case Fault::missing_modern:
    case Fault::missing_legacy:
      return "missing_posting";
    case Fault::status_split:
      return "status";
    case Fault::none:
    case Fault::response_only:  // a cent that no recomputation gives
    case Fault::posted_only:
      return "unexplained";
    default:
      return name_of(fault);
  }
}

bool is_arithmetic(Fault fault) {
  return fault >= Fault::float_tie && fault <= Fault::daily_rounding;
}

}  // namespace phoenix::detector
