#include "core/events/control_events.hpp"

#include <fmt/format.h>

#include "core/events/foreign_changes_json.hpp"
#include "core/events/strict_json.hpp"
#include "core/model/decimal.hpp"
#include "core/runtime/config.hpp"

namespace phoenix {
namespace {

using Json = StrictJson;
constexpr int kVersion = 1;

// Text of the outside world may be any bytes; what is no UTF-8 is shown replaced rather than throwing away the event.
std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

template <class T, class Read>
Result<T> decode(std::string_view text, const char* what, Read read) {
  try {
    const Json json = Json::parse(text);
    if (!json.is_object()) return invalid_input(fmt::format("{}: not a JSON object", what));
    const int version = json.value("v", kVersion);
    if (version != kVersion) return invalid_input(fmt::format("{}: schema version {} is unknown", what, version));
    T result;
    read(json, result);
    return result;
  } catch (const Failure& failure) {
    return invalid_input(fmt::format("{}: {}", what, failure.what()));
  } catch (const JsonIntegerError& error) {
    return invalid_input(fmt::format("{}: {}", what, error.what()));
  } catch (const Json::exception& error) {
    return invalid_input(fmt::format("{}: {}", what, error.what()));
  }
}

template <class T>
T named(const Json& object, const char* name, std::optional<T> (*from)(std::string_view)) {
  const auto& value = object.at(name).get_ref<const std::string&>();
  if (const auto result = from(value)) return *result;
  throw Failure(invalid_input(fmt::format("{} has the unknown value '{}'", name, value)));
}

// Weights travel as a JSON number of percent (25, 12.5) or as text ("12.5%"); held exactly as basis points.
Json weight_to_json(std::uint32_t basis_points) {
  return Json::parse(format_percent(basis_points));
}
std::uint32_t weight_from_json(const Json& weight) {
  return parse_percent_to_basis_points(weight.is_string() ? weight.get<std::string>() : weight.dump()).value();
}

Json to_json(const SlicePolicy& slice) {
  return {{"name", slice.name},
          {"stage", to_string(slice.stage)},
          {"weight", weight_to_json(slice.weight_basis_points)},
          {"rung", slice.rung}};
}

SlicePolicy slice_from(const Json& json, std::uint64_t default_rung) {
  SlicePolicy slice;
  slice.name = json.at("name").get<std::string>();
  slice.stage = named<Stage>(json, "stage", stage_from_string);
  if (json.contains("weight")) slice.weight_basis_points = weight_from_json(json["weight"]);
  slice.rung = json.value("rung", default_rung);
  if (slice.name.empty()) throw Failure(invalid_input("a slice has no name"));
  return slice;
}

Json to_json(const KillLatch& latch) {
  return {{"kill_id", latch.kill_id},
          {"slice", latch.slice},
          {"reason", latch.reason},
          {"by", latch.by},
          {"at_unix_ms", latch.at_unix_ms}};
}

KillLatch latch_from(const Json& json) {
  KillLatch latch;
  latch.kill_id = json.at("kill_id").get<std::string>();
  latch.slice = json.at("slice").get<std::string>();
  latch.reason = json.value("reason", "");
  latch.by = json.value("by", "");
  latch.at_unix_ms = json.value("at_unix_ms", std::int64_t{0});
  return latch;
}

Json to_json(EvidenceCounts counts) {
  return {{"units", counts.units}, {"mismatches", counts.mismatches}};
}
EvidenceCounts counts_from(const Json& json) {
  return {json.at("units").get<std::uint64_t>(), json.at("mismatches").get<std::uint64_t>()};
}

Json to_json(const ScoreEvent::Class& c) {
  return {{"units", to_json(c.units)}, {"exchanges", to_json(c.exchanges)}};
}
ScoreEvent::Class class_from(const Json& json) {
  return {counts_from(json.at("units")), counts_from(json.at("exchanges"))};
}

Json to_json(const GatewayStatus::Route& route) {
  return {{"route", route.route},
          {"slice", route.slice},
          {"received", route.received},
          {"in_flight", route.in_flight},
          {"handed_over", route.handed_over},
          {"excluded", route.excluded},
          {"dropped", route.dropped},
          {"lost", route.lost}};
}

template <class T>
Json list_to_json(const std::vector<T>& items) {
  Json list = Json::array();
  for (const auto& item : items) list.push_back(to_json(item));
  return list;
}

GatewayStatus::Route status_route_from(const Json& json) {
  GatewayStatus::Route route;
  json.at("route").get_to(route.route);
  json.at("slice").get_to(route.slice);
  json.at("received").get_to(route.received);
  json.at("in_flight").get_to(route.in_flight);
  json.at("handed_over").get_to(route.handed_over);
  json.at("excluded").get_to(route.excluded);
  json.at("dropped").get_to(route.dropped);
  route.lost = json.value("lost", std::uint64_t{0});  // older gateways do not say
  return route;
}

}  // namespace

std::string encode(const BalanceReading& reading) {
  Json after = nullptr;
  if (reading.exists) {
    // As text: a JSON number would invite readers to hold money in binary floating point.
    after = {{"account", reading.account},
             {"balance", format_minor(reading.balance_minor, reading.scale)},
             {"currency", reading.currency}};
    if (reading.txn_count) after["txn_count"] = *reading.txn_count;
    if (!reading.txn_hash.empty()) after["txn_hash"] = reading.txn_hash;
  }
  return dump({{"v", kVersion},
               {"op", "r"},
               {"before", nullptr},
               {"after", after},
               {"source",
                {{"name", to_string(reading.side)},
                 {"kind", "query"},
                 {"account", reading.account},
                 {"scale", reading.scale},
                 {"read_id", reading.read_id}}},
               {"ts_us", reading.read_at_us}});
}

Result<BalanceReading> decode_balance_reading(std::string_view text) {
  return decode<BalanceReading>(text, "balance reading", [](const Json& json, BalanceReading& reading) {
    if (json.at("op").get<std::string>() != "r") throw Failure(invalid_input("op is not 'r'"));
    const Json& source = json.at("source");
    reading.side = named<Side>(source, "name", side_from_string);
    source.at("account").get_to(reading.account);
    source.at("scale").get_to(reading.scale);
    source.at("read_id").get_to(reading.read_id);
    json.at("ts_us").get_to(reading.read_at_us);
    if (reading.scale < 0 || reading.scale > 18) throw Failure(invalid_input("scale is not within 0..18"));
    const Json& after = json.at("after");
    reading.exists = !after.is_null();
    if (!reading.exists) return;
    reading.balance_minor =
        Decimal::parse(after.at("balance").get_ref<const std::string&>()).value().to_minor(reading.scale).value();
    after.at("currency").get_to(reading.currency);
    if (after.contains("txn_count")) reading.txn_count = after["txn_count"].get<std::int64_t>();
    reading.txn_hash = after.value("txn_hash", "");
  });
}

std::string encode(const VerdictEvent& verdict) {
  Json json{{"v", kVersion},
            {"exchange_id", verdict.exchange_id},
            {"account", verdict.account},
            {"slice", verdict.slice},
            {"route", verdict.route},
            {"verdict", to_string(verdict.verdict)},
            {"detail", verdict.detail},
            {"event_time_us", verdict.event_time_us},
            {"rung", verdict.rung}};
  if (!verdict.cause.empty()) json["cause"] = verdict.cause;
  if (!verdict.cause_detail.empty()) json["cause_detail"] = verdict.cause_detail;
  return dump(json);
}

Result<VerdictEvent> decode_verdict_event(std::string_view text) {
  return decode<VerdictEvent>(text, "verdict", [](const Json& json, VerdictEvent& verdict) {
    json.at("exchange_id").get_to(verdict.exchange_id);
    json.at("account").get_to(verdict.account);
    json.at("slice").get_to(verdict.slice);
    json.at("route").get_to(verdict.route);
    verdict.verdict = named<Verdict>(json, "verdict", verdict_from_string);
    json.at("detail").get_to(verdict.detail);
    json.at("event_time_us").get_to(verdict.event_time_us);
    json.at("rung").get_to(verdict.rung);
    verdict.cause = json.value("cause", "");
    verdict.cause_detail = json.value("cause_detail", "");
  });
}

std::string encode(const SplitKeyNotice& notice) {
  return dump({{"v", kVersion},
               {"notice", "split_key"},
               {"slice", notice.slice},
               {"key", notice.key},
               {"gateways", notice.gateways},
               {"exchange_ids", notice.exchange_ids},
               {"event_time_us", notice.event_time_us},
               {"rung", notice.rung}});
}

Result<SplitKeyNotice> decode_split_key_notice(std::string_view text) {
  return decode<SplitKeyNotice>(text, "split key", [](const Json& json, SplitKeyNotice& notice) {
    if (json.at("notice").get<std::string>() != "split_key") throw Failure(invalid_input("notice is not 'split_key'"));
    json.at("slice").get_to(notice.slice);
    json.at("key").get_to(notice.key);
    json.at("gateways").get_to(notice.gateways);
    json.at("exchange_ids").get_to(notice.exchange_ids);
    json.at("event_time_us").get_to(notice.event_time_us);
    json.at("rung").get_to(notice.rung);
  });
}

namespace {

std::array<ForeignChanges, 2> foreign_from(const Json& json) {
  std::array<ForeignChanges, 2> changes;
  for (const Side side : {Side::legacy, Side::modern}) {
    const auto of = json.find(std::string(to_string(side)));
    if (of == json.end()) continue;
    of->at("count").get_to(changes[index(side)].count);
    of->at("minor_units").get_to(changes[index(side)].minor_units);
  }
  return changes;
}

}  // namespace

std::string encode(const ScoreEvent& score) {
  return dump({{"v", kVersion},
               {"slice", score.slice},
               {"rung", score.rung},
               {"reads", to_json(score.reads)},
               {"writes", to_json(score.writes)},
               {"score", score.score},
               {"score_lower", score.score_lower},
               {"coverage", score.coverage},
               {"received", score.received},
               {"excluded", score.excluded},
               {"decided", score.decided},
               {"pending", score.pending},
               {"unknown", score.unknown},
               {"confirmed_balance_mismatches", score.confirmed_balance_mismatches},
               {"split_keys", score.split_keys},
               {"foreign_unpaired", foreign_changes_json<Json>(score.foreign_unpaired)},
               {"cusum_tripped", score.cusum_tripped},
               {"trip_reason", score.trip_reason},
               {"drift_minor_units", score.drift_minor_units},
               {"oldest_pending_us", score.oldest_pending_us},
               {"event_time_us", score.event_time_us},
               {"positions", score.positions}});
}

Result<ScoreEvent> decode_score_event(std::string_view text) {
  return decode<ScoreEvent>(text, "score", [](const Json& json, ScoreEvent& score) {
    json.at("slice").get_to(score.slice);
    json.at("rung").get_to(score.rung);
    score.reads = class_from(json.at("reads"));
    score.writes = class_from(json.at("writes"));
    json.at("score").get_to(score.score);
    json.at("score_lower").get_to(score.score_lower);
    json.at("coverage").get_to(score.coverage);
    json.at("received").get_to(score.received);
    json.at("excluded").get_to(score.excluded);
    json.at("decided").get_to(score.decided);
    json.at("pending").get_to(score.pending);
    json.at("unknown").get_to(score.unknown);
    json.at("confirmed_balance_mismatches").get_to(score.confirmed_balance_mismatches);
    score.split_keys = json.value("split_keys", std::uint64_t{0});
    if (json.contains("foreign_unpaired")) score.foreign_unpaired = foreign_from(json["foreign_unpaired"]);
    json.at("cusum_tripped").get_to(score.cusum_tripped);
    json.at("trip_reason").get_to(score.trip_reason);
    json.at("drift_minor_units").get_to(score.drift_minor_units);
    json.at("oldest_pending_us").get_to(score.oldest_pending_us);
    json.at("event_time_us").get_to(score.event_time_us);
    json.at("positions").get_to(score.positions);
  });
}

std::string encode(const TrafficPolicy& policy) {
  Json resets = Json::array();
  for (const auto& reset : policy.resets)
    resets.push_back({{"kill_id", reset.kill_id}, {"by", reset.by}, {"reason", reset.reason}});
  return dump({{"v", kVersion},
               {"epoch", policy.epoch},
               {"renewal", policy.renewal},
               {"ttl", fmt::format("{}ms", policy.ttl.count())},
               {"slices", list_to_json(policy.slices)},
               {"latches", list_to_json(policy.latches)},
               {"resets", resets}});
}

Result<TrafficPolicy> decode_traffic_policy(std::string_view text) {
  return decode<TrafficPolicy>(text, "traffic policy", [](const Json& json, TrafficPolicy& policy) {
    json.at("epoch").get_to(policy.epoch);
    policy.renewal = json.value("renewal", std::uint64_t{0});
    policy.ttl = config::parse_duration(json.at("ttl").get_ref<const std::string&>()).value();
    if (policy.ttl.count() <= 0) throw Failure(invalid_input("ttl must be above zero"));
    for (const auto& slice : json.at("slices")) policy.slices.push_back(slice_from(slice, policy.epoch));
    for (const auto& latch : json.value("latches", Json::array())) policy.latches.push_back(latch_from(latch));
    for (const auto& reset : json.value("resets", Json::array())) {
      policy.resets.push_back(
          {reset.at("kill_id").get<std::string>(), reset.value("by", ""), reset.value("reason", "")});
    }
  });
}

std::string encode(const GatewayStatus& status) {
  return dump({{"v", kVersion},
               {"gateway", status.gateway},
               {"incarnation", status.incarnation},
               {"at_us", status.at_us},
               {"applied_epoch", status.applied_epoch},
               {"lease_live", status.lease_live},
               {"draining", status.draining},
               {"slices", list_to_json(status.slices)},
               {"latches", list_to_json(status.latches)},
               {"routes", list_to_json(status.routes)},
               {"backlog", status.backlog},
               {"backend_up", status.backend_up},
               {"serving_errors", status.serving_errors},
               {"served", status.served},
               {"keys_behind", status.keys_behind},
               {"keys_tainted", status.keys_tainted},
               {"settled_until_us", status.settled_until_us}});
}

Result<GatewayStatus> decode_gateway_status(std::string_view text) {
  return decode<GatewayStatus>(text, "gateway status", [](const Json& json, GatewayStatus& status) {
    json.at("gateway").get_to(status.gateway);
    json.at("incarnation").get_to(status.incarnation);
    json.at("at_us").get_to(status.at_us);
    json.at("applied_epoch").get_to(status.applied_epoch);
    json.at("lease_live").get_to(status.lease_live);
    json.at("draining").get_to(status.draining);
    for (const auto& slice : json.at("slices")) status.slices.push_back(slice_from(slice, 0));
    for (const auto& latch : json.at("latches")) status.latches.push_back(latch_from(latch));
    for (const auto& route : json.at("routes")) status.routes.push_back(status_route_from(route));
    json.at("backlog").get_to(status.backlog);
    json.at("backend_up").get_to(status.backend_up);
    json.at("serving_errors").get_to(status.serving_errors);
    json.at("served").get_to(status.served);
    json.at("keys_behind").get_to(status.keys_behind);
    json.at("keys_tainted").get_to(status.keys_tainted);
    status.settled_until_us = json.value("settled_until_us", std::int64_t{0});
  });
}

}  // namespace phoenix
