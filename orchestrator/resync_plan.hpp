// Which side an account is brought over from, and whether it may be done now. Pure.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "core/model/result.hpp"
#include "core/model/traffic_policy.hpp"

namespace phoenix::orchestrator {

/// What one gateway says of a key; by side.
struct KeyAtGateway {
  std::string gateway;
  std::array<std::uint64_t, 2> behind{};     ///< writes that the side has yet to apply
  std::array<std::uint64_t, 2> in_flight{};  ///< writes that the side is serving
  std::array<bool, 2> incomplete{};
  [[nodiscard]] bool at_rest() const { return behind[0] + behind[1] + in_flight[0] + in_flight[1] == 0; }
};

/// The answer to GET /keys?slice&key.
Result<KeyAtGateway> read_key_state(const std::string& gateway, const std::string& slice, const std::string& body);

/// The side that served the key's last write, from what the gateways say and else from the slice's stage. `asked`: by a
/// person; refused where a gateway says that this side lacks writes of the key. Errors: conflict, with what to do.
Result<Side> source_of(std::optional<Side> asked, const std::vector<KeyAtGateway>& gateways, Stage stage);

/// One row as a statement returned it; nothing: no row.
using LedgerRow = std::optional<std::vector<std::optional<std::string>>>;
/// Numbers by value, everything else by text.
bool same_row(const LedgerRow& a, const LedgerRow& b);
/// "12.30, EUR"; "no account".
std::string describe(const LedgerRow& row);

}  // namespace phoenix::orchestrator
