#include "arbiter/capture/pg_connection.hpp"

#include <fmt/format.h>

namespace phoenix::capture {
namespace {

PGconn* connect(const std::string& url, PgConnection::Kind kind) {
  const bool replication = kind == PgConnection::Kind::replication;
  // Of keywords that come twice the last counts: ours before the URL are defaults, behind it they are orders.
  const char* const keywords[] = {"connect_timeout",
                                  "keepalives_idle",
                                  "keepalives_interval",
                                  "keepalives_count",
                                  "tcp_user_timeout",
                                  "fallback_application_name",
                                  "dbname",
                                  "client_encoding",
                                  replication ? "replication" : nullptr,
                                  nullptr};
  const char* const values[] = {"5",         "10",   "5",        "3",    "10000", "phoenix-capture",
                                url.c_str(), "UTF8", "database", nullptr};
  return PQconnectdbParams(keywords, values, 1);
}

std::string escaped(const std::string& text, char quote) {
  std::string out(1, quote);
  for (const char c : text) out.append(c == quote ? 2 : 1, c);
  return out + quote;
}

}  // namespace

std::string first_line(const char* text) {
  std::string line(text == nullptr ? "" : text);
  line.erase(std::min(line.find('\n'), line.size()));
  return line.empty() ? "the connection is closed" : line;
}

std::string quote_literal(const std::string& text) {
  return escaped(text, '\'');
}

std::string quote_name(const std::string& name) {
  return escaped(name, '"');
}

std::string quote_table(const std::string& full_name) {
  const auto dot = full_name.find('.');
  return quote_name(full_name.substr(0, dot)) + "." + quote_name(full_name.substr(dot + 1));
}

void throw_result(PGconn* connection, const PGresult* result, const std::string& where) {
  const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  if (state == nullptr || PQstatus(connection) != CONNECTION_OK) {
    throw Failure(ErrorCode::unavailable, fmt::format("{}: {}", where, first_line(PQerrorMessage(connection))));
  }
  const char* text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  throw SqlFailure(state, fmt::format("{}: {}", where, first_line(text)));
}

PgConnection::PgConnection(const std::string& url, Kind kind) : handle_(connect(url, kind), PQfinish) {
  if (!handle_) throw Failure(ErrorCode::internal, "out of memory for a database connection");
  if (PQstatus(handle_.get()) != CONNECTION_OK) {
    throw Failure(ErrorCode::unavailable,
                  fmt::format("cannot connect to {}: {}", describe(), first_line(PQerrorMessage(handle_.get()))));
  }
  PQsetNoticeProcessor(
      handle_.get(), [](void*, const char*) {}, nullptr);
}

std::string PgConnection::describe() const {
  const auto text = [](const char* value, const char* fallback) {
    return std::string(value == nullptr || *value == '\0' ? fallback : value);
  };
  return fmt::format("{}:{}/{}", text(PQhost(handle_.get()), "local socket"), text(PQport(handle_.get()), "5432"),
                     text(PQdb(handle_.get()), "(default)"));
}

PgConnection::Rows PgConnection::run(const std::string& sql, const std::vector<std::string>& parameters) {
  std::vector<const char*> values;
  for (const auto& parameter : parameters) values.push_back(parameter.c_str());
  // The extended protocol is refused on replication connections.
  const PgResult result(parameters.empty() ? PQexec(handle_.get(), sql.c_str())
                                           : PQexecParams(handle_.get(), sql.c_str(), static_cast<int>(values.size()),
                                                          nullptr, values.data(), nullptr, nullptr, 0),
                        PQclear);
  const auto status = PQresultStatus(result.get());
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) throw_result(handle_.get(), result.get(), describe());
  Rows rows;
  for (int i = 0; i < PQntuples(result.get()); ++i) {
    auto& row = rows.emplace_back();
    for (int k = 0; k < PQnfields(result.get()); ++k) {
      if (PQgetisnull(result.get(), i, k)) {
        row.emplace_back(std::nullopt);
      } else {
        row.emplace_back(PQgetvalue(result.get(), i, k));
      }
    }
  }
  return rows;
}

std::string PgConnection::value(const std::string& sql, const std::vector<std::string>& parameters) {
  const auto rows = run(sql, parameters);
  return rows.empty() || rows[0].empty() ? "" : rows[0][0].value_or("");
}

}  // namespace phoenix::capture
