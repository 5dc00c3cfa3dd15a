// Bytes that were read from a connection and not used yet. Holds memory only while there are any: a connection that
// waits for its peer holds none.
#pragma once

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "gateway/recycled_memory.hpp"

namespace phoenix::gateway {

/// Not thread-safe. What it hands out is valid until the next prepare() or consume().
class InputBuffer {
 public:
  InputBuffer() = default;
  InputBuffer(const InputBuffer&) = delete;
  InputBuffer& operator=(const InputBuffer&) = delete;
  ~InputBuffer() { release(); }

  [[nodiscard]] std::string_view view() const { return {data_ + begin_, end_ - begin_}; }
  [[nodiscard]] bool empty() const { return begin_ == end_; }
  [[nodiscard]] std::size_t size() const { return end_ - begin_; }
  /// The first bytes are used up.
  void consume(std::size_t bytes) {
    begin_ += bytes;
    if (begin_ == end_) release();
  }
  /// All of it, for somebody else.
  std::string take() {
    std::string all(view());
    release();
    return all;
  }

  /// Room to read into, uninitialised; commit() what came, also when that is nothing.
  boost::asio::mutable_buffer prepare() {
    if (size_ - end_ < kLeastRoom) make_room();
    return {data_ + end_, size_ - end_};
  }
  void commit(std::size_t bytes) {
    end_ += bytes;
    if (begin_ == end_) release();
  }

 private:
  static constexpr std::size_t kLeastRoom = 4096;

  void make_room() {
    const std::size_t held = size();
    const std::size_t needed = std::max(RecycledMemory::kBlockBytes, held > size_ / 2 ? size_ * 2 : size_);
    auto* grown = static_cast<char*>(RecycledMemory::take(needed));
    if (held > 0) std::memcpy(grown, data_ + begin_, held);
    release();
    data_ = grown;
    size_ = needed;
    end_ = held;
  }
  void release() {
    if (data_ != nullptr) RecycledMemory::give_back(data_, size_);
    data_ = nullptr;
    size_ = begin_ = end_ = 0;
  }

  char* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace phoenix::gateway
