#include "gateway/accounting.hpp"

namespace phoenix::gateway {

void RouteCounters::add(const RouteCounters& more) {
  received += more.received;
  in_flight += more.in_flight;
  handed_over += more.handed_over;
  parachutes += more.parachutes;
  overrides += more.overrides;
  excluded.add(more.excluded);
  dropped.add(more.dropped);
  shadow.add(more.shadow);
  for (std::size_t side = 0; side < 2; ++side) {
    for (const auto& [status, count] : more.responses[side]) responses[side][status] += count;
  }
}

}  // namespace phoenix::gateway
