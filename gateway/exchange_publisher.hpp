// Ends an exchange: puts it into its bucket of the account and, where its slice is compared, hands its event to the
// log, and its line to the access log.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "gateway/access_log.hpp"
#include "gateway/accounting.hpp"
#include "gateway/event_spool.hpp"
#include "gateway/exchange.hpp"

namespace phoenix::gateway {

class ExchangePublisher {
 public:
  ExchangePublisher(EventSink& events, std::string gateway_id, std::string incarnation,
                    const std::vector<std::string>& slice_names, std::vector<int> slice_partitions,
                    AccessLog& access_log);

  /// Once per exchange, on its loop. Never blocks: where there is no room for the event, the exchange counts as
  /// dropped(event_log_full).
  void finish(Exchange& exchange, EventLoop& loop);
  /// An exchange that died with an earlier process and is counted as lost already: its event alone.
  void publish_lost(Exchange& exchange);
  /// Two answers of legacy to one read: no exchange of a client, and in no account. Where there is no room it is lost.
  void publish_repeat(Exchange& exchange);

 private:
  void publish(Exchange& exchange, Account& account, std::uint32_t loop);
  bool publish(Exchange& exchange, const EventCount& count);
  void log(const Exchange& exchange);
  void fill(ExchangeEventView& event, Exchange& exchange, ReplacedTexts& replaced);

  EventSink& events_;
  const std::string gateway_id_;
  const std::string incarnation_;
  const std::vector<std::string>& slice_names_;
  const std::vector<int> slice_partitions_;  ///< of the log, by slice
  AccessLog& access_log_;
  std::atomic<std::uint64_t> sequence_{0};
};

}  // namespace phoenix::gateway
