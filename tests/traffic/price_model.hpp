// What a transfer should cost and a balance should earn, as a client understands it. Written without the simulators'
// code, which it judges. Pure; everything in hundredths.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "tests/traffic/workload.hpp"

namespace phoenix::traffic {

/// Which bank's fees and interest the client regards as right.
enum class FeeModel : std::uint8_t {
  legacy_vip_fee,  ///< 2.5 % of a transfer, VIPs too, as legacy charges
  tariff,          ///< 2.5 %, VIPs 2.0 %, as published
  any,             ///< either of these
  legacy_float,    ///< 1.5 % of a transfer, and interest, in binary floating point
  exact            ///< 1.5 %, and interest, exactly
};
std::optional<FeeModel> fee_model_from_string(std::string_view text);
/// For messages and help.
inline constexpr std::string_view kFeeModelNames = "legacy-vip-fee, tariff, any, legacy-float, exact";

struct FeeRange {
  std::int64_t least = 0;
  std::int64_t most = 0;
};
/// The right fee, or the two right ones; 0 for anything but transfers.
FeeRange right_fees(FeeModel model, const Operation& operation);

/// The right interest on a balance; grows with the balance. 0 below zero.
std::int64_t right_interest(FeeModel model, std::int64_t balance_minor, int days);

}  // namespace phoenix::traffic
