#include <pqxx/pqxx>

#include "arbiter/verdict_store_impl.hpp"

namespace phoenix::arbiter {
namespace {

void load_accounts(pqxx::work& transaction, CoreState& state) {
  for (const auto& row : transaction.exec("SELECT account, state FROM arbiter.accounts")) {
    auto account = decode_account_state(row[1].as<std::string>());
    if (!account) throw Failure(account.error());
    state.accounts.emplace(row[0].as<std::string>(), std::move(*account));
  }
}

void load_open(pqxx::work& transaction, CoreState& state) {
  for (const auto& row :
       transaction.exec("SELECT exchange_id, waiting, late, since_us, frame FROM arbiter.open_exchanges")) {
    const pqxx::binarystring frame(row[4]);
    state.open.emplace(row[0].as<std::string>(),
                       OpenExchange{row[1].as<bool>(), row[2].as<bool>(), row[3].as<std::int64_t>(), frame.str()});
  }
}

void load_windows(pqxx::work& transaction, CoreState& state) {
  for (const auto& row : transaction.exec("SELECT slice, state FROM arbiter.windows")) {
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

void load_counts(pqxx::work& transaction, CoreState& state) {
  for (const auto& row : transaction.exec("SELECT slice, route, rung, verdict, n FROM arbiter.counters")) {
    state.counters[{row[0].as<std::string>(), row[1].as<std::string>(), row[2].as<std::uint64_t>(),
                    row[3].as<std::string>()}] = row[4].as<std::int64_t>();
  }
  for (const auto& row : transaction.exec("SELECT topic, count(*) FROM arbiter.rejected GROUP BY topic")) {
    state.rejected[row[0].as<std::string>()] = row[1].as<std::uint64_t>();
  }
  for (const auto& row : transaction.exec("SELECT at_us, exchange_id FROM arbiter.seen ORDER BY at_us, exchange_id")) {
    state.seen.emplace_back(row[0].as<std::int64_t>(), row[1].as<std::string>());
  }
}

}  // namespace

CoreState VerdictStore::load() {
  return impl_->guarded([&] {
    pqxx::work transaction(impl_->connected());
    transaction.exec("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY");
    CoreState state;
    const auto progress = transaction.exec1("SELECT event_time_us, exchange_time_us FROM arbiter.progress");
    state.event_time_us = progress[0].as<std::int64_t>();
    state.exchange_time_us = progress[1].as<std::int64_t>();
    load_accounts(transaction, state);
    load_open(transaction, state);
    load_windows(transaction, state);
    load_counts(transaction, state);
    for (const auto& row : transaction.exec("SELECT topic, partition, next FROM arbiter.positions")) {
      state.positions[{row[0].as<std::string>(), row[1].as<int>()}] = row[2].as<std::int64_t>();
    }
    return state;
  });
}

}  // namespace phoenix::arbiter
