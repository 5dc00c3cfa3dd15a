// One client request with its serving leg and its shadow leg. Lives on one event loop from the request's head until its
// event is handed over; the shadow leg keeps it after the client has its answer.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/events/exchange_event.hpp"
#include "core/model/exchange_id.hpp"
#include "gateway/asio.hpp"
#include "gateway/canary_selector.hpp"
#include "gateway/mapped_log.hpp"
#include "gateway/message_head.hpp"
#include "gateway/route_table.hpp"
#include "gateway/sequencer.hpp"
#include "gateway/settings.hpp"

namespace phoenix::gateway {

class EventLoop;
class UnsettledList;

/// An entry of UnsettledList: an exchange, or what is left of one in the spool.
struct Unsettled {
  Unsettled() = default;
  ~Unsettled();
  Unsettled(const Unsettled&) = delete;
  Unsettled& operator=(const Unsettled&) = delete;

  std::int64_t received_at_us = 0;

 private:
  friend class UnsettledList;
  Unsettled* older_ = nullptr;
  Unsettled* newer_ = nullptr;
  UnsettledList* listed_ = nullptr;
};

/// Where an exchange stands in the journal; nowhere: it does not.
struct Journaled {
  LogPosition intent;  // also its name there
  LogPosition served;  // all that is needed to send its shadow leg and to publish it
};

/// What one backend answered, bounded: the head, and the body up to capture_bytes with the hash of the whole.
struct Leg {
  LegOutcome outcome = LegOutcome::none;
  std::string head_text;  // `head` points into it
  ResponseHead head;
  std::string body;  // first capture_bytes of the decoded body
  bool truncated = false;
  bool cut = false;  // the rest was not read: size and hash are not those of the whole
  std::uint64_t body_bytes = 0;
  std::uint64_t body_hash = 0;
  std::int64_t sent_at_us = 0;
  std::int64_t duration_us = 0;

  [[nodiscard]] int status() const { return outcome == LegOutcome::ok ? head.status : 0; }
};

struct Exchange : Unsettled {
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
  bool calibration = false;                      // legacy is asked once more: `shadow` is legacy, too
  std::string_view excluded;
  std::string_view dropped;
  Journaled journaled;
  std::size_t held_at = 0;     // its place in the shadow dispatcher that holds it
  bool access_logged = false;  // a line of the access log is wanted at its end
  std::string client_address;  // of a logged one alone
  Leg serving;
  Leg shadow;

  static void* operator new(std::size_t bytes);
  static void operator delete(void* exchange, std::size_t bytes);

  [[nodiscard]] bool write() const { return !request.is_safe(); }
  [[nodiscard]] Side serving_side() const { return gated ? ticket.side : choice.target; }
  /// Memory that waiting for the shadow leg holds.
  [[nodiscard]] std::size_t held_bytes() const {
    return sizeof(Exchange) + head_text.size() + body.size() + forwarded_head.size() + serving.head_text.size() +
           serving.body.size();
  }
};

/// Keeps the memory of its heads for the next one of the thread.
struct EndExchange {
  void operator()(Exchange* exchange) const noexcept;
};
using ExchangePtr = std::unique_ptr<Exchange, EndExchange>;
ExchangePtr make_exchange();
/// Frees what this thread kept for the next ones and has not needed since the call before.
void free_unused_exchange_memory();

/// The compared exchanges of one event loop that have not ended, oldest first. Intrusive: no allocation per request.
class UnsettledList {
 public:
  void add(Unsettled& entry) {
    entry.listed_ = this;
    entry.older_ = newest_;
    (newest_ != nullptr ? newest_->newer_ : oldest_) = &entry;
    newest_ = &entry;
  }
  static void remove(Unsettled& entry) {
    if (entry.listed_ == nullptr) return;
    UnsettledList& list = *entry.listed_;
    (entry.older_ != nullptr ? entry.older_->newer_ : list.oldest_) = entry.newer_;
    (entry.newer_ != nullptr ? entry.newer_->older_ : list.newest_) = entry.older_;
    entry.listed_ = nullptr;
  }
  /// `to` takes the place of `from`.
  static void replace(Unsettled& from, Unsettled& to) {
    to.received_at_us = from.received_at_us;
    if (from.listed_ == nullptr) return;
    to.listed_ = std::exchange(from.listed_, nullptr);
    to.older_ = from.older_;
    to.newer_ = from.newer_;
    (to.older_ != nullptr ? to.older_->newer_ : to.listed_->oldest_) = &to;
    (to.newer_ != nullptr ? to.newer_->older_ : to.listed_->newest_) = &to;
  }
  [[nodiscard]] std::optional<std::int64_t> oldest_received_at_us() const {
    if (oldest_ == nullptr) return std::nullopt;
    return oldest_->received_at_us;
  }

 private:
  Unsettled* oldest_ = nullptr;
  Unsettled* newest_ = nullptr;
};

inline Unsettled::~Unsettled() {
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
