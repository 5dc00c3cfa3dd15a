#include <pqxx/pqxx>
#include <string_view>
#include <unordered_set>

#include "arbiter/verdict_store_impl.hpp"
#include "arbiter/verdict_store_rows.hpp"

namespace phoenix::arbiter {
namespace {

/// Reads rows of the store's schema.
struct Reader {
  std::function<std::string(const char* sql)> in_schema;
  pqxx::work& transaction;
  template <class... Parameters>
  pqxx::result operator()(const char* sql, const Parameters&... parameters) {
    return transaction.exec_params(in_schema(sql), parameters...);
  }
};

void load_accounts(Reader& reader, int shard, CoreState& state) {
  for (const auto& row : reader("SELECT account, state FROM arbiter.accounts WHERE shard = $1", shard)) {
    auto account = decode_account_state(row[1].as<std::string>());
    if (!account) throw Failure(account.error());
    state.accounts.emplace(row[0].as<std::string>(), std::move(*account));
  }
}

void load_open(Reader& reader, int shard, CoreState& state) {
  for (const auto& row : reader("SELECT exchange_id, waiting, late, since_us, frame, event_offset, mark FROM "
                                "arbiter.open_exchanges WHERE shard = $1",
                                shard)) {
    const pqxx::binarystring frame(row[4]);
    state.open.emplace(row[0].as<std::string>(),
                       OpenExchange{row[1].as<bool>(), row[2].as<bool>(), row[3].as<std::int64_t>(), frame.str(),
                                    row[5].as<std::int64_t>(), row[6].as<std::uint64_t>()});
  }
}

/// `own`: whether a slice is of this shard.
template <class Own>
void load_windows(Reader& reader, const Own& own, CoreState& state) {
  for (const auto& row : reader("SELECT slice, state FROM arbiter.windows")) {
    if (!own(row[0].as<std::string>())) continue;
    auto window = decode_window_state(row[1].as<std::string>());
    if (!window) throw Failure(window.error());
    state.windows.emplace(row[0].as<std::string>(), std::move(*window));
  }
  for (const auto& row : reader("SELECT slice, rung, unit FROM arbiter.units")) {
    const auto window = state.windows.find(row[0].as<std::string>());
    if (window == state.windows.end() || window->second.rung != row[1].as<std::uint64_t>()) continue;
    state.units.emplace_back(row[0].as<std::string>(), row[2].as<std::string>());
  }
}

template <class Own>
void load_counts(Reader& reader, const Own& own, CoreState& state) {
  for (const auto& row : reader("SELECT slice, route, rung, verdict, n FROM arbiter.counters")) {
    if (!own(row[0].as<std::string>())) continue;
    state.counters[{row[0].as<std::string>(), row[1].as<std::string>(), row[2].as<std::uint64_t>(),
                    row[3].as<std::string>()}] = row[4].as<std::int64_t>();
  }
}

void load_records(Reader& reader, int shard, CoreState& state) {
  // gateway-status has one partition, 0, that every shard reads.
  for (const auto& row :
       reader("SELECT topic, count(*) FROM arbiter.rejected WHERE partition = $1 GROUP BY topic", shard)) {
    state.rejected[row[0].as<std::string>()] = row[1].as<std::uint64_t>();
  }
  for (const auto& row : reader("SELECT ids, facts FROM arbiter.seen_ids WHERE shard = $1 ORDER BY version", shard)) {
    rows::read_seen(row[0].as<std::string>(), state.seen);
    rows::read_decided(row[1].as<std::string>(), state.decided);
  }
  std::unordered_set<std::string_view> known;
  for (const auto& [at_us, id] : state.seen) known.insert(id);
  std::erase_if(state.decided, [&](const auto& entry) { return !known.contains(entry.first); });
  for (const auto& row : reader("SELECT topic, partition, next FROM arbiter.positions WHERE shard = $1", shard)) {
    state.positions[{row[0].as<std::string>(), row[1].as<int>()}] = row[2].as<std::int64_t>();
  }
}

template <class Own>
void load_noise(Reader& reader, const Own& own, CoreState& state) {
  for (const auto& row : reader("SELECT slice, route, repeats, fields::text FROM arbiter.noise")) {
    if (!own(row[0].as<std::string>())) continue;
    state.noise.emplace(RouteName{row[0].as<std::string>(), row[1].as<std::string>()},
                        decode_route_noise(row[2].as<std::uint64_t>(), row[3].as<std::string>()));
  }
}

void load_rules(Reader& reader, int shard, CoreState& state) {
  for (const auto& row : reader("SELECT state FROM arbiter.accepted_rules WHERE shard = $1", shard))
    state.accepted_rules = row[0].as<std::string>();
}

template <class Own>
void load_causes(Reader& reader, int shard, const Own& own, CoreState& state) {
  for (const auto& row : reader("SELECT name, state FROM arbiter.cause_state WHERE shard = $1", shard)) {
    state.causes.state[row[0].as<std::string>()] = row[1].as<std::string>();
  }
  for (const auto& row : reader("SELECT slice, route, cause, path, state FROM arbiter.mismatch_groups")) {
    if (!own(row[0].as<std::string>())) continue;
    GroupRow group;
    group.slice = row[0].as<std::string>();
    group.route = row[1].as<std::string>();
    group.cause = row[2].as<std::string>();
    group.path = row[3].as<std::string>();
    group.state = row[4].as<std::string>();
    state.causes.groups.push_back(std::move(group));
  }
}

}  // namespace

CoreState VerdictStore::load(int shard) {
  return impl_->guarded([&] {
    pqxx::work transaction(impl_->connected());
    transaction.exec("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY");
    Reader reader{[this](const char* sql) { return impl_->in_schema(sql); }, transaction};
    const auto own = [&](const std::string& slice) { return impl_->owner_of(slice) == shard; };
    CoreState state;
    impl_->versions.erase(shard);
    for (const auto& row :
         reader("SELECT event_time_us, exchange_time_us, version, heartbeats, streams, stream_progress"
                " FROM arbiter.progress WHERE shard = $1",
                shard)) {
      state.event_time_us = row[0].as<std::int64_t>();
      state.exchange_time_us = row[1].as<std::int64_t>();
      impl_->versions[shard] = row[2].as<std::int64_t>();
      state.heartbeats = rows::read_heartbeats(row[3].as<std::string>());
      state.ledger = decode_ledger_state(row[4].as<std::string>()).value();
      state.stream_progress = row[5].as<std::string>();
    }
    load_accounts(reader, shard, state);
    load_open(reader, shard, state);
    load_windows(reader, own, state);
    load_counts(reader, own, state);
    load_records(reader, shard, state);
    load_noise(reader, own, state);
    load_rules(reader, shard, state);
    load_causes(reader, shard, own, state);
    return state;
  });
}

}  // namespace phoenix::arbiter
