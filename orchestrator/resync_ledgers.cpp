#include "orchestrator/resync_ledgers.hpp"

#include <fmt/format.h>

#include <pqxx/pqxx>

#include "orchestrator/database.hpp"

namespace phoenix::orchestrator {
namespace {

LedgerRow row_of(const pqxx::result& result) {
  if (result.empty()) return std::nullopt;
  std::vector<std::optional<std::string>> values;
  for (const auto& field : result[0]) {
    if (field.is_null())
      values.emplace_back();
    else
      values.emplace_back(std::string(field.c_str(), field.size()));
  }
  return values;
}

}  // namespace

struct ResyncLedger::Impl {
  Side side;
  config::ResyncConfig settings;
  std::unique_ptr<pqxx::connection> connection;

  pqxx::connection& connected() {
    if (!connection || !connection->is_open()) {
      connection = std::make_unique<pqxx::connection>(with_timeouts(settings.url));
      pqxx::nontransaction(*connection).exec("SET statement_timeout = '5s'; SET lock_timeout = '2s'");
    }
    return *connection;
  }

  template <class Work>
  auto guarded(Work work) {
    try {
      return work();
    } catch (const pqxx::sql_error& e) {
      const std::string state = e.sqlstate();
      const auto code = state.starts_with("40")                              ? ErrorCode::conflict
                        : state.starts_with("42") || state.starts_with("22") ? ErrorCode::invalid_input
                                                                             : ErrorCode::unavailable;
      connection.reset();
      throw Failure(code, message(e.what()));
    } catch (const pqxx::failure& e) {
      connection.reset();
      throw Failure(ErrorCode::unavailable, message(e.what()));
    }
  }
  [[nodiscard]] std::string message(const std::string& what) const {
    return fmt::format("{} ledger (arbiter.{}_db.resync): {}", to_string(side), to_string(side),
                       what.substr(0, what.find('\n')));
  }
};

ResyncLedger::ResyncLedger(Side side, config::ResyncConfig settings)
    : impl_(std::make_unique<Impl>(Impl{side, std::move(settings), nullptr})) {}
ResyncLedger::~ResyncLedger() = default;

LedgerRow ResyncLedger::read(const std::string& key) {
  return impl_->guarded([&] {
    pqxx::nontransaction session(impl_->connected());
    return row_of(session.exec_params(impl_->settings.read, key));
  });
}

bool ResyncLedger::overwrite(const std::string& key, const std::string& run,
                             const std::function<LedgerRow(const LedgerRow& before)>& decide,
                             const std::function<bool(const LedgerRow& after)>& still_right) {
  return impl_->guarded([&] {
    pqxx::transaction<pqxx::repeatable_read> transaction(impl_->connected());
    // The first statement takes the snapshot: what commits after it and touches the same rows makes ours fail.
    const LedgerRow values = decide(row_of(transaction.exec_params(impl_->settings.read, key)));
    if (!values) return false;
    transaction.exec_params("SELECT pg_logical_emit_message(true, 'phoenix', $1)",
                            fmt::format(R"({{"resync":"{}"}})", run));
    std::vector<const char*> given{key.c_str()};
    for (const auto& value : *values) given.push_back(value ? value->c_str() : nullptr);
    transaction.exec_params(impl_->settings.apply, pqxx::prepare::make_dynamic_params(given));
    if (!still_right(row_of(transaction.exec_params(impl_->settings.read, key)))) return false;
    transaction.commit();
    return true;
  });
}

}  // namespace phoenix::orchestrator
