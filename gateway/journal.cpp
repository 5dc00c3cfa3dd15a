#include "gateway/journal.hpp"

#include <fmt/format.h>

#include <utility>

#include "core/model/result.hpp"
#include "gateway/byte_codec.hpp"

namespace phoenix::gateway {
namespace {

using Priority = MappedLog::Priority;

std::string mark_of(char kind, std::uint64_t intent) {
  std::string record;
  ByteWriter(record).put(kind).put(intent);
  return record;
}

std::string key_record(char kind, std::string_view slice, Side side, std::string_view key) {
  std::string record;
  ByteWriter(record).put(kind).put(side).text(slice).text(key);
  return record;
}

IncompleteKey key_of(ByteReader& in) {
  IncompleteKey key;
  key.side = in.get<Side>();
  key.slice = in.text();
  key.key = in.text();
  return key;
}

std::string name_of(std::string_view slice, Side side, std::string_view key) {
  return fmt::format("{}\n{}\n{}", index(side), slice, key);
}

// Kept for its memory: an event loop journals every write.
std::string& scratch() {
  thread_local std::string buffer;
  return buffer;
}

}  // namespace

StoredExchange::StoredExchange(const Journal& journal, const Journaled& at)
    : intent_view_(journal.read(at.intent)),
      served_view_(journal.read(at.served)),
      has_served_(static_cast<bool>(at.served)) {
  if (!decode_intent(intent_view_.bytes, intent) || (has_served_ && !decode_served(served_view_.bytes, served)))
    throw Failure(ErrorCode::internal,
                  "the journal holds a record that this version cannot read; finish the work of the "
                  "version that wrote it first");
}

Journal::Journal(MappedLog::Options options, std::vector<std::string> slice_names)
    : log_(std::move(options)), slice_names_(std::move(slice_names)) {
  log_.for_each([this](LogPosition at, std::string_view record) {
    ByteReader in(record);
    const char kind = in.get<char>();
    if (kind == 'X') {
      remember(key_of(in), at);
    } else if (kind == 'C') {
      const IncompleteKey key = key_of(in);
      forget(key.slice, key.side, key.key);
    }
  });
}

bool Journal::intend(Exchange& exchange, const ClientPeer& peer) {
  std::string& record = scratch();
  encode_intent(exchange, slice_names_[static_cast<std::size_t>(exchange.route->slice_index)], peer, record);
  const std::lock_guard lock(mutex_);
  exchange.journaled = {log_.append({record}, Priority::new_work), {}};
  if (!exchange.journaled.intent) return false;
  ++open_by_segment_[exchange.journaled.intent.segment()];
  return true;
}

bool Journal::served(Exchange& exchange) {
  std::string& record = scratch();
  encode_served(exchange, record);
  const LogPosition at = log_.append({record});
  if (at) exchange.journaled.served = at;
  return static_cast<bool>(at);
}

bool Journal::sending(const Exchange& exchange) {
  return static_cast<bool>(log_.append({mark_of('G', exchange.journaled.intent.value)}));
}

void Journal::done(Journaled& at) {
  if (!at.intent) return;
  const std::lock_guard lock(mutex_);
  if (log_.append({mark_of('D', at.intent.value)})) {
    forget_intent(at.intent);
  } else {
    unmarked_.push_back(at.intent);
  }
  at = {};
}

void Journal::forget_intent(LogPosition intent) {
  const auto found = open_by_segment_.find(intent.segment());
  if (found != open_by_segment_.end() && --found->second == 0) open_by_segment_.erase(found);
}

void Journal::retry_marks() {
  const std::lock_guard lock(mutex_);
  while (!unmarked_.empty() && log_.append({mark_of('D', unmarked_.back().value)})) {
    forget_intent(unmarked_.back());
    unmarked_.pop_back();
  }
}

void Journal::remember(const IncompleteKey& key, LogPosition at) {
  const auto [known, is_new] = incomplete_at_.try_emplace(name_of(key.slice, key.side, key.key), at.value);
  if (!is_new) incomplete_.erase(std::exchange(known->second, at.value));  // it was moved, and the log kept both
  incomplete_.emplace(at.value, key);
}

void Journal::forget(std::string_view slice, Side side, const BusinessKey& key) {
  if (key != kUnknownKey) {
    const auto found = incomplete_at_.find(name_of(slice, side, key));
    if (found == incomplete_at_.end()) return;
    incomplete_.erase(found->second);
    incomplete_at_.erase(found);
    return;
  }
  std::erase_if(incomplete_, [&](const auto& entry) {
    if (entry.second.slice != slice || entry.second.side != side) return false;
    incomplete_at_.erase(name_of(slice, side, entry.second.key));
    return true;
  });
}

bool Journal::incomplete(std::string_view slice, Side side, const std::vector<BusinessKey>& keys) {
  bool on_record = true;
  const std::lock_guard lock(mutex_);
  for (const auto& key : keys) {
    if (incomplete_at_.contains(name_of(slice, side, key))) continue;
    const LogPosition at = log_.append({key_record('X', slice, side, key)});
    if (at) remember({std::string(slice), side, key}, at);
    on_record = on_record && at;
  }
  return on_record;
}

bool Journal::complete(std::string_view slice, Side side, const std::vector<BusinessKey>& keys) {
  bool on_record = true;
  const std::lock_guard lock(mutex_);
  for (const auto& key : keys) {
    if (log_.append({key_record('C', slice, side, key)})) {
      forget(slice, side, key);
    } else {
      on_record = false;
    }
  }
  return on_record;
}

void Journal::maintain() {
  log_.maintain();
  retry_marks();
  std::uint32_t keep_from = log_.end().segment();
  {
    const std::lock_guard lock(mutex_);
    if (!open_by_segment_.empty()) keep_from = std::min(keep_from, open_by_segment_.begin()->first);
  }
  if (log_.oldest_segment() < keep_from && move_keys_before(keep_from)) log_.drop_segments_before(keep_from);
}

// Keys that are incomplete stay so when their segment goes. A few at a time: intents wait for the lock. True when all
// have been moved.
bool Journal::move_keys_before(std::uint32_t segment) {
  constexpr int kAtOnce = 200;
  const std::lock_guard lock(mutex_);
  for (int i = 0; i < kAtOnce; ++i) {
    const auto first = incomplete_.begin();
    if (first == incomplete_.end() || LogPosition{first->first}.segment() >= segment) return true;
    const IncompleteKey key = first->second;
    const LogPosition moved = log_.append({key_record('X', key.slice, key.side, key.key)});
    if (!moved) return false;
    incomplete_.erase(first);
    incomplete_.emplace(moved.value, key);
    incomplete_at_[name_of(key.slice, key.side, key.key)] = moved.value;
  }
  return false;
}

std::vector<OpenExchange> Journal::open_exchanges() {
  std::map<std::uint64_t, OpenExchange> open;
  log_.for_each([&](LogPosition at, std::string_view record) {
    ByteReader in(record);
    const char kind = in.get<char>();
    if (kind == 'I') {
      open[at.value].at.intent = at;
      return;
    }
    const auto found = open.find(in.get<std::uint64_t>());
    if (found == open.end()) return;
    if (kind == 'S') found->second.at.served = at;
    if (kind == 'G') found->second.sending = true;
    if (kind == 'D') open.erase(found);
  });
  std::vector<OpenExchange> out;
  const std::lock_guard lock(mutex_);
  open_by_segment_.clear();
  for (const auto& [position, exchange] : open) {
    out.push_back(exchange);
    ++open_by_segment_[exchange.at.intent.segment()];
  }
  return out;
}

std::vector<IncompleteKey> Journal::incomplete_keys() const {
  std::vector<IncompleteKey> keys;
  const std::lock_guard lock(mutex_);
  for (const auto& [position, key] : incomplete_) keys.push_back(key);
  return keys;
}

}  // namespace phoenix::gateway
