#include "gateway/journal.hpp"

#include <fmt/format.h>

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
    : intent_view_(journal.read(at.intent)), served_view_(journal.read(at.served)), has_served_(static_cast<bool>(at.served)) {
  if (!decode_intent(intent_view_.bytes, intent) || (has_served_ && !decode_served(served_view_.bytes, served)))
    throw Failure(ErrorCode::internal, "the journal holds a record that this version cannot read; finish the work of the "
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
  // Where there is no room for it, the exchange is taken for one that is under way, which errs on the safe side.
  log_.append({mark_of('D', at.intent.value)});
  const std::lock_guard lock(mutex_);
  const auto found = open_by_segment_.find(at.intent.segment());
  if (found != open_by_segment_.end() && --found->second == 0) open_by_segment_.erase(found);
  at = {};
}

void Journal::remember(const IncompleteKey& key, LogPosition at) {
  incomplete_.insert_or_assign(name_of(key.slice, key.side, key.key), std::pair(key, at));
}

void Journal::forget(std::string_view slice, Side side, const BusinessKey& key) {
  if (key != kUnknownKey) {
    incomplete_.erase(name_of(slice, side, key));
    return;
  }
  std::erase_if(incomplete_, [&](const auto& entry) {
    return entry.second.first.slice == slice && entry.second.first.side == side;
  });
}

bool Journal::incomplete(std::string_view slice, Side side, const std::vector<BusinessKey>& keys) {
  bool on_record = true;
  const std::lock_guard lock(mutex_);
  for (const auto& key : keys) {
    if (incomplete_.contains(name_of(slice, side, key))) continue;
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
    on_record = log_.append({key_record('C', slice, side, key)}) && on_record;
    forget(slice, side, key);
  }
  return on_record;
}

void Journal::maintain() {
  log_.maintain();
  std::uint32_t keep_from = log_.end().segment();
  const std::uint32_t oldest = log_.oldest_segment();
  if (oldest >= keep_from) return;
  {
    const std::lock_guard lock(mutex_);
    if (!open_by_segment_.empty()) keep_from = std::min(keep_from, open_by_segment_.begin()->first);
    if (oldest >= keep_from) return;
    for (auto& [name, entry] : incomplete_) {
      auto& [key, at] = entry;
      if (at.segment() >= keep_from) continue;
      const LogPosition moved = log_.append({key_record('X', key.slice, key.side, key.key)});
      if (!moved) return;  // their segments stay
      at = moved;
    }
  }
  log_.drop_segments_before(keep_from);
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
  for (const auto& [name, entry] : incomplete_) keys.push_back(entry.first);
  return keys;
}

}  // namespace phoenix::gateway
