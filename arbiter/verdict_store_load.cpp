#include <pqxx/pqxx>

#include "arbiter/verdict_store_impl.hpp"
#include "arbiter/verdict_store_rows.hpp"

namespace phoenix::arbiter {
namespace {

void load_accounts(pqxx::work& transaction, int shard, CoreState& state) {
  for (const auto& row :
       transaction.exec_params("SELECT account, state FROM arbiter.accounts WHERE shard = $1", shard)) {
    auto account = decode_account_state(row[1].as<std::string>());
    if (!account) throw Failure(account.error());
    state.accounts.emplace(row[0].as<std::string>(), std::move(*account));
  }
}

void load_open(pqxx::work& transaction, int shard, CoreState& state) {
  for (const auto& row : transaction.exec_params(
           "SELECT exchange_id, waiting, late, since_us, frame FROM arbiter.open_exchanges WHERE shard = $1", shard)) {
    const pqxx::binarystring frame(row[4]);
    state.open.emplace(row[0].as<std::string>(),
                       OpenExchange{row[1].as<bool>(), row[2].as<bool>(), row[3].as<std::int64_t>(), frame.str()});
  }
}

/// `own`: whether a slice is of this shard.
template <class Own>
void load_windows(pqxx::work& transaction, const Own& own, CoreState& state) {
  for (const auto& row : transaction.exec("SELECT slice, state FROM arbiter.windows")) {
    if (!own(row[0].as<std::string>())) continue;
    auto window = decode_window_state(row[1].as<std::string>());
    if (!window) throw Failure(window.error());
    state.windows.emplace(row[0].as<std::string>(), std::move(*window));
  }
  for (const auto& row : transaction.exec("SELECT slice, rung, unit FROM arbiter.units")) {
    const auto window = state.windows.find(row[0].as<std::string>());
    if (window == state.windows.end() || window->second.rung != row[1].as<std::uint64_t>()) continue;
    state.units.emplace_back(row[0].as<std::string>(), row[2].as<std::string>());
  }
}

template <class Own>
void load_counts(pqxx::work& transaction, const Own& own, CoreState& state) {
  for (const auto& row : transaction.exec("SELECT slice, route, rung, verdict, n FROM arbiter.counters")) {
    if (!own(row[0].as<std::string>())) continue;
    state.counters[{row[0].as<std::string>(), row[1].as<std::string>(), row[2].as<std::uint64_t>(),
                    row[3].as<std::string>()}] = row[4].as<std::int64_t>();
  }
}

void load_records(pqxx::work& transaction, int shard, CoreState& state) {
  // gateway-status has one partition, 0, that every shard reads.
  for (const auto& row : transaction.exec_params(
           "SELECT topic, count(*) FROM arbiter.rejected WHERE partition = $1 GROUP BY topic", shard)) {
    state.rejected[row[0].as<std::string>()] = row[1].as<std::uint64_t>();
  }
  for (const auto& row : transaction.exec_params(
           "SELECT at_us, exchange_id FROM arbiter.seen WHERE shard = $1 ORDER BY at_us, exchange_id", shard)) {
    state.seen.emplace_back(row[0].as<std::int64_t>(), row[1].as<std::string>());
  }
  for (const auto& row :
       transaction.exec_params("SELECT topic, partition, next FROM arbiter.positions WHERE shard = $1", shard)) {
    state.positions[{row[0].as<std::string>(), row[1].as<int>()}] = row[2].as<std::int64_t>();
  }
}

template <class Own>
void load_causes(pqxx::work& transaction, int shard, const Own& own, CoreState& state) {
  for (const auto& row :
       transaction.exec_params("SELECT name, state FROM arbiter.cause_state WHERE shard = $1", shard)) {
    state.causes.state[row[0].as<std::string>()] = row[1].as<std::string>();
  }
  for (const auto& row : transaction.exec("SELECT slice, route, cause, path, state FROM arbiter.mismatch_groups")) {
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
    const auto own = [&](const std::string& slice) { return impl_->owner_of(slice) == shard; };
    CoreState state;
    impl_->versions.erase(shard);
    for (const auto& row : transaction.exec_params("SELECT event_time_us, exchange_time_us, version, heartbeats"
                                                   " FROM arbiter.progress WHERE shard = $1",
                                                   shard)) {
      state.event_time_us = row[0].as<std::int64_t>();
      state.exchange_time_us = row[1].as<std::int64_t>();
      impl_->versions[shard] = row[2].as<std::int64_t>();
      state.heartbeats = rows::read_heartbeats(row[3].as<std::string>());
    }
    load_accounts(transaction, shard, state);
    load_open(transaction, shard, state);
    load_windows(transaction, own, state);
    load_counts(transaction, own, state);
    load_records(transaction, shard, state);
    load_causes(transaction, shard, own, state);
    return state;
  });
}

}  // namespace phoenix::arbiter
