// Keys and cohorts. A key is the business identity an exchange touches (an account id). The cohort of a weight is the
// set of keys whose bucket lies below it, so raising the weight only adds keys and lowering only removes (invariant 3).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace phoenix {

using BusinessKey = std::string;

/// The key of an exchange whose real keys could not be had; it goes through the currency gate like any other.
inline constexpr std::string_view kUnknownKey = "*";

inline constexpr std::uint32_t kBasisPoints = 10'000;

/// XXH3-64 of salt, a zero byte and the key, scaled to 0..9999. Stable across processes, platforms and releases.
std::uint32_t cohort_bucket(std::string_view key, std::string_view salt);

/// The largest bucket decides: modern is the target only if every key is in the cohort.
std::uint32_t cohort_bucket(const std::vector<BusinessKey>& keys, std::string_view salt);

[[nodiscard]] inline bool in_cohort(std::uint32_t bucket, std::uint32_t weight_basis_points) {
  return bucket < weight_basis_points;
}

}  // namespace phoenix
