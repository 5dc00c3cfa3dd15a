#include "core/sim/database_setup.hpp"

#include <fmt/format.h>

#include <pqxx/pqxx>

#include "core/model/result.hpp"

namespace phoenix::sim {

namespace {

constexpr const char* kDatabaseMissing = "does not exist";  // the connect error carries no SQL state

/// Where the database's name stands in the URL: [begin, end).
std::pair<std::size_t, std::size_t> name_range(const std::string& url) {
  const auto scheme = url.find("://");
  if (scheme == std::string::npos)
    throw Failure(ErrorCode::invalid_input,
                  "option --database: a URL postgresql://USER:PASSWORD@HOST:PORT/NAME is needed");
  const auto end = std::min(url.find('?'), url.size());
  const auto slash = url.find('/', scheme + 3);
  if (slash == std::string::npos || slash > end) return {end, end};
  return {slash + 1, end};
}

void create_database(const std::string& url) {
  const std::string name = database_of(url);
  pqxx::connection connection(with_connect_timeout(with_database(url, "postgres")));
  pqxx::nontransaction session(connection);
  try {
    session.exec("CREATE DATABASE " + session.quote_name(name));
  } catch (const pqxx::sql_error& error) {
    // Another program was faster: "duplicate database", or its catalogue row already stands.
    if (error.sqlstate() != "42P04" && error.sqlstate() != "23505") throw;
  }
}

void run_statements(const std::string& url, const std::vector<std::string>& statements) {
  pqxx::connection connection(with_connect_timeout(url));
  pqxx::work transaction(connection);
  transaction.exec("SET LOCAL client_min_messages = warning");
  // CREATE ... IF NOT EXISTS of two programs at once can still collide in the catalogue.
  transaction.exec("SELECT pg_advisory_xact_lock(hashtext('phoenix simulator schema'))");
  for (const auto& statement : statements) transaction.exec(statement);
  transaction.commit();
}

}  // namespace

void set_up_database(const std::string& url, const std::vector<std::string>& statements) {
  if (database_of(url).empty()) throw Failure(ErrorCode::invalid_input, "option --database: the URL names no database");
  try {
    try {
      run_statements(url, statements);
    } catch (const pqxx::broken_connection& error) {
      if (std::string_view(error.what()).find(kDatabaseMissing) == std::string_view::npos) throw;
      create_database(url);
      run_statements(url, statements);
    }
  } catch (const pqxx::pqxx_exception& error) {
    throw Failure(ErrorCode::unavailable,
                  fmt::format("cannot use database '{}': {}", database_of(url), first_line(error.base().what())));
  }
}

std::string with_database(const std::string& url, const std::string& database) {
  const auto [begin, end] = name_range(url);
  const std::string head = url.substr(0, begin);
  return head + (head.back() == '/' && begin > url.find("://") + 3 ? "" : "/") + database + url.substr(end);
}

std::string database_of(const std::string& url) {
  const auto [begin, end] = name_range(url);
  return url.substr(begin, end - begin);
}

std::string with_connect_timeout(const std::string& url) {
  if (url.find("connect_timeout=") != std::string::npos) return url;
  return url + (url.find('?') == std::string::npos ? "?" : "&") + "connect_timeout=2";
}

std::string first_line(std::string_view message) {
  message = message.substr(0, message.find('\n'));
  while (!message.empty() && (message.back() == ' ' || message.back() == '\r')) message.remove_suffix(1);
  return std::string(message);
}

}  // namespace phoenix::sim
