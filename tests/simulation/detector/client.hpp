// The callers of a run: each sends its next request when the last one is answered and it has thought for a while.
#pragma once

#include "tests/simulation/detector/gateway_model.hpp"
#include "tests/simulation/detector/world.hpp"

namespace phoenix::detector {

class Clients {
 public:
  Clients(World& world, GatewayModel& gateway);

 private:
  void next();
  [[nodiscard]] Operation draw();
  [[nodiscard]] int draw_account();
  [[nodiscard]] std::int64_t draw_amount();

  World& world_;
  GatewayModel& gateway_;
  std::vector<Fault> single_faults_;  // of the run, those that befall single exchanges
};

}  // namespace phoenix::detector
