#include "arbiter/cause_rates.hpp"

#include <algorithm>

#include "arbiter/cause_arithmetic.hpp"

namespace phoenix::arbiter {

void RateVotes::observe(std::int64_t base, std::int64_t result) {
  if (base <= 0 || base > kMostBase || result <= 0 || result > base) return;
  ++total_;
  bool known = false;
  for (auto& [rate, votes] : votes_) {
    if (!is_near({base, 0, rate, 1, 1}, result)) continue;
    ++votes;
    known = true;
  }
  if (known) return;
  const auto rates = simplest_rates({base, 0, 0, 1, 1}, result, 1, false);
  if (rates.empty()) return;
  if (votes_.size() < kRatesKept) {
    votes_.emplace_back(rates.front(), 1);
    return;
  }
  // The weakest gives way. Unlike in Space-Saving the newcomer starts at 1: a rate must earn its support.
  *std::min_element(votes_.begin(), votes_.end(), [](const auto& a, const auto& b) { return a.second < b.second; }) = {
      rates.front(), 1};
}

std::vector<std::int64_t> RateVotes::supported() const {
  std::vector<std::pair<std::int64_t, std::uint64_t>> strong;
  for (const auto& entry : votes_) {
    if (entry.second >= kSupport && entry.second * 20 >= total_) strong.push_back(entry);
  }
  std::stable_sort(strong.begin(), strong.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  std::vector<std::int64_t> rates;
  for (const auto& entry : strong) rates.push_back(entry.first);
  return rates;
}

void RateVotes::restore(std::uint64_t total, std::vector<std::pair<std::int64_t, std::uint64_t>> votes) {
  total_ = total;
  votes_ = std::move(votes);
}

}  // namespace phoenix::arbiter
