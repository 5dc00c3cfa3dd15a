// Keeps the first bytes of a body and the hash of all of it, as it streams by.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <new>
#include <string_view>

#include "gateway/body_hash.hpp"
#include "gateway/exchange.hpp"

namespace phoenix::gateway {

/// Not thread-safe. `leg` must outlive it; its body fields are overwritten.
class BodyCapture {
 public:
  BodyCapture(const BodyCapture&) = delete;
  BodyCapture& operator=(const BodyCapture&) = delete;
  BodyCapture(Leg& leg, std::size_t capture_bytes) : leg_(leg), capture_bytes_(capture_bytes) {
    XXH3_64bits_reset(hash_);
    leg_.body.clear();
    leg_.body_bytes = 0;
  }
  void add(std::string_view bytes) {
    XXH3_64bits_update(hash_, bytes.data(), bytes.size());
    leg_.body_bytes += bytes.size();
    leg_.body.append(bytes.substr(0, capture_bytes_ - std::min(capture_bytes_, leg_.body.size())));
  }
  void finish() {
    leg_.body_hash = XXH3_64bits_digest(hash_);
    leg_.truncated = leg_.body_bytes > leg_.body.size();
  }

 private:
  static void* aligned(std::byte* at) {
    return at + (kAlignment - reinterpret_cast<std::uintptr_t>(at) % kAlignment) % kAlignment;
  }

  Leg& leg_;
  const std::size_t capture_bytes_;
  // Aligned here: it stands in frames of coroutines, which g++ 12 gives the alignment of malloc alone.
  static constexpr std::size_t kAlignment = alignof(XXH3_state_t);
  std::array<std::byte, sizeof(XXH3_state_t) + kAlignment> memory_;
  XXH3_state_t* const hash_ = ::new (aligned(memory_.data())) XXH3_state_t;
};

/// The same for a body that is there as a whole. Where the `other` leg has the same one, as it should, comparing them
/// gives its hash.
inline void capture_whole_body(Leg& leg, std::string_view body, std::size_t capture_bytes, const Leg* other = nullptr) {
  const bool same =
      other != nullptr && !body.empty() && !other->cut && other->body_bytes == body.size() && other->body == body;
  leg.body_hash = same ? other->body_hash : XXH3_64bits(body.data(), body.size());
  leg.body_bytes = body.size();
  leg.body.assign(body.substr(0, capture_bytes));
  leg.truncated = body.size() > capture_bytes;
}

}  // namespace phoenix::gateway
