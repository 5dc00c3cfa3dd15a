// Which side an exchange should be served by, and whether the other side gets its shadow. Pure: everything that decides
// is an argument. Currency (the sequencer) may still defer to the other side.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/model/traffic_policy.hpp"
#include "gateway/route_table.hpp"

namespace phoenix::gateway {

/// What holds for a slice right now, after policy, lease and latches.
struct EffectiveSlice {
  Stage stage = Stage::shadow;
  std::uint32_t weight_basis_points = 0;
  std::uint64_t rung = 0;
  bool killed = false;
  friend bool operator==(const EffectiveSlice&, const EffectiveSlice&) = default;
};

struct SideChoice {
  Side target = Side::legacy;
  bool shadow = false;        ///< the other side gets a shadow leg
  bool gated = false;         ///< the sequencer must admit it
  std::string_view excluded;  ///< why it is not compared; empty when it is
};

/// `bucket` is the cohort bucket of the keys, or of the exchange id where the route has no key.
SideChoice choose_side(const EffectiveSlice& slice, const Route& route, bool safe_method, KeyState keys,
                       std::uint32_t bucket);

/// Of a request to switch protocols (WebSocket): what then flows is neither shadowed nor compared, so that no score may
/// move it. Legacy serves it until the slice is promoted.
SideChoice choose_tunnel_side(EffectiveSlice slice, const Route& route, KeyState keys);

}  // namespace phoenix::gateway
