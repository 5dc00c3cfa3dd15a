#include "arbiter/account_state.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "arbiter/json_text.hpp"

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

std::string encode(const AccountState& a) {
  // Members at their default are left out: most accounts are quiet, and the row is written with every batch.
  JsonMembers json(1'024);
  const auto add_other_than = [&](const auto& usual, std::string_view name, const auto& value) {
    if (value != usual) json.add(name, value);
  };
  const std::int64_t none = 0;
  const std::string_view empty;
  add_other_than(false, "aligned", a.aligned_once);
  json.add("at", a.last_completed_us);
  if (a.rebased) append_json_array(json.name("base"), a.base[0], a.base[1]);
  if (a.created_us[0] != 0 || a.created_us[1] != 0)
    append_json_array(json.name("created"), a.created_us[0], a.created_us[1]);
  add_other_than(empty, "currency", std::string_view(a.currency));
  add_other_than(empty, "differs_since", std::string_view(a.differs_since));
  add_other_than(false, "dirty", a.dirty);
  add_other_than(none, "disturbed", a.disturbed_at_us);
  add_other_than(none, "gap", a.gap);
  add_other_than(none, "judged", a.judged_us);
  if (a.balance[0]) json.add("legacy", *a.balance[0]);
  add_other_than(false, "lost", a.lost);
  if (a.balance[1]) json.add("modern", *a.balance[1]);
  add_other_than(empty, "moved_by", std::string_view(a.moved_by));
  add_other_than(false, "order_differed", a.order_differed);
  if (!a.postings.empty()) json.add("postings", std::string_view(encode(a.postings)));
  std::vector<const BalanceReading*> readings;
  for (const auto& side : a.readings) {
    for (const auto& reading : side) readings.push_back(&reading);
  }
  json.add_all("readings", readings, [](std::string& out, const auto* reading) {
    append_json(out, std::string_view(phoenix::encode(*reading)));
  });
  add_other_than(none, "repaired", a.repaired_us);
  json.add("scale", a.scale);
  if (a.sealed) append_json_array(json.name("sealed"), a.sealed->verdict_id, a.sealed->read_at_us, a.sealed->rung);
  json.add_all("sequence", a.next_sequence,
               [](std::string& out, const auto& s) { append_json_array(out, s.first, s.second); });
  json.add("slice", std::string_view(a.slice));
  json.add_all("suspects", a.suspects, [](std::string& out, const auto& s) {
    append_json_array(out, s.exchange_id, s.difference, s.completed_at_us);
  });
  if (a.suspicion) {
    append_json_array(json.name("suspicion"), a.suspicion->difference, a.suspicion->read_at_us, a.suspicion->covers_us,
                      a.suspicion->detail, a.suspicion->positioned);
  }
  add_other_than(none, "unaligned_since_us", a.unaligned_since_us);
  json.add_all("writers", a.writers, [](std::string& out, const auto& w) {
    append_json_array(out, w.slice, w.gateway, w.exchange_id, w.first_us, w.last_us);
  });
  return json.take();
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
    a.created_us = j.value("created", a.created_us);
    a.repaired_us = j.value("repaired", std::int64_t{0});
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
