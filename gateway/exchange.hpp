// One client request with its serving leg and its shadow leg. Lives on one event loop from the request's head until its
// event is handed over; the shadow leg keeps it after the client has its answer.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/events/exchange_event.hpp"
#include "core/model/exchange_id.hpp"
#include "gateway/asio.hpp"
#include "gateway/canary_selector.hpp"
#include "gateway/message_head.hpp"
#include "gateway/route_table.hpp"
#include "gateway/sequencer.hpp"
#include "gateway/settings.hpp"

namespace phoenix::gateway {

class EventLoop;
class UnsettledList;

/// What one backend answered, bounded: the head, and the body up to capture_bytes with the hash of the whole.
struct Leg {
  LegOutcome outcome = LegOutcome::none;
  std::string head_text;  // `head` points into it
  ResponseHead head;
  std::string body;  // first capture_bytes of the decoded body
  bool truncated = false;
  std::uint64_t body_bytes = 0;
  std::uint64_t body_hash = 0;
  std::int64_t sent_at_us = 0;
  std::int64_t duration_us = 0;

  [[nodiscard]] int status() const { return outcome == LegOutcome::ok ? head.status : 0; }
};

struct Exchange {
  Exchange() = default;
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  ExchangeId id;
  std::string id_text;
  std::string request_id;
  std::string head_text;  // `request` points into it
  RequestHead request;
  std::string body;            // decoded, up to limits.shadow_body_bytes
  bool body_complete = true;   // false: longer than the limit, the rest is streamed to the serving side alone
  bool body_withheld = false;  // the client waits until the serving side asks for it
  std::uint64_t body_bytes = 0;
  std::uint64_t body_hash = 0;

  SettingsPtr settings;                  // those it began with; `route` points into them
  SteadyTime until = SteadyTime::max();  // timeouts.total, for its serving leg
  std::string_view upgrade;              // the protocol that the client may switch to; empty: none
  const Route* route = nullptr;
  EffectiveSlice slice;
  std::uint64_t policy_epoch = 0;
  SideChoice choice;
  std::vector<BusinessKey> keys;
  KeyState key_state = KeyState::none_configured;
  Ticket ticket;
  bool gated = false;  // went through the sequencer
  Sequencer* sequencer = nullptr;
  EventLoop* loop = nullptr;
  Timer* wait_timer = nullptr;  // while it waits to be admitted
  bool granted = false;         // the sequencer's notice has arrived
  std::string assigned_id;      // made by the serving side, adopted by the shadow

  std::optional<Side> override_side;  // asked for with the token (side_override.hpp)
  bool forced = false;                // it decided the target

  std::string forwarded_head;  // to the backends; each leg adds its own last lines
  bool fell_back = false;      // modern failed before the client saw anything, and legacy serves in its place
  bool shadow_before = false;  // choice.shadow before that
  LegOutcome failed_outcome = LegOutcome::none;  // how modern failed then
  std::string_view excluded;
  std::string_view dropped;
  std::int64_t received_at_us = 0;
  bool access_logged = false;  // a line of the access log is wanted at its end
  std::string client_address;  // of a logged one alone
  Exchange* older = nullptr;   // neighbours in the loop's list of exchanges that have not ended
  Exchange* newer = nullptr;
  UnsettledList* listed = nullptr;
  Leg serving;
  Leg shadow;

  [[nodiscard]] bool write() const { return !request.is_safe(); }
  [[nodiscard]] Side serving_side() const { return gated ? ticket.side : choice.target; }
  /// Memory that waiting for the shadow leg holds.
  [[nodiscard]] std::size_t held_bytes() const {
    return sizeof(Exchange) + head_text.size() + body.size() + forwarded_head.size() + serving.head_text.size() +
           serving.body.size();
  }
};

using ExchangePtr = std::unique_ptr<Exchange>;

/// The compared exchanges of one event loop that have not ended, oldest first. Intrusive: no allocation per request.
class UnsettledList {
 public:
  void add(Exchange& exchange) {
    exchange.listed = this;
    exchange.older = newest_;
    (newest_ != nullptr ? newest_->newer : oldest_) = &exchange;
    newest_ = &exchange;
  }
  static void remove(Exchange& exchange) {
    if (exchange.listed == nullptr) return;
    UnsettledList& list = *exchange.listed;
    (exchange.older != nullptr ? exchange.older->newer : list.oldest_) = exchange.newer;
    (exchange.newer != nullptr ? exchange.newer->older : list.newest_) = exchange.older;
    exchange.listed = nullptr;
  }
  [[nodiscard]] std::optional<std::int64_t> oldest_received_at_us() const {
    if (oldest_ == nullptr) return std::nullopt;
    return oldest_->received_at_us;
  }

 private:
  Exchange* oldest_ = nullptr;
  Exchange* newest_ = nullptr;
};

inline Exchange::~Exchange() {
  UnsettledList::remove(*this);
}

/// A time-out, a reset or a 5xx on a write: the backend may or may not have applied it.
[[nodiscard]] inline bool is_uncertain(const Leg& leg) {
  if (leg.outcome == LegOutcome::ok) return leg.head.status >= 500;
  return leg.outcome == LegOutcome::timeout || leg.outcome == LegOutcome::reset || leg.outcome == LegOutcome::malformed;
}
[[nodiscard]] inline bool accepted(const Leg& leg) {
  return leg.status() >= 200 && leg.status() < 300;
}

std::int64_t unix_us();

/// Size and hash of the body as far as it was kept, for the event.
void measure_body(Exchange& exchange);

}  // namespace phoenix::gateway
