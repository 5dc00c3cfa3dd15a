#include "orchestrator/resync_plan.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/model/decimal.hpp"

namespace phoenix::orchestrator {
namespace {

bool same_value(const std::optional<std::string>& a, const std::optional<std::string>& b) {
  if (a == b) return true;
  if (!a || !b) return false;
  const auto x = Decimal::parse(*a);
  const auto y = Decimal::parse(*b);
  return x && y && *x == *y;
}

}  // namespace

Result<KeyAtGateway> read_key_state(const std::string& gateway, const std::string& slice, const std::string& body) {
  try {
    const auto document = nlohmann::json::parse(body);
    const auto& sides = document.at(slice);
    KeyAtGateway key;
    key.gateway = gateway;
    for (const Side side : {Side::legacy, Side::modern}) {
      const auto at = static_cast<std::size_t>(index(side));
      const auto& state = sides.at(std::string(to_string(side)));
      state.at("behind").get_to(key.behind[at]);
      state.at("in_flight").get_to(key.in_flight[at]);
      key.incomplete[at] = state.at("incomplete").get<bool>();
    }
    return key;
  } catch (const nlohmann::json::exception&) {
    return unavailable(
        fmt::format("gateway {} does not say what is under way of the key: is it of an older version?", gateway));
  }
}

Result<Side> source_of(std::optional<Side> asked, const std::vector<KeyAtGateway>& gateways, Stage stage) {
  std::array<bool, 2> incomplete{};
  for (const auto& gateway : gateways) {
    for (std::size_t side = 0; side < 2; ++side) incomplete[side] = incomplete[side] || gateway.incomplete[side];
  }
  if (incomplete[0] && incomplete[1]) {
    if (asked) return *asked;
    return Error{ErrorCode::conflict,
                 "the gateways do not agree on which side lacks writes of this key: say whose data are right, --from"};
  }
  if (incomplete[0] || incomplete[1]) {
    const Side source = incomplete[0] ? Side::modern : Side::legacy;
    if (!asked || *asked == source) return source;
    return Error{ErrorCode::conflict, fmt::format("{} lacks writes of this key, which {} has served; it can only be "
                                                  "brought over from {}",
                                                  to_string(*asked), to_string(source), to_string(source))};
  }
  if (asked) return *asked;
  if (stage == Stage::canary) {
    return Error{ErrorCode::conflict,
                 "in stage canary either side may have served this key last: say whose data are right, --from"};
  }
  return stage == Stage::promoted || stage == Stage::retired ? Side::modern : Side::legacy;
}

bool same_row(const LedgerRow& a, const LedgerRow& b) {
  if (!a || !b) return !a && !b;
  if (a->size() != b->size()) return false;
  for (std::size_t i = 0; i < a->size(); ++i) {
    if (!same_value((*a)[i], (*b)[i])) return false;
  }
  return true;
}

std::string describe(const LedgerRow& row) {
  if (!row) return "no account";
  std::string text;
  for (const auto& value : *row) {
    if (!text.empty()) text += ", ";
    text += value.value_or("NULL");
  }
  return text;
}

}  // namespace phoenix::orchestrator
