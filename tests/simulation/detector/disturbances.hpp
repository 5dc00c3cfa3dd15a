// What goes on beside the callers: markers and heartbeats, and what befalls the machinery: crashes of the gateway,
// restarts of capture, jobs that move accounts without any exchange, moves of the weight.
#pragma once

#include "tests/simulation/detector/gateway_model.hpp"
#include "tests/simulation/detector/world.hpp"

namespace phoenix::detector {

class Disturbances {
 public:
  Disturbances(World& world, GatewayModel& gateway);

 private:
  void write_markers();
  void beat();
  void move_weight();
  void run_job();
  void correct_one_account();
  template <class What>
  void spread(int times, What what);

  World& world_;
  GatewayModel& gateway_;
  std::int64_t horizon_us_;  // about how long the callers will be busy
  std::int64_t over_since_us_ = 0, last_marker_us_ = 0;
  std::uint64_t foreign_ = 0;
};

}  // namespace phoenix::detector
