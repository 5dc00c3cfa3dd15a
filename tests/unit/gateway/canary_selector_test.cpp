#include "gateway/canary_selector.hpp"

#include "tests/support/catch.hpp"

using namespace phoenix;
using namespace phoenix::gateway;

namespace {
Route route_with(config::ShadowMode shadow) {
  Route route;
  route.slice_index = 0;
  route.config.shadow = shadow;
  return route;
}
EffectiveSlice slice_in(Stage stage, std::uint32_t weight = 0) {
  return {stage, weight, 1, false};
}
}  // namespace

TEST_CASE("stages decide who serves and who is shadowed") {
  const Route dual = route_with(config::ShadowMode::dual);
  const auto choose = [&](Stage stage, std::uint32_t weight, std::uint32_t bucket) {
    return choose_side(slice_in(stage, weight), dual, false, KeyState::available, bucket);
  };
  CHECK(choose(Stage::bypass, 0, 0).excluded == "bypass");
  CHECK_FALSE(choose(Stage::bypass, 0, 0).gated);
  CHECK(choose(Stage::shadow, 10'000, 0).target == Side::legacy);
  CHECK(choose(Stage::shadow, 0, 0).shadow);
  CHECK(choose(Stage::canary, 2500, 2499).target == Side::modern);
  CHECK(choose(Stage::canary, 2500, 2500).target == Side::legacy);
  CHECK(choose(Stage::promoted, 0, 9999).target == Side::modern);
  CHECK(choose(Stage::promoted, 0, 9999).shadow);
  CHECK(choose(Stage::retired, 0, 0).target == Side::modern);
  CHECK_FALSE(choose(Stage::retired, 0, 0).shadow);
}

TEST_CASE("what may not be shadowed is excluded beforehand") {
  const auto slice = slice_in(Stage::canary, 10'000);
  CHECK(choose_side(slice, route_with(config::ShadowMode::off), true, KeyState::available, 0).excluded == "shadow_off");
  CHECK(choose_side(slice, route_with(config::ShadowMode::reads), false, KeyState::available, 0).excluded ==
        "shadow_off");
  CHECK(choose_side(slice, route_with(config::ShadowMode::reads), true, KeyState::available, 0).shadow);
  const auto keyless = choose_side(slice, route_with(config::ShadowMode::dual), false, KeyState::unavailable, 0);
  CHECK(keyless.excluded == "key_unavailable");
  CHECK(keyless.target == Side::legacy);  // modern only in `promoted`
  CHECK(keyless.gated);
  CHECK(choose_side(slice_in(Stage::promoted), route_with(config::ShadowMode::dual), false, KeyState::unavailable, 0)
            .target == Side::modern);
}

TEST_CASE("a key that the serving side is yet to assign stays with legacy until all keys have moved") {
  Route creates = route_with(config::ShadowMode::dual);
  creates.config.creates = "/id";
  CHECK(choose_side(slice_in(Stage::canary, 9999), creates, false, KeyState::none_configured, 0).target ==
        Side::legacy);
  CHECK(choose_side(slice_in(Stage::canary, 10'000), creates, false, KeyState::none_configured, 0).target ==
        Side::modern);
}
