#include "arbiter/sweep_table.hpp"

#include <chrono>
#include <pqxx/pqxx>

#include "arbiter/database_url.hpp"

namespace phoenix::arbiter {
namespace {

using SteadyClock = std::chrono::steady_clock;

/// Nothing of a sweep may wait for a lock that a migration of the schema holds.
constexpr int kLockTimeoutMs = 1'000;

LedgerRows read_rows(const pqxx::result& result) {
  LedgerRows rows;
  rows.reserve(result.size());
  for (const auto& row : result) {
    if (row[0].is_null()) continue;
    add_row(rows, row[0].as<std::string>(),
            {true, row[1].is_null() ? "" : row[1].as<std::string>(), row[2].as<std::string>()});
  }
  return rows;
}

}  // namespace

struct SweepTable::Impl {
  Impl(Side of_side, Settings given) : side(of_side), settings(std::move(given)), sql(settings.table, {}) {}

  pqxx::connection& connected() {
    if (connection && connection->is_open()) return *connection;
    connection = std::make_unique<pqxx::connection>(connection_string(settings.url));
    pqxx::nontransaction session(*connection);
    session.exec(
        fmt::format("SET default_transaction_read_only = on; SET statement_timeout = {}; SET lock_timeout = {}",
                    settings.statement_timeout.count(), kLockTimeoutMs));
    return *connection;
  }

  [[nodiscard]] std::string name() const {
    return fmt::format("{} ledger {}", to_string(side), describe_database(settings.url));
  }

  /// The result of one statement; what goes wrong is told apart by whether a later try may help.
  template <class... Parameters>
  pqxx::result run(const std::string& statement, const Parameters&... parameters) {
    const auto begin = SteadyClock::now();
    try {
      pqxx::nontransaction session(connected());
      auto result = session.exec_params(statement, parameters...);
      database_time += SteadyClock::now() - begin;
      return result;
    } catch (const pqxx::sql_error& e) {
      database_time += SteadyClock::now() - begin;
      const std::string state = e.sqlstate();
      timed_out = state == "57014";
      const bool lasting = state.starts_with("42") || state.starts_with("22") || state.starts_with("0A");
      connection.reset();
      throw Failure(lasting ? ErrorCode::invalid_input : ErrorCode::unavailable,
                    fmt::format("sweep: {}: {}", name(), first_line(e.what())));
    } catch (const std::exception& e) {
      connection.reset();
      throw Failure(ErrorCode::unavailable, fmt::format("sweep: {}: {}", name(), first_line(e.what())));
    }
  }

  pqxx::result run(const std::string& statement, const KeyRange& range) {
    if (range.low && range.high) return run(statement, *range.low, *range.high);
    if (range.low) return run(statement, *range.low);
    if (range.high) return run(statement, *range.high);
    return run(statement);
  }

  Side side;
  Settings settings;
  SweepSql sql;
  SweepSql::Options options;
  std::unique_ptr<pqxx::connection> connection;
  SteadyClock::duration database_time{0};
  bool timed_out = false;
};

SweepTable::SweepTable(Side side, Settings settings) : impl_(std::make_unique<Impl>(side, std::move(settings))) {}
SweepTable::~SweepTable() = default;
SweepTable::SweepTable(SweepTable&&) noexcept = default;

TableShape SweepTable::probe() {
  const auto& table = impl_->settings.table;
  const auto row = impl_->run(SweepSql::probe(table))[0];
  const auto key = row[0].as<std::string>();
  const auto balance = row[1].as<std::string>();
  const auto type = sweep_key_type(key);
  if (!type) {
    throw Failure(
        ErrorCode::invalid_input,
        fmt::format("sweep: {}: the key is of type {}; give it as integer, text or uuid, like key: \"{}::text\"",
                    impl_->name(), key, table.key));
  }
  if (balance == "real" || balance == "double precision") {
    throw Failure(ErrorCode::invalid_input,
                  fmt::format("sweep: {}: the balance is a binary floating-point column, in which money cannot be "
                              "compared exactly; let it be numeric or integer minor units",
                              impl_->name()));
  }
  return {*type, row[2].as<bool>()};
}

void SweepTable::use(SweepSql::Options options) {
  impl_->options = options;
  impl_->sql = SweepSql(impl_->settings.table, options);
}

std::optional<std::string> SweepTable::nth_key(const KeyRange& range, int rows) {
  const auto result = impl_->run(impl_->sql.nth_key(range, rows), range);
  return result.empty() ? std::nullopt : std::optional(result[0][0].as<std::string>());
}

RangeDigest SweepTable::digest(const KeyRange& range) {
  const auto row = impl_->run(impl_->sql.digest(range), range)[0];
  return {row[0].as<std::int64_t>(), row[1].as<std::string>(), row[2].as<std::string>()};
}

LedgerRows SweepTable::rows(const KeyRange& range) {
  return read_rows(impl_->run(impl_->sql.rows(range), range));
}

LedgerRows SweepTable::rows_of_keys(const std::vector<std::string>& keys) {
  std::vector<std::string> fitting;
  for (const auto& key : keys) {
    if (fits_key_type(key, impl_->options.type)) fitting.push_back(key);
  }
  if (fitting.empty()) return {};
  return read_rows(impl_->run(impl_->sql.rows_of_keys(), array_literal(fitting)));
}

std::int64_t SweepTable::estimated_rows() {
  const auto row = impl_->run(impl_->sql.estimate())[0];
  return row[0].is_null() ? 0 : row[0].as<std::int64_t>();
}

bool SweepTable::take_timed_out() {
  return std::exchange(impl_->timed_out, false);
}

std::int64_t SweepTable::database_us() const {
  return std::chrono::duration_cast<std::chrono::microseconds>(impl_->database_time).count();
}

}  // namespace phoenix::arbiter
