#include "arbiter/mismatch_groups.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "arbiter/cause_arithmetic.hpp"
#include "arbiter/cause_facts.hpp"
#include "core/model/decimal.hpp"

namespace phoenix::arbiter {
namespace {

using nlohmann::json;

constexpr double kLeastShare = 0.5;
constexpr double kLeastLift = 1.5;
constexpr std::uint64_t kLeastBase = 20;

/// Shares and lifts are for people; no decision and no amount hangs on these doubles.
double ratio(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

std::string per_cent(double share) {
  const double value = share * 100;
  return value < 1 ? fmt::format("{:.1f} %", value) : fmt::format("{} %", static_cast<int>(value + 1e-9));
}

/// The simplest rate that gives nearly all of the differences, to a unit.
std::optional<std::int64_t> proportional(const std::vector<AmountDifference>& samples) {
  const auto largest =
      std::max_element(samples.begin(), samples.end(), [](const auto& a, const auto& b) { return a.base < b.base; });
  const std::int64_t difference = std::abs(largest->legacy_minus_modern);
  if (difference < 5 || largest->base > kMostBase) return std::nullopt;
  for (const auto rate : simplest_rates({largest->base, 0, 0, 1, 1}, difference, 64, false)) {
    const auto fitting = std::count_if(samples.begin(), samples.end(), [&](const auto& s) {
      return s.base > 0 && s.base <= kMostBase && s.base_name == largest->base_name &&
             is_near({s.base, 0, rate, 1, 1}, std::abs(s.legacy_minus_modern));
    });
    if (static_cast<std::size_t>(fitting) * 20 >= samples.size() * 19) return rate;
  }
  return std::nullopt;
}

json to_json(const AttributeCounts& counts) {
  json object = json::object();
  for (const auto& [name, values] : counts.names()) {
    object[name] = values.given_up ? json(nullptr) : json{{"known", values.known}, {"counts", values.counts}};
  }
  return object;
}

AttributeCounts counts_from(const json& object) {
  std::map<std::string, AttributeCounts::Values> names;
  for (const auto& [name, values] : object.items()) {
    AttributeCounts::Values& to = names[name];
    to.given_up = values.is_null();
    if (to.given_up) continue;
    to.known = values.at("known").get<std::uint64_t>();
    to.counts = values.at("counts").get<std::map<std::string, std::uint64_t>>();
  }
  AttributeCounts counts;
  counts.restore(std::move(names));
  return counts;
}

std::string dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

void AttributeCounts::count(const Attributes& attributes, std::uint64_t weight) {
  for (const auto& [name, value] : attributes) {
    auto at = names_.find(name);
    if (at == names_.end()) {
      if (names_.size() >= kMostNames) continue;
      at = names_.emplace(name, Values{}).first;
    }
    Values& values = at->second;
    if (values.given_up) continue;
    values.known += weight;
    values.counts[value] += weight;
    if (values.counts.size() > kMostValues) values = {{}, 0, true};
  }
}

bool AttributeCounts::is_given_up(const std::string& name) const {
  const auto at = names_.find(name);
  return at != names_.end() && at->second.given_up;
}

void MismatchGroup::add(const std::string& exchange_id, std::int64_t event_time_us, const Attributes& of_exchange,
                        const std::optional<AmountDifference>& amount) {
  if (mismatches == 0) {
    first_us = event_time_us;
    first_exchange = exchange_id;
  }
  ++mismatches;
  last_us = std::max(last_us, event_time_us);
  last_exchange = exchange_id;
  attributes.count(of_exchange, 1);
  if (!amount) return;
  if (samples.size() < kSamples) {
    samples.push_back(*amount);
  } else {
    samples[kSamples / 2 + mismatches % (kSamples / 2)] = *amount;
  }
}

std::optional<SharedAttribute> shared_attribute(const MismatchGroup& group, const AttributeCounts& of_route) {
  std::optional<SharedAttribute> best;
  double best_weight = 0;
  for (const auto& [name, values] : group.attributes.names()) {
    const auto base = of_route.names().find(name);
    if (values.given_up || base == of_route.names().end() || base->second.given_up) continue;
    if (values.known * 2 < group.mismatches || base->second.known < kLeastBase) continue;
    for (const auto& [value, n] : values.counts) {
      const auto common = base->second.counts.find(value);
      if (n < kLeastShared || common == base->second.counts.end()) continue;
      const SharedAttribute shared{name, value, ratio(n, values.known), ratio(common->second, base->second.known)};
      if (shared.share < kLeastShare || shared.lift() < kLeastLift) continue;
      const double weight = shared.share * std::log2(shared.lift());  // its part in the relative entropy
      if (best && weight <= best_weight) continue;
      best = shared;
      best_weight = weight;
    }
  }
  return best;
}

std::string relation(const MismatchGroup& group) {
  const auto& samples = group.samples;
  if (samples.empty()) return {};
  const auto& first = samples.front();
  const bool one_scale =
      std::all_of(samples.begin(), samples.end(), [&](const auto& s) { return s.scale == first.scale; });
  if (!one_scale) return {};
  const auto by_difference = [](const auto& a, const auto& b) { return a.legacy_minus_modern < b.legacy_minus_modern; };
  const auto [least, most] = std::minmax_element(samples.begin(), samples.end(), by_difference);
  const std::int64_t low = least->legacy_minus_modern, high = most->legacy_minus_modern;
  const auto money = [&](std::int64_t amount) { return format_minor(amount, first.scale); };
  if (low == high) return fmt::format("legacy - modern = {}{}", money(low), samples.size() > 1 ? " always" : "");
  if (low == -1 && high == 1) return fmt::format("legacy - modern = ±{}", money(1));
  if ((low > 0) == (high > 0) && low != 0) {
    if (const auto rate = proportional(samples)) {
      return fmt::format("legacy - modern = {}{} of {}", low < 0 ? "-" : "", rate_text(*rate), first.base_name);
    }
  }
  return fmt::format("legacy - modern from {} to {}", money(low), money(high));
}

std::string sentence(const MismatchGroup& group, const AttributeCounts& of_route, const std::string& route, Cause cause,
                     const std::string& path) {
  const std::string where =
      path.empty() ? std::string(to_string(cause)) : fmt::format("{}, {}", path, to_string(cause));
  std::string text =
      fmt::format("{} mismatch{} on `{}` ({})", group.mismatches, group.mismatches == 1 ? "" : "es", route, where);
  if (const auto shared = shared_attribute(group, of_route)) {
    text = fmt::format("{} of {} have {} = {} (base rate {}, lift {:.1f})", per_cent(shared->share), text, shared->name,
                       shared->value, per_cent(shared->base), shared->lift());
  }
  const std::string amounts = relation(group);
  return amounts.empty() ? text : text + "; " + amounts;
}

std::string encode(const AttributeCounts& counts) {
  return dump(to_json(counts));
}

Result<AttributeCounts> decode_attribute_counts(const std::string& text) {
  try {
    return counts_from(json::parse(text));
  } catch (const std::exception& e) {
    return invalid_input(fmt::format("attribute counts: {}", e.what()));
  }
}

std::string encode(const MismatchGroup& group) {
  json samples = json::array();
  for (const auto& s : group.samples) samples.push_back({s.legacy_minus_modern, s.scale, s.base_name, s.base});
  return dump({{"n", group.mismatches},
               {"from", group.first_us},
               {"to", group.last_us},
               {"first", group.first_exchange},
               {"last", group.last_exchange},
               {"attributes", to_json(group.attributes)},
               {"samples", samples}});
}

Result<MismatchGroup> decode_mismatch_group(const std::string& text) {
  try {
    const json j = json::parse(text);
    MismatchGroup group;
    group.mismatches = j.at("n");
    group.first_us = j.at("from");
    group.last_us = j.at("to");
    group.first_exchange = j.at("first");
    group.last_exchange = j.at("last");
    group.attributes = counts_from(j.at("attributes"));
    for (const auto& s : j.at("samples")) group.samples.push_back({s.at(0), s.at(1), s.at(2), s.at(3)});
    return group;
  } catch (const std::exception& e) {
    return invalid_input(fmt::format("mismatch group: {}", e.what()));
  }
}

}  // namespace phoenix::arbiter
