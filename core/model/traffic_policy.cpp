#include "core/model/traffic_policy.hpp"

#include <fmt/format.h>

#include "core/model/decimal.hpp"

namespace phoenix {
namespace {
constexpr std::string_view kStageNames[] = {"bypass", "shadow", "canary", "promoted", "retired"};
}

std::string_view to_string(Side side) {
  return side == Side::legacy ? "legacy" : "modern";
}

std::optional<Side> side_from_string(std::string_view text) {
  if (text == "legacy") return Side::legacy;
  if (text == "modern") return Side::modern;
  return std::nullopt;
}

std::string_view to_string(Stage stage) {
  return kStageNames[static_cast<int>(stage)];
}

std::optional<Stage> stage_from_string(std::string_view text) {
  for (int i = 0; i < 5; ++i) {
    if (kStageNames[i] == text) return static_cast<Stage>(i);
  }
  return std::nullopt;
}

const SlicePolicy* TrafficPolicy::find(std::string_view slice) const {
  for (const auto& candidate : slices) {
    if (candidate.name == slice) return &candidate;
  }
  return nullptr;
}

bool TrafficPolicy::same_content(const TrafficPolicy& other_policy) const {
  return epoch == other_policy.epoch && ttl == other_policy.ttl && slices == other_policy.slices &&
         latches == other_policy.latches && resets == other_policy.resets;
}

Result<std::uint32_t> parse_percent_to_basis_points(std::string_view text) {
  const std::string_view number = !text.empty() && text.back() == '%' ? text.substr(0, text.size() - 1) : text;
  const auto decimal = Decimal::parse(number);
  if (decimal) {
    const auto basis_points = decimal->to_minor(2);
    if (basis_points && *basis_points >= 0 && *basis_points <= 10'000) return static_cast<std::uint32_t>(*basis_points);
  }
  return invalid_input(fmt::format("'{}' is not a percentage from 0 to 100 in steps of 0.01", text.substr(0, 64)));
}

std::string format_percent(std::uint32_t basis_points) {
  return Decimal::from_minor(basis_points, 2).to_string();
}

}  // namespace phoenix
