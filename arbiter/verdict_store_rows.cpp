#include "arbiter/verdict_store_rows.hpp"

#include <string_view>
#include <unordered_map>

#include "arbiter/clean_text.hpp"
#include "arbiter/json_text.hpp"
#include "arbiter/pg_array.hpp"
#include "arbiter/verdict_store_json.hpp"

namespace phoenix::arbiter::rows {
namespace {

/// Of a JSON array whose end is still to be written.
std::string& begin_item(std::string& list) {
  return list += list.empty() ? '[' : ',';
}

/// What changes of an open exchange.
class OpenColumns {
 public:
  void add(const std::string& id, const OpenExchange& open) {
    ids_.add(id);
    waiting_.add(open.waiting);
    late_.add(open.late);
    since_us_.add(open.since_us);
    marks_.add(static_cast<std::int64_t>(open.mark));
  }
  std::vector<std::string> take() {
    if (ids_.empty()) return {};
    return {ids_.take(), waiting_.take(), late_.take(), since_us_.take(), marks_.take()};
  }

 private:
  using Type = PgArray::Type;
  PgArray ids_{Type::text}, waiting_{Type::boolean}, late_{Type::boolean}, since_us_{Type::bigint},
      marks_{Type::bigint};
};

}  // namespace

std::string verdicts(const CoreChanges& changes) {
  json list = json::array();
  std::unordered_map<std::string_view, const VerdictEvent*> last;  // a verdict may have been corrected in one batch
  for (const auto& [id, v] : changes.verdicts) last[id] = &v;
  for (const auto& [id, v] : changes.verdicts) {
    if (last.at(id) != &v) continue;
    list.push_back({{"id", id},
                    {"exchange_id", v.exchange_id},
                    {"account", v.account},
                    {"slice", v.slice},
                    {"route", v.route},
                    {"verdict", to_string(v.verdict)},
                    {"detail", clean_text(v.detail)},
                    {"us", v.event_time_us},
                    {"rung", v.rung},
                    {"cause", v.cause},
                    {"cause_detail", clean_text(v.cause_detail)}});
  }
  return dump(list);
}

std::string split_keys(const CoreChanges& changes) {
  json list = json::array();
  for (const auto& split : changes.split_keys) {
    list.push_back({{"slice", split.slice},
                    {"rung", split.rung},
                    {"key", split.key},
                    {"first_gateway", split.gateways[0]},
                    {"first_exchange", split.exchange_ids[0]},
                    {"second_gateway", split.gateways[1]},
                    {"second_exchange", split.exchange_ids[1]},
                    {"us", split.event_time_us}});
  }
  return dump(list);
}

std::string counters(const CoreChanges& changes) {
  json list = json::array();
  for (const auto& [key, n] : changes.counters) {
    const auto& [slice, route, rung, what] = key;
    list.push_back({{"slice", slice}, {"route", route}, {"rung", rung}, {"verdict", what}, {"n", n}});
  }
  return dump(list);
}

std::vector<std::string> accounts(const DecisionCore& core, const CoreChanges& changes) {
  if (changes.accounts.empty()) return {};
  PgArray names(PgArray::Type::text), states(PgArray::Type::text);
  for (const auto& name : changes.accounts) {
    names.add(name);
    states.add(encode(core.account(name)));
  }
  return {names.take(), states.take()};
}

std::string drift(const DecisionCore& core, const CoreChanges& changes) {
  json list = json::array();
  for (const auto& name : changes.accounts) {
    const DriftEntry* entry = core.drift(name);
    if (entry == nullptr) continue;
    list.push_back({{"account", name},
                    {"slice", entry->slice},
                    {"currency", entry->currency},
                    {"gap_minor", entry->gap_minor},
                    {"legacy_balance", text_or_null(entry->legacy_balance)},
                    {"modern_balance", text_or_null(entry->modern_balance)},
                    {"since", clean_text(entry->since)}});
  }
  return dump(list);
}

std::string no_drift(const DecisionCore& core, const CoreChanges& changes) {
  json list = json::array();
  for (const auto& name : changes.undrifted) {
    if (core.drift(name) == nullptr) list.push_back({{"slice", core.account(name).slice}, {"account", name}});
  }
  return dump(list);
}

std::string windows(const DecisionCore& core, const CoreChanges& changes) {
  json list = json::array();
  for (const auto& slice : changes.slices) {
    list.push_back({{"slice", slice}, {"rung", core.window(slice).rung}, {"state", encode(core.window(slice))}});
  }
  return dump(list);
}

std::string scores(const DecisionCore& core, const CoreChanges& changes) {
  json list = json::array();
  for (const auto& score : core.scores()) {
    if (changes.slices.contains(score.slice))
      list.push_back({{"slice", score.slice}, {"score", json::parse(phoenix::encode(score))}});
  }
  return dump(list);
}

std::string units(const CoreChanges& changes) {
  json list = json::array();
  for (const auto& [slice, rung, unit] : changes.units) {
    list.push_back({{"slice", slice}, {"rung", rung}, {"unit", clean_text(unit)}});
  }
  return dump(list);
}

std::string cause_state(const CoreChanges& changes) {
  json list = json::array();
  for (const auto& [name, state] : changes.causes.state) {
    list.push_back({{"name", clean_text(name)}, {"state", clean_text(state)}});
  }
  return dump(list);
}

std::string groups(const CoreChanges& changes) {
  json list = json::array();
  for (const auto& group : changes.causes.groups) {
    list.push_back({{"slice", group.slice},
                    {"route", group.route},
                    {"cause", group.cause},
                    {"path", clean_text(group.path)},
                    {"mismatches", group.mismatches},
                    {"first_us", group.first_us},
                    {"last_us", group.last_us},
                    {"first_exchange", group.first_exchange},
                    {"last_exchange", group.last_exchange},
                    {"sentence", clean_text(group.sentence)},
                    {"state", clean_text(group.state)}});
  }
  return dump(list);
}

std::string decided(const DecisionCore& core, const CoreChanges& changes) {
  std::string list;
  for (const auto& id : changes.decided) {
    const DecidedExchange* decided = core.decided(id);
    if (decided == nullptr) continue;
    append_json(begin_item(list), id);
    std::string text = encode(*decided);
    clean(text);
    append_json(begin_item(list), text);
  }
  return list.empty() ? "" : list += ']';
}

void read_decided(const std::string& text, std::unordered_map<std::string, DecidedExchange>& decided) {
  if (text.empty()) return;
  const json list = json::parse(text);
  for (std::size_t i = 0; i + 1 < list.size(); i += 2) {
    decided.insert_or_assign(list[i].get<std::string>(),
                             decode_decided_exchange(list[i + 1].get<std::string>()).value());
  }
}

std::string seen(const CoreChanges& changes) {
  std::string list;
  for (const auto& [at_us, id] : changes.seen) {
    append_json(begin_item(list), at_us);
    append_json(begin_item(list), id);
  }
  return list.empty() ? "" : list += ']';
}

void read_seen(const std::string& text, std::vector<std::pair<std::int64_t, std::string>>& seen) {
  if (text.empty()) return;
  const json list = json::parse(text);
  for (std::size_t i = 0; i + 1 < list.size(); i += 2) seen.emplace_back(list[i], list[i + 1]);
}

std::string noise(const DecisionCore& core, const CoreChanges& changes) {
  json list = json::array();
  for (const auto& route : changes.noise) {
    const RouteNoise& known = core.noise().at(route);
    list.push_back({{"slice", route.first},
                    {"route", route.second},
                    {"repeats", known.repeats},
                    {"fields", json::parse(encode_fields(known))}});
  }
  return dump(list);
}

std::vector<std::string> opened(const DecisionCore& core, const CoreChanges& changes) {
  OpenColumns columns;
  PgArray frames(PgArray::Type::bytea), offsets(PgArray::Type::bigint);
  for (const auto& id : changes.opened) {
    const OpenExchange* open = core.open(id);
    if (open == nullptr) continue;
    columns.add(id, *open);
    frames.add(open->frame);
    offsets.add(open->offset);
  }
  if (frames.empty()) return {};
  std::vector<std::string> all = columns.take();
  all.push_back(frames.take());
  all.push_back(offsets.take());
  return all;
}

std::vector<std::string> still_open(const DecisionCore& core, const CoreChanges& changes) {
  OpenColumns columns;
  for (const auto& id : changes.open) {
    const OpenExchange* open = changes.opened.contains(id) ? nullptr : core.open(id);
    if (open != nullptr) columns.add(id, *open);
  }
  return columns.take();
}

std::vector<std::string> closed(const DecisionCore& core, const CoreChanges& changes) {
  PgArray ids(PgArray::Type::text);
  for (const auto& id : changes.open) {
    if (core.open(id) == nullptr) ids.add(id);
  }
  if (ids.empty()) return {};
  return {ids.take()};
}

std::string retracted(const CoreChanges& changes) {
  return dump(json(changes.retracted));
}

std::string rejected(const CoreChanges& changes) {
  json list = json::array();
  for (const auto& r : changes.rejected) {
    list.push_back({{"topic", r.topic},
                    {"partition", r.partition},
                    {"offset", r.offset},
                    {"reason", clean_text(r.reason)},
                    {"value", hex(r.value)}});
  }
  return dump(list);
}

std::string streams(const DecisionCore& core) {
  const std::optional<LedgerState> ledger = core.ledger();
  return ledger ? encode(*ledger) : "";
}

std::string heartbeats(const DecisionCore& core) {
  json object = json::object();
  for (const auto& [gateway, beat] : core.heartbeats()) {
    object[clean_text(gateway)] = {beat.at_us, beat.settled_until_us};
  }
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::map<std::string, Heartbeat> read_heartbeats(const std::string& text) {
  std::map<std::string, Heartbeat> heartbeats;
  const json object = json::parse(text);
  for (const auto& [gateway, beat] : object.items()) heartbeats[gateway] = {beat.at(0), beat.at(1)};
  return heartbeats;
}

}  // namespace phoenix::arbiter::rows
