#include "orchestrator/arbiter_reader.hpp"

#include <fmt/format.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <pqxx/pqxx>

#include "core/model/exchange_id.hpp"
#include "core/runtime/config.hpp"
#include "orchestrator/database.hpp"

namespace phoenix::orchestrator {
namespace {

using nlohmann::json;

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

Result<std::string> query(const std::string& connection, const std::string& when_missing,
                          const std::function<Result<std::string>(pqxx::read_transaction&)>& body) {
  try {
    pqxx::connection session(with_timeouts(connection));
    pqxx::read_transaction transaction(session);
    transaction.exec("SET LOCAL statement_timeout = '5s'");
    return body(transaction);
  } catch (const pqxx::undefined_table&) {
    return when_missing;
  } catch (const pqxx::data_exception& e) {
    return invalid_input(first_line(e.what()));
  } catch (const pqxx::sql_error& e) {
    if (e.sqlstate() == "3F000") return when_missing;  // no schema `arbiter`
    return unavailable("arbiter's tables: " + first_line(e.what()));
  } catch (const pqxx::failure& e) {
    return unavailable("arbiter's database: " + first_line(e.what()));
  }
}

/// "\x6869" as the database writes bytea: as text when it is UTF-8, else base16 with a mark.
void readable_body(json& row, const std::string& column) {
  const auto& hex = row[column].get_ref<const std::string&>();
  std::string bytes;
  for (std::size_t i = 2; i + 1 < hex.size(); i += 2)
    bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  try {
    (void)json(bytes).dump();
    row[column] = bytes;
  } catch (const json::exception&) {
    row[column + "_encoding"] = "base16";
    row[column] = hex.substr(2);
  }
}

/// Those of the exchange's keys that are split on its rung, as JSON. An arbiter of an older version has no such table.
std::string split_keys(pqxx::read_transaction& transaction, const json& exchange) {
  const json& header = exchange.at("header");
  if (transaction.exec1("SELECT to_regclass('arbiter.split_keys')")[0].is_null()) return "[]";
  return transaction
      .exec_params1(
          "SELECT coalesce(json_agg(to_jsonb(s) ORDER BY s.key), '[]')::text FROM arbiter.split_keys s"
          " WHERE s.slice = $1 AND s.rung = $2 AND s.key IN (SELECT k->>'key' FROM jsonb_array_elements($3::jsonb) k)",
          header.value("slice", ""), header.value("rung", std::int64_t{0}),
          header.value("keys", json::array()).dump())[0]
      .as<std::string>();
}

/// The groups that hold the exchange's mismatches: of its slice, route and cause. An arbiter of an older version has no
/// such table, and verdicts without a cause.
std::string groups_of(pqxx::read_transaction& transaction, const std::string& exchange_id) {
  if (transaction.exec1("SELECT to_regclass('arbiter.mismatch_groups')")[0].is_null()) return "[]";
  return transaction
      .exec_params1(
          "SELECT coalesce(json_agg(to_jsonb(g) - 'state' ORDER BY g.mismatches DESC), '[]')::text"
          " FROM arbiter.mismatch_groups g JOIN arbiter.verdicts v ON (g.slice, g.route, g.cause) ="
          " (v.slice, v.route, to_jsonb(v)->>'cause') WHERE v.exchange_id::text = $1",
          exchange_id)[0]
      .as<std::string>();
}

std::string since_clause(const std::string& since) {
  if (since.empty()) return "NULL::timestamptz";
  if (const auto duration = config::parse_duration(since))
    return fmt::format("now() - interval '{} milliseconds'", duration->count());
  return "$5::timestamptz";
}

}  // namespace

Result<std::string> ArbiterReader::verdicts(const VerdictFilter& filter) const {
  return query(connection_, "[]", [&](pqxx::read_transaction& transaction) -> Result<std::string> {
    const auto rows = transaction.exec_params(
        "SELECT coalesce(json_agg(j), '[]')::text FROM (SELECT to_jsonb(v) AS j FROM arbiter.verdicts v WHERE "
        "($1 = '' OR v.slice = $1) AND ($2 = '' OR v.route = $2) AND ($3 = '' OR v.verdict = $3) AND ($4 = '' OR "
        "v.account = $4) "
        "AND ($5::text IS NOT NULL) AND (" +
            since_clause(filter.since) + " IS NULL OR v.event_time >= " + since_clause(filter.since) +
            ") ORDER BY v.event_time DESC LIMIT $6) t",
        filter.slice, filter.route, filter.kind, filter.account, filter.since, static_cast<long>(filter.limit));
    return rows[0][0].as<std::string>();
  });
}

Result<std::string> ArbiterReader::drift() const {
  return query(connection_, "[]", [&](pqxx::read_transaction& transaction) -> Result<std::string> {
    return transaction.exec1("SELECT coalesce(json_agg(to_jsonb(d)), '[]')::text FROM arbiter.drift d")[0]
        .as<std::string>();
  });
}

Result<std::string> ArbiterReader::groups(const std::string& slice, std::size_t limit) const {
  return query(connection_, "[]", [&](pqxx::read_transaction& transaction) -> Result<std::string> {
    return transaction
        .exec_params1(
            "SELECT coalesce(json_agg(j), '[]')::text FROM (SELECT to_jsonb(g) - 'state' AS j FROM"
            " arbiter.mismatch_groups g WHERE $1 = '' OR g.slice = $1 ORDER BY g.mismatches DESC, g.slice,"
            " g.route, g.cause, g.path LIMIT $2) t",
            slice, static_cast<long>(limit))[0]
        .as<std::string>();
  });
}

Result<std::string> ArbiterReader::noise(const std::string& slice) const {
  return query(connection_, "[]", [&](pqxx::read_transaction& transaction) -> Result<std::string> {
    return transaction
        .exec_params1(
            "SELECT coalesce(json_agg(n ORDER BY n.slice, n.route), '[]')::text FROM arbiter.noise n"
            " WHERE $1 = '' OR n.slice = $1",
            slice)[0]
        .as<std::string>();
  });
}

Result<std::string> ArbiterReader::sweeps(std::size_t limit) const {
  return query(connection_, "[]", [&](pqxx::read_transaction& transaction) -> Result<std::string> {
    return transaction
        .exec_params1(
            "SELECT coalesce(json_agg(to_jsonb(s) - 'version' ORDER BY s.id DESC), '[]')::text FROM"
            " (SELECT * FROM arbiter.sweeps ORDER BY id DESC LIMIT $1) s",
            static_cast<long>(limit))[0]
        .as<std::string>();
  });
}

Result<std::string> ArbiterReader::sweep(const std::string& id, std::size_t limit) const {
  const auto text = query(connection_, "", [&](pqxx::read_transaction& transaction) -> Result<std::string> {
    const auto sweeps =
        transaction.exec_params("SELECT (to_jsonb(s) - 'version')::text FROM arbiter.sweeps s WHERE id::text = $1", id);
    if (sweeps.empty()) return std::string();
    const auto accounts = transaction.exec_params1(
        "SELECT coalesce(json_agg(to_jsonb(a) - 'sweep'), '[]')::text FROM (SELECT * FROM arbiter.sweep_accounts"
        " WHERE sweep::text = $1 ORDER BY state, account LIMIT $2) a",
        id, static_cast<long>(limit));
    return fmt::format("{{\"sweep\":{},\"accounts\":{}}}", sweeps[0][0].c_str(), accounts[0].c_str());
  });
  if (text && text->empty()) return Error{ErrorCode::not_found, fmt::format("no sweep {}", id)};
  return text;
}

Result<std::string> ArbiterReader::exchange(const std::string& id) const {
  const auto parsed = ExchangeId::parse(id);
  if (!parsed) return invalid_input("not an exchange id: " + parsed.error().message);
  const auto text = query(connection_, "", [&](pqxx::read_transaction& transaction) -> Result<std::string> {
    const auto rows = transaction.exec_params(
        "SELECT to_jsonb(e)::text FROM arbiter.exchanges e WHERE e.exchange_id::text = $1", parsed->to_string());
    if (rows.empty()) return std::string();
    const auto verdicts = transaction.exec_params1(
        "SELECT coalesce(json_agg(to_jsonb(v)), '[]')::text FROM arbiter.verdicts v WHERE v.exchange_id::text = $1",
        parsed->to_string());
    json row = json::parse(rows[0][0].as<std::string>());
    std::vector<std::string> bodies;
    for (const auto& [column, value] : row.items()) {
      if (value.is_string() && column.ends_with("_body") && value.get_ref<const std::string&>().starts_with("\\x"))
        bodies.push_back(column);
    }
    for (const auto& column : bodies) readable_body(row, column);
    return json{{"exchange", row},
                {"verdicts", json::parse(verdicts[0].as<std::string>())},
                {"split_keys", json::parse(split_keys(transaction, row))},
                {"groups", json::parse(groups_of(transaction, parsed->to_string()))}}
        .dump();
  });
  if (text && text->empty()) {
    return Error{
        ErrorCode::not_found,
        fmt::format("no exchange {}: not seen, a plain match whose bodies were not kept, or past retention", id)};
  }
  return text;
}

}  // namespace phoenix::orchestrator
