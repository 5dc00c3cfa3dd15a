#include "arbiter/exchange_order.hpp"

namespace phoenix::arbiter {

void ExchangeOrder::hold(const std::string& exchange_id, const std::string& incarnation,
                         const std::vector<KeySequence>& keys, std::int64_t completed_at_us) {
  Waiting waiting{{}, completed_at_us};
  for (const auto& key : keys) {
    waiting.places.emplace_back(key.key, incarnation, key.sequence);
    places_[waiting.places.back()] = exchange_id;
  }
  by_completion_.emplace(completed_at_us, exchange_id);
  waiting_[exchange_id] = std::move(waiting);
}

void ExchangeOrder::remove(const std::string& exchange_id) {
  const auto at = waiting_.find(exchange_id);
  if (at == waiting_.end()) return;
  for (const auto& place : at->second.places) {
    if (const auto held = places_.find(place); held != places_.end() && held->second == exchange_id)
      places_.erase(held);
  }
  by_completion_.erase({at->second.completed_at_us, exchange_id});
  waiting_.erase(at);
}

std::string ExchangeOrder::waiting_at(const std::string& key, const std::string& incarnation,
                                      std::uint64_t sequence) const {
  const auto at = places_.find(Place{key, incarnation, sequence});
  return at == places_.end() ? "" : at->second;
}

std::vector<std::string> ExchangeOrder::up_to(const std::string& exchange_id) const {
  const auto self = waiting_.find(exchange_id);
  if (self == waiting_.end()) return {};
  std::set<std::pair<std::int64_t, std::string>> found;
  for (const auto& [key, incarnation, sequence] : self->second.places) {
    const auto first = places_.lower_bound(Place{key, incarnation, 0});
    const auto last = places_.upper_bound(Place{key, incarnation, sequence});
    for (auto at = first; at != last; ++at) {
      found.emplace(waiting_.at(at->second).completed_at_us, at->second);
    }
  }
  std::vector<std::string> ids;
  for (const auto& [completed, id] : found) {
    if (id != exchange_id) ids.push_back(id);
  }
  ids.push_back(exchange_id);
  return ids;
}

std::string ExchangeOrder::oldest() const {
  return by_completion_.empty() ? "" : by_completion_.begin()->second;
}

}  // namespace phoenix::arbiter
