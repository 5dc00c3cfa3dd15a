// Puts exchanges back into the order of their keys. The gateway numbers each key's exchanges as they complete; the log
// delivers them roughly, not exactly, in that order. An exchange that came early waits here, bounded in time and
// number, until its predecessors have been judged. Pure index: the exchanges themselves are kept by the decision core.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "core/events/exchange_event.hpp"

namespace phoenix::arbiter {

class ExchangeOrder {
 public:
  static constexpr std::size_t kMaxWaiting = 20'000;

  void hold(const std::string& exchange_id, const std::string& incarnation, const std::vector<KeySequence>& keys,
            std::int64_t completed_at_us);
  void remove(const std::string& exchange_id);

  /// The exchange waiting at this place of a key, or empty.
  [[nodiscard]] std::string waiting_at(const std::string& key, const std::string& incarnation,
                                       std::uint64_t sequence) const;
  /// Those that wait at or before the places of this one, itself included, oldest completion first: what is released
  /// together when its predecessors do not come.
  [[nodiscard]] std::vector<std::string> up_to(const std::string& exchange_id) const;
  /// The one that completed first, or empty.
  [[nodiscard]] std::string oldest() const;
  [[nodiscard]] std::size_t size() const { return waiting_.size(); }
  [[nodiscard]] bool full() const { return waiting_.size() > kMaxWaiting; }

 private:
  using Place = std::tuple<std::string, std::string, std::uint64_t>;  // key, incarnation, sequence
  struct Waiting {
    std::vector<Place> places;
    std::int64_t completed_at_us = 0;
  };
  std::unordered_map<std::string, Waiting> waiting_;
  std::map<Place, std::string> places_;
  std::set<std::pair<std::int64_t, std::string>> by_completion_;
};

}  // namespace phoenix::arbiter
