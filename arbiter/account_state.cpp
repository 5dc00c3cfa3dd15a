#include "arbiter/account_state.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace phoenix::arbiter {
namespace {

using nlohmann::json;

std::int64_t power_of_ten(int exponent) {
  std::int64_t power = 1;
  while (exponent-- > 0) power *= 10;
  return power;
}

/// False (and nothing changed) when an amount would no longer fit.
bool grow_scale(AccountState& account, int scale) {
  const std::int64_t factor = power_of_ten(scale - account.scale);
  std::vector<std::int64_t*> amounts{&account.gap};
  for (auto& suspect : account.suspects) amounts.push_back(&suspect.difference);
  if (account.suspicion) amounts.push_back(&account.suspicion->difference);
  for (auto& balance : account.balance) {
    if (balance) amounts.push_back(&*balance);
  }
  account.postings.collect_amounts(amounts);
  std::int64_t unused = 0;
  for (const auto* amount : amounts) {
    if (__builtin_mul_overflow(*amount, factor, &unused)) return false;
  }
  for (auto* amount : amounts) *amount *= factor;
  account.scale = scale;
  return true;
}

json to_json(const AccountState& a) {
  // Members at their default are left out: most accounts are quiet, and the row is written with every batch.
  json j{{"slice", a.slice}, {"scale", a.scale}, {"at", a.last_completed_us}};
  if (!a.currency.empty()) j["currency"] = a.currency;
  if (a.gap != 0) j["gap"] = a.gap;
  if (!a.moved_by.empty()) j["moved_by"] = a.moved_by;
  if (a.lost) j["lost"] = true;
  if (a.judged_us != 0) j["judged"] = a.judged_us;
  if (a.disturbed_at_us != 0) j["disturbed"] = a.disturbed_at_us;
  if (!a.differs_since.empty()) j["differs_since"] = a.differs_since;
  if (a.order_differed) j["order_differed"] = true;
  if (a.dirty) j["dirty"] = true;
  for (const auto& s : a.suspects) j["suspects"].push_back({s.exchange_id, s.difference, s.completed_at_us});
  for (const auto& [incarnation, next] : a.next_sequence) j["sequence"].push_back({incarnation, next});
  for (const auto& w : a.writers) j["writers"].push_back({w.slice, w.gateway, w.exchange_id, w.first_us, w.last_us});
  for (const int side : {0, 1}) {
    for (const auto& reading : a.readings[side]) j["readings"].push_back(phoenix::encode(reading));
    if (a.balance[side]) j[side == 0 ? "legacy" : "modern"] = *a.balance[side];
  }
  if (a.aligned_once) j["aligned"] = true;
  if (a.rebased) j["base"] = a.base;
  if (a.unaligned_since_us != 0) j["unaligned_since_us"] = a.unaligned_since_us;
  if (a.suspicion) {
    j["suspicion"] = {a.suspicion->difference, a.suspicion->read_at_us, a.suspicion->covers_us, a.suspicion->detail,
                      a.suspicion->positioned};
  }
  if (!a.postings.empty()) j["postings"] = encode(a.postings);
  if (a.sealed) j["sealed"] = {a.sealed->verdict_id, a.sealed->read_at_us, a.sealed->rung};
  return j;
}

void read_open_parts(const json& j, AccountState& a) {
  for (const auto& s : j.value("suspects", json::array())) {
    a.suspects.push_back({s.at(0), s.at(1), s.at(2)});
  }
  for (const auto& s : j.value("sequence", json::array())) a.next_sequence.emplace_back(s.at(0), s.at(1));
  for (const auto& w : j.value("writers", json::array())) {
    a.writers.push_back({w.at(0), w.at(1), w.at(2), w.at(3), w.at(4)});
  }
  for (const auto& text : j.value("readings", json::array())) {
    auto reading = decode_balance_reading(text.get<std::string>());
    if (!reading) throw Failure(reading.error());
    a.readings[index(reading->side)].push_back(std::move(*reading));
  }
  if (j.contains("suspicion")) {
    const auto& s = j["suspicion"];
    a.suspicion = Suspicion{s.at(0), s.at(1), s.at(2), s.at(3), s.at(4)};
  }
  if (j.contains("sealed")) a.sealed = SealedDifference{j["sealed"].at(0), j["sealed"].at(1), j["sealed"].at(2)};
}

}  // namespace

std::uint64_t AccountState::expected_sequence(const std::string& incarnation) const {
  for (const auto& [name, next] : next_sequence) {
    if (name == incarnation) return next;
  }
  return 1;
}

bool AccountState::restarted_since(const std::string& incarnation) const {
  const std::string gateway = incarnation.substr(0, incarnation.rfind('/') + 1);
  for (auto at = next_sequence.rbegin(); at != next_sequence.rend(); ++at) {
    if (at->first.starts_with(gateway)) return at->first != incarnation;
  }
  return false;
}

void AccountState::advance_sequence(const std::string& incarnation, std::uint64_t next) {
  const auto at = std::find_if(next_sequence.begin(), next_sequence.end(),
                               [&](const auto& entry) { return entry.first == incarnation; });
  if (at != next_sequence.end()) {
    // A gateway that forgot an idle key numbers it from 1 again.
    at->second = next == 2 ? 2 : std::max(at->second, next);
    std::rotate(at, at + 1, next_sequence.end());
    return;
  }
  if (next_sequence.size() >= kIncarnationsKept) next_sequence.erase(next_sequence.begin());
  next_sequence.emplace_back(incarnation, next);
}

std::optional<std::int64_t> AccountState::amount(const Decimal& value) {
  for (int digits = scale; digits <= kMaxScale; ++digits) {
    const auto units = value.to_minor(digits);
    if (!units) continue;
    if (digits > scale && !grow_scale(*this, digits)) return std::nullopt;
    return *units;
  }
  return std::nullopt;
}

std::int64_t AccountState::minor(std::int64_t amount) const {
  const int digits = currency.empty() ? 2 : minor_unit_digits(currency);
  if (digits >= scale) return amount * power_of_ten(digits - scale);
  const std::int64_t unit = power_of_ten(scale - digits);
  return amount / unit + (amount % unit > 0 ? 1 : amount % unit < 0 ? -1 : 0);
}

std::string encode(const AccountState& account) {
  return to_json(account).dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<AccountState> decode_account_state(std::string_view text) {
  try {
    const json j = json::parse(text);
    AccountState a;
    a.slice = j.at("slice");
    a.scale = j.at("scale");
    a.last_completed_us = j.at("at");
    a.currency = j.value("currency", "");
    a.gap = j.value("gap", std::int64_t{0});
    a.moved_by = j.value("moved_by", "");
    a.lost = j.value("lost", false);
    a.judged_us = j.value("judged", std::int64_t{0});
    a.disturbed_at_us = j.value("disturbed", std::int64_t{0});
    a.differs_since = j.value("differs_since", "");
    a.order_differed = j.value("order_differed", false);
    a.dirty = j.value("dirty", false);
    a.aligned_once = j.value("aligned", false);
    a.unaligned_since_us = j.value("unaligned_since_us", std::int64_t{0});
    a.rebased = j.contains("base");
    if (a.rebased) a.base = j["base"];
    if (j.contains("legacy")) a.balance[0] = j["legacy"].get<std::int64_t>();
    if (j.contains("modern")) a.balance[1] = j["modern"].get<std::int64_t>();
    read_open_parts(j, a);
    if (j.contains("postings")) a.postings = decode_posting_state(j["postings"].get<std::string>()).value();
    return a;
  } catch (const std::exception& e) {
    return invalid_input(fmt::format("account state: {}", e.what()));
  }
}

}  // namespace phoenix::arbiter
