// Order and currency of the keys of one slice.
//
// Order: shadow legs of one key leave in the order in which their serving legs completed; tickets for all keys of an
// exchange are taken in one step, so that A->B and B->A cannot wait for each other.
// Currency: a key is served only by a side that has applied every exchange of it that a client was told about, with no
// write in flight on the other side (invariant 11). If the target side is not current the other one serves; if neither
// is, the exchange waits.
//
// Thread-safe: one mutex, held for a few map operations (no I/O, no callback under it). In memory; after a restart the
// journal's record is put back by restore() and mark_incomplete(), before the first admit().
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/model/business_key.hpp"
#include "core/model/traffic_policy.hpp"

namespace phoenix::gateway {

struct KeyEntry;  // what is known of one key

/// Stands for all keys of a slice.
inline const std::vector<BusinessKey> kEveryKey{BusinessKey(kUnknownKey)};

/// One exchange's place in the order of its keys. Owned by the exchange; must stay put between admit() and the end,
/// unless Sequencer::relocate() moves it.
struct Ticket {
  // Set by the caller before admit().
  std::vector<BusinessKey> keys;
  bool any_key = false;  ///< the keys could not be had: stands for every key of the slice
  bool write = false;
  bool strict = false;     ///< one write per key in flight
  bool unordered = false;  ///< the shadow leg need not keep the order (currency still holds)
  Side target = Side::legacy;
  bool other_side_allowed = false;  ///< false while modern must not serve
  void* owner = nullptr;
  /// Called outside the lock, on any thread, when a waiting ticket was granted. The owner must stay alive until then.
  void (*resume)(Ticket&) = nullptr;
  /// Called outside the lock, on any thread, when the shadow leg may be sent.
  void (*run_shadow)(Ticket&) = nullptr;

  // Set by the sequencer.
  Side side = Side::legacy;
  /// A write of one of its keys was in flight at the same time: on the serving side, or, for a queued read, served by
  /// the side that its shadow leg goes to. Other threads may still set the latter: read it by overlapped().
  bool overlap = false;
  std::vector<std::uint64_t> sequences;  ///< per key, from 1
  std::uint64_t completion = 0;          ///< of the slice: agrees with the order of every key

  [[nodiscard]] bool overlapped() { return std::atomic_ref(overlap).load(std::memory_order_relaxed); }

 private:
  friend class Sequencer;
  friend struct KeyEntry;
  struct Place {
    KeyEntry* entry = nullptr;
    Ticket* ticket = nullptr;
    std::uint64_t writes_seen = 0;  // the key's write count at admission
    Place* before = nullptr;        // in the key's shadow queue
    Place* behind = nullptr;
    bool at_front = false;  // of that queue, as far as it matters to this ticket
    bool queued = false;
  };
  std::vector<Place> places_;
  std::size_t not_at_front_ = 0;
  std::uint64_t any_key_writes_seen_ = 0;  // of the slice, at admission
  bool waiting_ = false;
  bool admitted_ = false;
  bool queued_ = false;
};

enum class Admission { granted, waiting };

/// What the serving leg left for the shadow side.
enum class ShadowNeed {
  send,     ///< send the shadow leg in its turn
  none,     ///< nothing is owed (refused before it was sent, not compared and no write)
  forfeit,  ///< a write took effect, or may have, and its shadow leg will not be sent: the shadow side is incomplete
};

enum class ShadowResult { applied, lost, disagreed };

class Sequencer {
 public:
  explicit Sequencer(std::size_t max_idle_keys = 200'000);
  ~Sequencer();
  Sequencer(const Sequencer&) = delete;
  Sequencer& operator=(const Sequencer&) = delete;

  Admission admit(Ticket& ticket);
  /// Whether a waiting strict write has writes of its keys before it; otherwise it waits for a side to become current.
  [[nodiscard]] bool stands_in_line(const Ticket& ticket) const;
  /// Gives up waiting; false when the ticket was granted meanwhile (it is then admitted and must go on or be
  /// abandoned).
  bool cancel_wait(Ticket& ticket);
  /// Admitted, but nothing was sent to a backend.
  void abandon(Ticket& ticket);
  /// The serving leg is over; call it before the client can learn the outcome. Fills overlap and sequences. A read that
  /// overlapped a write is not shadowed: `send` then means `none`. Returns true when the shadow leg may be sent at
  /// once; otherwise run_shadow is called later.
  bool complete(Ticket& ticket, ShadowNeed need);
  /// The shadow leg that complete() queued is over.
  void shadow_done(Ticket& ticket, ShadowResult result);
  /// True between complete(send) and shadow_done().
  [[nodiscard]] static bool is_queued(const Ticket& ticket) { return ticket.queued_; }
  /// Moves a queued ticket to another place in memory, with the `owner` and callbacks that `to` has; its keys and
  /// sequences are left behind, for they stand in the journal. False, and nothing has changed, where run_shadow is
  /// under way; `delivered`: its owner has it already.
  bool relocate(Ticket& from, Ticket& to, bool delivered);
  /// At start, in the order of `completion`: a shadow leg that an earlier process left. `ticket` has its keys, its
  /// side, its kind and its completion, behind which this process counts on. True when it may be sent at once.
  bool restore(Ticket& ticket);
  /// From now on `side` must not serve these keys ("*": any), unless the other one is incomplete already.
  void mark_incomplete(const std::vector<BusinessKey>& keys, Side side);
  /// Somebody has brought `side` up to date for these keys ("*": all).
  void mark_complete(const std::vector<BusinessKey>& keys, Side side);

  struct Summary {
    std::uint64_t behind_keys[2] = {0, 0};      ///< keys whose shadow writes wait, by side that lacks them
    std::uint64_t incomplete_keys[2] = {0, 0};  ///< tainted or divergent, by side that must not serve them
    std::vector<std::string> examples[2];       ///< up to 20 keys of either kind, by side
  };
  [[nodiscard]] Summary summary() const;
  struct LaggingKeys {
    std::vector<std::string> behind[2], incomplete[2];  ///< by the side that lacks something
  };
  /// Up to `most` keys of each side. Holds the lock for as long as that takes.
  [[nodiscard]] LaggingKeys lagging_keys(std::size_t most) const;
  /// What is under way of one key, by side; what stands for all keys included.
  struct StateOfKey {
    std::uint64_t behind[2] = {0, 0};     ///< writes that this side has yet to apply
    std::uint64_t in_flight[2] = {0, 0};  ///< writes that this side is serving
    bool incomplete[2] = {false, false};
  };
  [[nodiscard]] StateOfKey state_of_key(const BusinessKey& key) const;

 private:
  /// Collected under the lock, called after it.
  using Wakes = std::vector<std::pair<void (*)(Ticket&), Ticket*>>;
  static void call(const Wakes& wakes) {
    for (const auto& [wake, ticket] : wakes) wake(*ticket);
  }
  KeyEntry& entry(const BusinessKey& key);
  void pin(Ticket& ticket);
  void unpin(Ticket& ticket);
  [[nodiscard]] bool current(const Ticket& ticket, Side side) const;
  [[nodiscard]] std::optional<Side> side_for(const Ticket& ticket) const;
  void grant(Ticket& ticket, Side side);
  static void overtake_reads(KeyEntry& key, Side side);
  void leave_serving(Ticket& ticket);
  bool enqueue_shadow(Ticket& ticket);
  void advance(KeyEntry& entry, Wakes& wakes);
  void wake_waiters(Wakes& wakes);
  void mark_incomplete_locked(Ticket& ticket, Side side);
  void mark_incomplete_locked(KeyEntry& key, std::size_t side);
  void mark_any_incomplete_locked(std::size_t side);
  void add_behind(KeyEntry& key, std::size_t side);
  void take_behind(KeyEntry& key, std::size_t side);
  void update_lagging(KeyEntry& key, std::size_t side);
  [[nodiscard]] bool earlier_waiter_shares_key(const Ticket& ticket) const;
  static bool writes_in_flight(const Ticket& ticket);
  void evict_idle();

  const std::size_t max_idle_keys_;
  mutable std::mutex mutex_;
  std::unordered_map<BusinessKey, KeyEntry> entries_;
  std::vector<Ticket*> waiters_;  // in order of arrival
  // Sums over all keys, for tickets that stand for every key.
  std::array<std::uint64_t, 2> behind_{};
  std::array<std::uint64_t, 2> writes_in_flight_{};
  std::array<std::uint64_t, 2> any_key_writes_in_flight_{};
  std::uint64_t any_key_writes_started_ = 0;
  std::array<std::uint64_t, 2> incomplete_{};
  std::array<bool, 2> all_incomplete_{};
  std::array<std::uint64_t, 2> behind_keys_{};
  std::array<KeyEntry*, 2> lagging_{};  // lists of the keys that are behind or incomplete, the latest first
  std::uint64_t completions_ = 0;
};

}  // namespace phoenix::gateway
