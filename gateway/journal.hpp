// What the gateway must not forget of its writes, on a MappedLog in `state_dir`. It is the spool as well: a shadow leg
// that has to wait long is dropped from memory and read from here when its turn comes.
//
// For each write that is shadowed or keeps an order, in this turn:
//   intent    before its first byte goes to the serving side
//   served    its serving leg is over and a shadow leg is owed; before the client can learn the outcome
//   sending   before the first byte of the shadow leg
//   done      nothing is owed any more
// and beside them the keys that one side must not serve (incomplete), until somebody says otherwise (complete).
// What a crash leaves: an intent alone is a write that the serving side may or may not have applied; `served` is a
// shadow leg to be sent; `sending` is one that may have been delivered.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "gateway/exchange.hpp"
#include "gateway/exchange_record.hpp"
#include "gateway/head_writer.hpp"
#include "gateway/mapped_log.hpp"

namespace phoenix::gateway {

/// A write that was under way when the last process ended.
struct OpenExchange {
  Journaled at;
  bool sending = false;
};

/// The records of one exchange, mapped for as long as this lives. Throws Failure when they cannot be read.
class StoredExchange {
 public:
  StoredExchange(const class Journal& journal, const Journaled& at);
  [[nodiscard]] const ServedRecord* served_record() const { return has_served_ ? &served : nullptr; }

  IntentRecord intent;
  ServedRecord served;

 private:
  LogRecordView intent_view_, served_view_;
  bool has_served_ = false;
};

struct IncompleteKey {
  std::string slice;
  Side side = Side::legacy;
  BusinessKey key;  // kUnknownKey: every one of the slice
};

/// Thread-safe. Nothing here waits for the disk; maintain() does.
class Journal {
 public:
  explicit Journal(MappedLog::Options options, std::vector<std::string> slice_names);

  /// False, and nothing is on record, when there is no room; the exchange must then not count on its shadow leg.
  bool intend(Exchange& exchange, const ClientPeer& peer);
  bool served(Exchange& exchange);
  bool sending(const Exchange& exchange);
  /// Also of an exchange that is not on record.
  void done(Journaled& at);
  /// False when it could not be put on record.
  bool incomplete(std::string_view slice, Side side, const std::vector<BusinessKey>& keys);
  bool complete(std::string_view slice, Side side, const std::vector<BusinessKey>& keys);

  [[nodiscard]] LogRecordView read(LogPosition at) const { return log_.read(at); }
  /// Forgets what is over, and prepares room. Not on an I/O thread.
  void maintain();
  [[nodiscard]] std::uint64_t bytes() const { return log_.bytes(); }
  [[nodiscard]] std::string problem() const { return log_.problem(); }

  /// At start: what the record holds. In the order of their intents.
  [[nodiscard]] std::vector<OpenExchange> open_exchanges();
  /// In the order in which they became so.
  [[nodiscard]] std::vector<IncompleteKey> incomplete_keys() const;

 private:
  void remember(const IncompleteKey& key, LogPosition at);
  bool move_keys_before(std::uint32_t segment);
  void retry_marks();
  void forget_intent(LogPosition intent);
  void forget(std::string_view slice, Side side, const BusinessKey& key);

  MappedLog log_;
  const std::vector<std::string> slice_names_;
  mutable std::mutex mutex_;
  std::map<std::uint32_t, std::uint64_t> open_by_segment_;  // intents that are not done
  std::vector<LogPosition> unmarked_;                       // intents that are done, but the log had no room to say so
  std::map<std::uint64_t, IncompleteKey> incomplete_;       // by the position of their record
  std::unordered_map<std::string, std::uint64_t> incomplete_at_;  // the same by side, slice and key
};

}  // namespace phoenix::gateway
