#include "tests/traffic/workload.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

namespace phoenix::traffic {

namespace {

constexpr std::array<std::string_view, kKinds> kNames{"read",       "statement", "deposit",
                                                      "withdrawal", "transfer",  "interest"};

/// Among them divisors of the year, for which an interest of exactly half a cent is frequent.
constexpr std::array<int, 6> kInterestDays{1, 7, 30, 31, 73, 365};

}  // namespace

std::string_view to_string(Kind kind) {
  return kNames[index(kind)];
}

Result<Mix> parse_mix(std::string_view text) {
  Mix mix{};
  while (!text.empty()) {
    const auto comma = text.find(',');
    const std::string_view part = text.substr(0, comma);
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
    const auto equals = part.find('=');
    const auto name = std::find(kNames.begin(), kNames.end(), part.substr(0, equals));
    if (name == kNames.end() || equals == std::string_view::npos)
      return invalid_input(fmt::format("'{}' is not KIND=WEIGHT with a kind of {}", part, fmt::join(kNames, ", ")));
    const std::string_view weight = part.substr(equals + 1);
    std::uint32_t& value = mix[static_cast<std::size_t>(name - kNames.begin())];
    const auto [end, code] = std::from_chars(weight.data(), weight.data() + weight.size(), value);
    if (code != std::errc() || end != weight.data() + weight.size() || value > 1'000'000)
      return invalid_input(fmt::format("'{}' is not a weight", weight));
  }
  if (std::accumulate(mix.begin(), mix.end(), std::uint64_t{0}) == 0) return invalid_input("all weights are 0");
  return mix;
}

Workload::Workload(std::uint64_t seed, std::int64_t accounts, double zipf, const Mix& mix)
    : random_(seed), mix_(mix), mix_total_(std::accumulate(mix.begin(), mix.end(), std::uint64_t{0})) {
  double total = 0;
  for (std::int64_t rank = 1; rank <= accounts; ++rank) {
    total += std::pow(static_cast<double>(rank), -zipf);
    cumulative_.push_back(total);
    account_of_.push_back(rank);
  }
  for (double& share : cumulative_) share /= total;
  // Fisher-Yates by hand: std::shuffle differs between standard libraries, and a seed must mean the same everywhere.
  for (std::size_t i = account_of_.size(); i > 1; --i) std::swap(account_of_[i - 1], account_of_[random_.next() % i]);
}

double Workload::uniform() {
  return static_cast<double>(random_.next() >> 11) * 0x1.0p-53;
}

std::int64_t Workload::pick_account() {
  const auto at = std::upper_bound(cumulative_.begin(), cumulative_.end(), uniform());
  const auto rank = std::min<std::size_t>(static_cast<std::size_t>(at - cumulative_.begin()), cumulative_.size() - 1);
  return account_of_[rank];
}

std::int64_t Workload::pick_amount(std::int64_t least, std::int64_t most) {
  return least + static_cast<std::int64_t>(random_.next() % static_cast<std::uint64_t>(most - least + 1));
}

Operation Workload::next() {
  std::uint64_t draw = random_.next() % mix_total_;
  std::size_t kind = 0;
  while (draw >= mix_[kind]) draw -= mix_[kind++];
  Operation operation{static_cast<Kind>(kind), pick_account(), 0, 0};
  // Deposits outweigh what leaves, so that refusals stay the exception they are in a real bank.
  if (operation.kind == Kind::deposit) operation.amount_minor = pick_amount(100, 20'000);
  if (operation.kind == Kind::withdrawal || operation.kind == Kind::transfer)
    operation.amount_minor = pick_amount(100, 10'000);
  if (operation.kind == Kind::interest) operation.days = kInterestDays[random_.next() % kInterestDays.size()];
  if (operation.kind == Kind::transfer) {
    do {
      operation.to_account = pick_account();
    } while (operation.to_account == operation.account);
  }
  return operation;
}

}  // namespace phoenix::traffic
