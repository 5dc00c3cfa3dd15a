#include "arbiter/sweep_store.hpp"

#include <nlohmann/json.hpp>
#include <pqxx/pqxx>

#include "arbiter/database_url.hpp"

namespace phoenix::arbiter {
namespace {

using nlohmann::json;

const char* const kRows = R"sql(
INSERT INTO arbiter.sweep_accounts
SELECT $2::bigint, account, state, legacy_balance, modern_balance, legacy_currency, modern_currency, tries, now()
FROM json_to_recordset($1::json) AS r(account text, state text, legacy_balance text, modern_balance text,
  legacy_currency text, modern_currency text, tries int)
ON CONFLICT (sweep, account) DO UPDATE SET state = excluded.state, legacy_balance = excluded.legacy_balance,
  modern_balance = excluded.modern_balance, legacy_currency = excluded.legacy_currency,
  modern_currency = excluded.modern_currency, tries = excluded.tries, at = excluded.at)sql";

json to_json(const SweepRow& row) {
  json j{{"account", row.account}, {"state", row.state}, {"tries", row.tries}};
  for (const std::size_t side : {0, 1}) {
    const auto& balance = row.balances[side];
    if (!balance.exists) continue;
    j[side == 0 ? "legacy_balance" : "modern_balance"] = balance.amount;
    j[side == 0 ? "legacy_currency" : "modern_currency"] = balance.currency;
  }
  return j;
}

}  // namespace

struct SweepStore::Impl {
  std::string url;
  std::unique_ptr<pqxx::connection> connection;

  template <class Work>
  auto in_transaction(Work work) {
    try {
      if (!connection || !connection->is_open())
        connection = std::make_unique<pqxx::connection>(connection_string(url));
      pqxx::work transaction(*connection);
      auto result = work(transaction);
      transaction.commit();
      return result;
    } catch (const Failure&) {
      throw;
    } catch (const std::exception& e) {
      connection.reset();
      throw Failure(ErrorCode::unavailable,
                    fmt::format("sweep: store {}: {}", describe_database(url), first_line(e.what())));
    }
  }
};

SweepStore::SweepStore(std::string url) : impl_(std::make_unique<Impl>()) {
  impl_->url = std::move(url);
}
SweepStore::~SweepStore() = default;

std::int64_t SweepStore::request(const std::string& slice, const std::string& by, bool& opened) {
  return impl_->in_transaction([&](pqxx::work& transaction) {
    const auto inserted = transaction.exec_params(
        "INSERT INTO arbiter.sweeps (slice, requested_by) VALUES ($1, $2)"
        " ON CONFLICT (slice) WHERE state IN ('requested', 'running') DO NOTHING RETURNING id",
        slice, by);
    opened = !inserted.empty();
    if (opened) return inserted[0][0].as<std::int64_t>();
    const auto open = transaction.exec_params(
        "SELECT id FROM arbiter.sweeps WHERE slice = $1 AND state IN ('requested', 'running')", slice);
    return open.empty() ? std::int64_t{0} : open[0][0].as<std::int64_t>();
  });
}

bool SweepStore::cancel(const std::string& slice, const std::string& by) {
  return impl_->in_transaction([&](pqxx::work& transaction) {
    return transaction
               .exec_params(
                   "UPDATE arbiter.sweeps SET state = 'cancelled', finished_at = now(), version = version + 1,"
                   " problem = 'cancelled by ' || $2 WHERE slice = $1 AND state IN ('requested', 'running')",
                   slice, by)
               .affected_rows() > 0;
  });
}

std::optional<StoredSweep> SweepStore::take_up(const std::string& slice) {
  return impl_->in_transaction([&](pqxx::work& transaction) -> std::optional<StoredSweep> {
    const auto rows = transaction.exec_params(
        "UPDATE arbiter.sweeps SET state = 'running', started_at = coalesce(started_at, now()), version = version + 1"
        " WHERE slice = $1 AND state IN ('requested', 'running') RETURNING id, version, progress::text",
        slice);
    if (rows.empty()) return std::nullopt;
    StoredSweep sweep;
    sweep.id = rows[0][0].as<std::int64_t>();
    sweep.version = rows[0][1].as<std::int64_t>();
    auto progress = decode_sweep_progress(rows[0][2].as<std::string>());
    if (!progress) throw Failure(progress.error());
    sweep.progress = std::move(*progress);
    for (const auto& row : transaction.exec_params(
             "SELECT account, tries FROM arbiter.sweep_accounts WHERE sweep = $1 AND state = 'pending'", sweep.id)) {
      Candidate candidate;
      candidate.key = row[0].as<std::string>();
      candidate.tries = row[1].as<int>();
      sweep.candidates.emplace(candidate.key, std::move(candidate));
    }
    return sweep;
  });
}

std::optional<double> SweepStore::age_of_latest_s(const std::string& slice) {
  return impl_->in_transaction([&](pqxx::work& transaction) -> std::optional<double> {
    const auto row = transaction.exec_params1(
        "SELECT extract(epoch FROM now() - max(requested_at))::float8 FROM arbiter.sweeps WHERE slice = $1", slice);
    if (row[0].is_null()) return std::nullopt;
    return row[0].as<double>();
  });
}

double SweepStore::last_finished_unix(const std::string& slice) {
  return impl_->in_transaction([&](pqxx::work& transaction) {
    return transaction
        .exec_params1(
            "SELECT coalesce(extract(epoch FROM max(finished_at)), 0)::float8 FROM arbiter.sweeps"
            " WHERE slice = $1 AND state = 'finished'",
            slice)[0]
        .as<double>();
  });
}

void SweepStore::save(StoredSweep& sweep, const std::vector<SweepRow>& rows, const std::string& state,
                      const std::string& problem) {
  json list = json::array();
  json gone = json::array();
  for (const auto& row : rows) row.state == "equal" ? gone.push_back(row.account) : list.push_back(to_json(row));
  impl_->in_transaction([&](pqxx::work& transaction) {
    const auto updated = transaction.exec_params(
        "UPDATE arbiter.sweeps SET version = version + 1, progress = $3::jsonb, state = $4, problem = $5,"
        " finished_at = CASE WHEN $4 <> 'running' THEN now() END WHERE id = $1 AND version = $2 AND state = 'running'",
        sweep.id, sweep.version, encode(sweep.progress), state, problem);
    if (updated.affected_rows() != 1)
      throw Failure(ErrorCode::conflict, fmt::format("sweep {} was cancelled or goes on elsewhere", sweep.id));
    const auto text = [](const json& j) { return j.dump(-1, ' ', false, json::error_handler_t::replace); };
    if (!list.empty()) transaction.exec_params(kRows, text(list), sweep.id);
    if (!gone.empty()) {
      transaction.exec_params(
          "DELETE FROM arbiter.sweep_accounts WHERE sweep = $2 AND account IN (SELECT "
          "json_array_elements_text($1::json))",
          text(gone), sweep.id);
    }
    return true;
  });
  ++sweep.version;
}

std::string SweepStore::list(int limit) {
  return impl_->in_transaction([&](pqxx::work& transaction) {
    return transaction
        .exec_params1(
            "SELECT coalesce(json_agg(to_jsonb(s) ORDER BY s.id DESC), '[]')::text FROM"
            " (SELECT * FROM arbiter.sweeps ORDER BY id DESC LIMIT $1) s",
            limit)[0]
        .as<std::string>();
  });
}

}  // namespace phoenix::arbiter
