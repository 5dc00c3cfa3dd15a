// A bounded queue between threads. The producer never waits: when the bound is reached push fails and the caller counts
// it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <utility>
#include <vector>

namespace phoenix {

/// Any number of producers and consumers. `weight` is what the bound counts beside the number of items (bytes).
template <class T>
class BoundedQueue {
 public:
  BoundedQueue(std::size_t max_items, std::size_t max_weight) : max_items_(max_items), max_weight_(max_weight) {}

  /// False when full or closed; the item is then untouched.
  bool try_push(T&& item, std::size_t weight = 0) {
    bool wake = false;
    {
      const std::lock_guard lock(mutex_);
      if (closed_ || items_.size() >= max_items_ || weight_ + weight > max_weight_) return false;
      wake = items_.empty();
      items_.emplace_back(std::move(item), weight);
      weight_ += weight;
    }
    if (wake) not_empty_.notify_one();
    return true;
  }

  /// Takes up to `max` items, waiting at most `timeout` for the first one. Empty on timeout or when closed and drained.
  std::vector<T> pop_batch(std::size_t max, std::chrono::milliseconds timeout) {
    std::vector<T> batch;
    std::unique_lock lock(mutex_);
    not_empty_.wait_for(lock, timeout, [this] { return !items_.empty() || closed_; });
    while (!items_.empty() && batch.size() < max) {
      batch.push_back(std::move(items_.front().first));
      weight_ -= items_.front().second;
      items_.pop_front();
    }
    return batch;
  }

  void close() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    not_empty_.notify_all();
  }

  [[nodiscard]] bool closed() const {
    const std::lock_guard lock(mutex_);
    return closed_;
  }
  [[nodiscard]] std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return items_.size();
  }
  [[nodiscard]] std::size_t weight() const {
    const std::lock_guard lock(mutex_);
    return weight_;
  }

 private:
  const std::size_t max_items_;
  const std::size_t max_weight_;
  mutable std::mutex mutex_;
  std::condition_variable not_empty_;
  std::deque<std::pair<T, std::size_t>> items_;
  std::size_t weight_ = 0;
  bool closed_ = false;
};

}  // namespace phoenix
