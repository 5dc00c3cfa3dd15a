// Virtual time and chance of one simulated schedule: events in order of time, ties in order of their making, one
// thread, no sleeping; every draw comes from the seed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "core/runtime/clock.hpp"

namespace phoenix::simulation {

using Micros = std::int64_t;

class EventQueue {
 public:
  [[nodiscard]] Micros now() const { return now_; }

  void after(Micros delay_us, std::function<void()> what) {
    events_.push_back({now_ + delay_us, made_++, std::move(what)});
    std::push_heap(events_.begin(), events_.end(), later);
  }

  /// Until nothing is left to happen.
  void run() {
    while (!events_.empty()) {
      std::pop_heap(events_.begin(), events_.end(), later);
      const Event event = std::move(events_.back());
      events_.pop_back();
      now_ = event.at;
      event.what();
    }
  }

 private:
  struct Event {
    Micros at;
    std::uint64_t number;
    std::function<void()> what;
  };
  static bool later(const Event& a, const Event& b) { return a.at != b.at ? a.at > b.at : a.number > b.number; }

  std::vector<Event> events_;
  Micros now_ = 0;
  std::uint64_t made_ = 0;
};

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : source_(seed) {}
  /// 0 … n - 1; 0 when n is 0.
  std::int64_t below(std::int64_t n) {
    return n <= 0 ? 0 : static_cast<std::int64_t>(source_.next() % static_cast<std::uint64_t>(n));
  }
  bool one_in(std::int64_t n) { return n > 0 && below(n) == 0; }
  bool percent(int share) { return below(100) < share; }

 private:
  RandomSource source_;
};

}  // namespace phoenix::simulation
