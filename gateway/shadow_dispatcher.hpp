// Sends shadow legs to one backend, from one event loop. Bounded in number and bytes; what does not fit is refused
// before anything is owed. Per-key order is the sequencer's: an exchange is run here when its turn has come. A backend
// that refuses connections costs one attempt per backoff, not one per request, and its exchanges wait.
#pragma once

#include <chrono>
#include <deque>
#include <unordered_map>

#include "gateway/asio.hpp"
#include "gateway/exchange.hpp"
#include "gateway/upstream.hpp"

namespace phoenix::gateway {

class EventLoop;

class ShadowDispatcher {
 public:
  ShadowDispatcher(EventLoop& loop, Side side);

  /// By the limits in force, shared out among the event loops.
  [[nodiscard]] bool has_room(const Exchange& exchange) const;
  /// Takes the exchange into keeping; it waits for run().
  void hold(ExchangePtr exchange);
  /// Its turn has come: to be sent as soon as a connection is free.
  void run(Exchange& exchange);
  /// The serving leg of a held exchange has ended; its event may go out once both legs are over.
  void serving_ended(Exchange& exchange);
  /// New settings may allow more connections than before.
  void settings_changed();
  /// At shutdown: everything still held is counted as dropped and published as such.
  void drop_all(std::string_view reason);
  [[nodiscard]] std::size_t backlog() const { return held_.size(); }

 private:
  struct Held {
    ExchangePtr exchange;
    std::size_t bytes = 0;
    bool shadow_over = false;
    bool serving_over = false;
  };
  void start_workers();
  Awaitable<void> work();
  Awaitable<LegOutcome> attempt(Exchange& exchange, Upstream& upstream, ConnectionPtr connection);
  static Awaitable<LegOutcome> receive(Exchange& exchange, Upstream& upstream, UpstreamConnection& connection,
                                       bool& reusable);
  Awaitable<void> back_off();
  void shadow_over(Exchange& exchange, LegOutcome outcome);
  void finish_if_both_over(Exchange& exchange);
  static void release_order(Exchange& exchange);

  EventLoop& loop_;
  const Side side_;
  std::unordered_map<Exchange*, Held> held_;
  std::size_t held_bytes_ = 0;
  std::deque<Exchange*> ready_;
  std::size_t workers_ = 0;
  bool backing_off_ = false;
  std::chrono::milliseconds backoff_{0};
  Timer backoff_timer_;
};

}  // namespace phoenix::gateway
