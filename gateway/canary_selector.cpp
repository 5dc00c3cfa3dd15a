#include "gateway/canary_selector.hpp"

namespace phoenix::gateway {
namespace {

Side target_side(const EffectiveSlice& slice, const Route& route, KeyState keys, std::uint32_t bucket) {
  if (slice.stage == Stage::promoted || slice.stage == Stage::retired) return Side::modern;
  if (slice.stage != Stage::canary) return Side::legacy;
  // Without its key an exchange cannot be held to one side; nor can one whose key the serving side is yet to assign.
  if (keys == KeyState::unavailable) return Side::legacy;
  if (!route.config.creates.empty() && slice.weight_basis_points < kBasisPoints) return Side::legacy;
  return in_cohort(bucket, slice.weight_basis_points) ? Side::modern : Side::legacy;
}

std::string_view exclusion(const Route& route, bool safe_method, KeyState keys) {
  if (route.config.shadow == config::ShadowMode::off) return "shadow_off";
  if (route.config.shadow == config::ShadowMode::reads && !safe_method) return "shadow_off";
  if (keys == KeyState::unavailable) return "key_unavailable";
  return {};
}

}  // namespace

SideChoice choose_side(const EffectiveSlice& slice, const Route& route, bool safe_method, KeyState keys,
                       std::uint32_t bucket) {
  if (route.is_unmatched) return {Side::legacy, false, false, "unmatched"};
  if (slice.stage == Stage::bypass) return {Side::legacy, false, false, "bypass"};
  if (slice.stage == Stage::retired) return {Side::modern, false, false, "retired"};
  SideChoice choice;
  choice.target = target_side(slice, route, keys, bucket);
  choice.excluded = exclusion(route, safe_method, keys);
  choice.shadow = choice.excluded.empty();
  // A keyless route has no currency to keep; a key that could not be had goes through the gate as `*`.
  choice.gated = keys != KeyState::none_configured;
  return choice;
}

SideChoice choose_tunnel_side(EffectiveSlice slice, const Route& route, KeyState keys) {
  slice.weight_basis_points = 0;
  SideChoice choice = choose_side(slice, route, true, keys, 0);
  if (choice.shadow) choice.excluded = "upgrade";
  choice.shadow = false;
  return choice;
}

}  // namespace phoenix::gateway
