// The HTTP face of a simulator: routes, strict reading of requests, faults. What a posting does is the bank's own
// matter.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>

#include "core/http/server.hpp"
#include "core/sim/bank.hpp"
#include "core/sim/fault_profile.hpp"

namespace phoenix::sim {

/// Answers GET /healthz, /readyz, /metrics and /_sim/* without faults, everything else through the fault profile.
/// Any thread.
class BankApi {
 public:
  BankApi(std::string program, Bank& bank, FaultProfile& faults);
  http::Response operator()(const http::Request& request);

  /// Largest amount of one posting, in hundredths: far below where 64 bits end.
  static constexpr std::int64_t kMaxAmountMinor = 100'000'000'000'000;

 private:
  void add_control_routes();
  void add_bank_routes();
  http::Response metrics() const;
  http::Response bank_request(const http::Request& request);

  const std::string program_;
  Bank& bank_;
  FaultProfile& faults_;
  http::Router control_;
  http::Router routes_;
  std::array<std::atomic<std::uint64_t>, 6> requests_{};  // by first digit of the status; 0: faulted without an answer
};

}  // namespace phoenix::sim
