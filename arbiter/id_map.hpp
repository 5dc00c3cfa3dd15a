// A map by exchange id that keeps a hash of 128 bits instead of the id: hundreds of thousands are remembered for as
// long as the arbiter runs. XXH3-128; the ids are the gateways' own, so that nobody searches for two with one hash.
// References to values stay until they are erased. Pure.
#pragma once

#include <xxhash.h>

#include <cstdint>
#include <deque>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

namespace phoenix::arbiter {

struct IdHash {
  std::uint64_t low = 0, high = 0;
  static IdHash of(std::string_view id) {
    const XXH128_hash_t hash = XXH3_128bits(id.data(), id.size());
    return {hash.low64, hash.high64};
  }
  friend bool operator==(const IdHash&, const IdHash&) = default;
};

template <class Value>
class IdMap {
 public:
  using Entry = std::pair<IdHash, Value>;

  IdMap() : slots_(kFewestSlots, kFree) {}

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }

  /// nullptr, which is end(), where there is none.
  [[nodiscard]] Entry* find(std::string_view id) { return find(IdHash::of(id)); }
  [[nodiscard]] const Entry* find(std::string_view id) const { return find(IdHash::of(id)); }
  [[nodiscard]] Entry* find(const IdHash& hash) {
    const std::uint32_t place = slots_[slot_of(hash)];
    return place == kFree ? nullptr : &entries_[place];
  }
  [[nodiscard]] const Entry* find(const IdHash& hash) const {
    const std::uint32_t place = slots_[slot_of(hash)];
    return place == kFree ? nullptr : &entries_[place];
  }
  [[nodiscard]] static Entry* end() { return nullptr; }
  [[nodiscard]] bool contains(std::string_view id) const { return find(id) != nullptr; }
  /// Throws std::out_of_range.
  [[nodiscard]] Value& at(std::string_view id) {
    Entry* const entry = find(id);
    if (entry == nullptr) throw std::out_of_range("IdMap: unknown id");
    return entry->second;
  }

  /// False, and nothing changes, where the id has a value.
  bool insert(const IdHash& hash, Value value) {
    const std::size_t slot = slot_of(hash);
    if (slots_[slot] != kFree) return false;
    slots_[slot] = keep(hash, std::move(value));
    if (++size_ * 2 > slots_.size()) grow();
    return true;
  }
  void insert_or_assign(std::string_view id, Value value) {
    const IdHash hash = IdHash::of(id);
    if (Entry* const entry = find(hash)) {
      entry->second = std::move(value);
    } else {
      insert(hash, std::move(value));
    }
  }

  void erase(std::string_view id) { erase(IdHash::of(id)); }
  void erase(const IdHash& hash) {
    std::size_t hole = slot_of(hash);
    if (slots_[hole] == kFree) return;
    entries_[slots_[hole]] = {};
    unused_.push_back(slots_[hole]);
    --size_;
    // Those behind it move up, as far as their own place allows, so that no search ends at the hole.
    for (std::size_t next = after(hole); slots_[next] != kFree; next = after(next)) {
      const std::size_t home = home_of(entries_[slots_[next]].first);
      if (((next - home) & mask()) < ((next - hole) & mask())) continue;
      slots_[hole] = slots_[next];
      hole = next;
    }
    slots_[hole] = kFree;
  }

 private:
  static constexpr std::uint32_t kFree = UINT32_MAX;
  static constexpr std::size_t kFewestSlots = 64;  // a power of two, as any number of them

  [[nodiscard]] std::size_t mask() const { return slots_.size() - 1; }
  [[nodiscard]] std::size_t home_of(const IdHash& hash) const { return hash.low & mask(); }
  [[nodiscard]] std::size_t after(std::size_t slot) const { return (slot + 1) & mask(); }
  /// Where the hash stands, or would.
  [[nodiscard]] std::size_t slot_of(const IdHash& hash) const {
    std::size_t slot = home_of(hash);
    while (slots_[slot] != kFree && !(entries_[slots_[slot]].first == hash)) slot = after(slot);
    return slot;
  }

  std::uint32_t keep(const IdHash& hash, Value value) {
    if (unused_.empty()) {
      entries_.emplace_back(hash, std::move(value));
      return static_cast<std::uint32_t>(entries_.size() - 1);
    }
    const std::uint32_t place = unused_.back();
    unused_.pop_back();
    entries_[place] = {hash, std::move(value)};
    return place;
  }

  void grow() {
    const std::vector<std::uint32_t> before =
        std::exchange(slots_, std::vector<std::uint32_t>(slots_.size() * 2, kFree));
    for (const std::uint32_t place : before) {
      if (place != kFree) slots_[slot_of(entries_[place].first)] = place;
    }
  }

  std::vector<std::uint32_t> slots_;  ///< places in entries_; open addressing, at most half of them taken
  std::deque<Entry> entries_;
  std::vector<std::uint32_t> unused_;
  std::size_t size_ = 0;
};

}  // namespace phoenix::arbiter
