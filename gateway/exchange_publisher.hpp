// Ends an exchange: puts it into its bucket of the account and, where its slice is compared, hands its event to the
// log, and its line to the access log.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "core/events/event_log.hpp"
#include "gateway/access_log.hpp"
#include "gateway/accounting.hpp"
#include "gateway/exchange.hpp"

namespace phoenix::gateway {

class ExchangePublisher {
 public:
  ExchangePublisher(Producer& producer, std::string gateway_id, std::string incarnation,
                    const std::vector<std::string>& slice_names, std::vector<int> slice_partitions,
                    AccessLog& access_log);

  /// Once per exchange, on its loop. Never blocks: a full queue counts the exchange as dropped(event_log_full).
  void finish(Exchange& exchange, LoopCounters& counters);

 private:
  void publish(Exchange& exchange, RouteCounters& route);
  void log(const Exchange& exchange);
  [[nodiscard]] ExchangeEvent event_of(Exchange& exchange);
  Producer& producer_;
  const std::string gateway_id_;
  const std::string incarnation_;
  const std::vector<std::string>& slice_names_;
  const std::vector<int> slice_partitions_;  ///< of the log, by slice
  AccessLog& access_log_;
  std::atomic<std::uint64_t> sequence_{0};
};

}  // namespace phoenix::gateway
