// The traffic policy: the immutable snapshot that the orchestrator publishes and gateways apply.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/result.hpp"

namespace phoenix {

enum class Side : std::uint8_t { legacy = 0, modern = 1 };
[[nodiscard]] constexpr Side other(Side side) {
  return side == Side::legacy ? Side::modern : Side::legacy;
}
[[nodiscard]] constexpr int index(Side side) {
  return static_cast<int>(side);
}
std::string_view to_string(Side side);
std::optional<Side> side_from_string(std::string_view text);

/// bypass: legacy only. shadow: legacy serves. canary: the weight decides. promoted: modern serves, legacy is shadowed.
/// retired: modern only, no way back.
enum class Stage : std::uint8_t { bypass, shadow, canary, promoted, retired };
std::string_view to_string(Stage stage);
std::optional<Stage> stage_from_string(std::string_view text);

struct SlicePolicy {
  std::string name;
  Stage stage = Stage::shadow;
  std::uint32_t weight_basis_points = 0;  ///< counts in stage canary only
  /// Epoch at which stage or weight of this slice last changed; evidence is counted per rung. 0: configuration.
  std::uint64_t rung = 0;
  friend bool operator==(const SlicePolicy&, const SlicePolicy&) = default;
};

/// A kill switch that was tripped: latched until a policy carries the matching Reset.
struct KillLatch {
  std::string kill_id;
  std::string slice;
  std::string reason;
  std::string by;
  std::int64_t at_unix_ms = 0;
  friend bool operator==(const KillLatch&, const KillLatch&) = default;
};

struct KillReset {
  std::string kill_id;
  std::string by;
  std::string reason;
  friend bool operator==(const KillReset&, const KillReset&) = default;
};

struct TrafficPolicy {
  std::uint64_t epoch = 0;    ///< increases with every change of content; a renewal repeats it
  std::uint64_t renewal = 0;  ///< increases with every publication, so that a re-read old record renews nothing
  std::chrono::milliseconds ttl{30'000};
  std::vector<SlicePolicy> slices;
  std::vector<KillLatch> latches;
  std::vector<KillReset> resets;

  [[nodiscard]] const SlicePolicy* find(std::string_view slice) const;
  /// Same epoch and same content apart from `renewal`.
  [[nodiscard]] bool same_content(const TrafficPolicy& other_policy) const;
};

/// "12.5" or "12.5%" to 1250 basis points; an error beyond 0..100 or finer than 0.01.
Result<std::uint32_t> parse_percent_to_basis_points(std::string_view text);
/// 1250 to "12.5".
std::string format_percent(std::uint32_t basis_points);

}  // namespace phoenix
