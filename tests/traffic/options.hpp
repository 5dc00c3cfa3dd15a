// What phoenix-traffic is told to do.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/runtime/config.hpp"
#include "core/sim/command_line.hpp"
#include "tests/traffic/account_model.hpp"
#include "tests/traffic/workload.hpp"

namespace phoenix::traffic {

struct TrafficOptions {
  config::Endpoint target{"127.0.0.1", 8080};
  std::int64_t accounts = 100;
  std::uint64_t seed = 1;
  double rate = 0;                        ///< requests per second, open loop; 0: closed loop
  int concurrency = 0;                    ///< most requests in flight; each has its own connection
  std::chrono::milliseconds duration{0};  ///< 0: until `requests`
  std::uint64_t requests = 0;             ///< 0: until `duration`
  Mix mix{};
  double zipf = 0.9;
  FeeModel model = FeeModel::legacy_vip_fee;
  std::chrono::milliseconds timeout{10'000};  ///< of one answer
  bool final_check = false;
  std::string json_file;
  std::string live_file;
};

std::vector<OptionSpec> option_specs();
/// Throws Failure naming the option.
TrafficOptions read_options(const std::map<std::string, std::string>& given);

}  // namespace phoenix::traffic
