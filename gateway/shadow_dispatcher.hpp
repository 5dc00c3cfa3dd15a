// Sends shadow legs to one backend, from one event loop. Per-key order is the sequencer's: an exchange is run here when
// its turn has come. What waits is bounded in number and bytes; beyond that writes rest in the journal and reads are
// refused before anything is owed. A backend that refuses connections, or breaks off one leg after the other, costs one
// attempt per backoff, not one per request, and its exchanges wait.
#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <unordered_map>
#include <vector>

#include "gateway/asio.hpp"
#include "gateway/exchange.hpp"
#include "gateway/upstream.hpp"

namespace phoenix::gateway {

class EventLoop;
class ShadowDispatcher;

/// A shadow leg that rests in the journal: its place in the order of its keys, and where to read the rest. About 350
/// bytes of memory.
struct SpooledLeg : Unsettled {
  Ticket ticket;
  Journaled at;
  ShadowDispatcher* dispatcher = nullptr;
  Sequencer* sequencer = nullptr;
  bool gated = false;
  int route = 0;  // Route::index, which a reload does not change
};

class ShadowDispatcher {
 public:
  ShadowDispatcher(EventLoop& loop, Side side);
  ~ShadowDispatcher();
  ShadowDispatcher(const ShadowDispatcher&) = delete;
  ShadowDispatcher& operator=(const ShadowDispatcher&) = delete;

  /// In memory, by the limits in force, shared out among the event loops.
  [[nodiscard]] bool has_room(const Exchange& exchange) const;
  /// Takes the exchange into keeping; it waits for run().
  void hold(ExchangePtr exchange);
  /// Its turn has come: to be sent as soon as a connection is free.
  void run(Exchange& exchange);
  void run(SpooledLeg& leg);
  /// The same from any thread.
  void run_later(SpooledLeg& leg);
  /// The serving leg of a held exchange has ended; its event may go out once both legs are over.
  void serving_ended(Exchange& exchange);
  /// A leg that an earlier process left, before the loop runs. Its ticket has been restored; `run_now`: it has its
  /// turn. It is for the caller to list it as unsettled.
  void take_over(std::unique_ptr<SpooledLeg> leg, bool run_now);
  /// New settings may allow more connections than before.
  void settings_changed();
  /// Gives up what has waited longer than `limits.spool_age`. Looks about once a second.
  void drop_expired(SteadyTime now);
  /// At shutdown, when the loop runs no more: what the journal has stays there for the next start; the rest is counted
  /// as dropped and published as such. Returns how many were dropped.
  std::size_t leave(std::string_view reason);
  /// Shadow legs that wait or are under way.
  [[nodiscard]] std::size_t backlog() const { return held_.size() + spooled_.size(); }
  /// Of these, those that rest in the journal alone.
  [[nodiscard]] std::size_t spooled() const { return spooled_.size(); }
  /// Those that nobody need wait for before the process ends: the journal has them, and nothing can be sent now.
  [[nodiscard]] std::size_t resting() const;

 private:
  struct Held {
    ExchangePtr exchange;
    std::size_t bytes = 0;
    bool streamed = false;  // its answer was not over when it was put on record
    bool shadow_over = false;
    bool serving_over = false;
  };
  /// One of the two.
  struct Ready {
    Exchange* exchange = nullptr;
    SpooledLeg* spooled = nullptr;
  };
  /// At rest nothing is sent, for as long as the backoff takes; then one leg tries, and what it comes to decides.
  enum class Pace { free, resting, trying };
  [[nodiscard]] bool is_expired(const Unsettled& entry) const;
  Held& held(const Exchange& exchange) { return held_[exchange.held_at]; }
  ExchangePtr let_go(const Exchange& exchange);
  [[nodiscard]] bool is_full(std::size_t more_exchanges, std::size_t more_bytes) const;
  SpooledLeg* spool(Exchange& exchange, bool has_turn);
  Exchange* unspool(SpooledLeg& leg);
  void abandon(SpooledLeg& leg);
  [[nodiscard]] bool is_cut_off() const;
  void start_workers();
  Awaitable<void> work();
  Awaitable<void> turn();
  void next_turn();
  Awaitable<Lease::Verdict> deliver(Exchange& exchange, UpstreamPtr upstream, ConnectionPtr connection);
  Awaitable<LegOutcome> attempt(Exchange& exchange, Upstream& upstream, ConnectionPtr connection);
  Awaitable<LegOutcome> receive(Exchange& exchange, Upstream& upstream, UpstreamConnection& connection, bool& reusable);
  [[nodiscard]] bool only_fails() const;
  void note(Lease::Verdict verdict);
  void go_on();
  Awaitable<void> back_off();
  void give_up(Exchange& exchange, std::string_view reason);
  void shadow_over(Exchange& exchange, LegOutcome outcome);
  void finish_if_both_over(Exchange& exchange);
  static void release_order(Exchange& exchange);

  EventLoop& loop_;
  const Side side_;
  std::vector<Held> held_;  // at Exchange::held_at, in no order
  std::size_t held_bytes_ = 0;
  std::unordered_map<SpooledLeg*, std::unique_ptr<SpooledLeg>> spooled_;
  std::deque<Ready> ready_;
  std::size_t workers_ = 0;
  Pace pace_ = Pace::free;
  int failures_ = 0;          // legs in a row that were reset or answered with nonsense
  bool told_ = false;         // that they only fail
  SteadyTime answered_at_{};  // the latest one that did
  std::chrono::milliseconds backoff_{0};
  Timer backoff_timer_;
  std::size_t waiting_for_turn_ = 0;
  std::size_t fresh_ = 0;  // legs that may be begun without a turn, because as many have come
  bool turning_ = false;   // next_turn() is posted
  Timer turn_timer_;       // never expires: cancel_one() lets one go on
  SteadyTime next_look_{};
};

}  // namespace phoenix::gateway
