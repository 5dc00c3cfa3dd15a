#include "gateway/accounting.hpp"

namespace phoenix::gateway {

void RouteCounters::add(const RouteCounters& more) {
  parachutes += more.parachutes;
  overrides += more.overrides;
  shadow.add(more.shadow);
  for (std::size_t side = 0; side < 2; ++side) {
    for (const auto& [status, count] : more.responses[side]) responses[side][status] += count;
  }
}

}  // namespace phoenix::gateway
