#include "orchestrator/database.hpp"

#include <fmt/format.h>

#include <cctype>
#include <pqxx/pqxx>

#include "core/model/result.hpp"

namespace phoenix::orchestrator {
namespace {

bool is_url(const std::string& text) {
  return text.rfind("postgresql://", 0) == 0 || text.rfind("postgres://", 0) == 0;
}

/// Where the path of a URL begins (its slash, or where one would stand) and ends.
struct PathSpan {
  std::size_t begin, end;
};
PathSpan path_of(const std::string& url) {
  const std::size_t authority = url.find("://") + 3;
  const std::size_t query = std::min(url.find('?', authority), url.size());
  const std::size_t slash = std::min(url.find('/', authority), query);
  return {slash, query};
}

/// Position of `key=` as a word of its own in a key=value string.
std::size_t find_keyword(const std::string& text, const std::string& key) {
  for (std::size_t at = text.find(key + "="); at != std::string::npos; at = text.find(key + "=", at + 1)) {
    if (at == 0 || std::isspace(static_cast<unsigned char>(text[at - 1])) != 0) return at;
  }
  return std::string::npos;
}

std::size_t end_of_value(const std::string& text, std::size_t from) {
  if (from < text.size() && text[from] == '\'') {
    for (std::size_t i = from + 1; i < text.size(); ++i) {
      if (text[i] == '\\')
        ++i;
      else if (text[i] == '\'')
        return i + 1;
    }
    return text.size();
  }
  while (from < text.size() && std::isspace(static_cast<unsigned char>(text[from])) == 0) ++from;
  return from;
}

std::string add_parameter(const std::string& connection, const std::string& key, const std::string& value) {
  if (connection.find(key + "=") != std::string::npos) return connection;
  if (is_url(connection)) {
    return connection + (connection.find('?') == std::string::npos ? "?" : "&") + key + "=" + value;
  }
  return connection + (connection.empty() ? "" : " ") + key + "=" + value;
}

std::string one_line(std::string text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) text.pop_back();
  for (char& c : text) {
    if (c == '\n' || c == '\t') c = ' ';
  }
  return text;
}

}  // namespace

std::string with_database(const std::string& connection, const std::string& database) {
  if (is_url(connection)) {
    const PathSpan path = path_of(connection);
    return connection.substr(0, path.begin) + "/" + database + connection.substr(path.end);
  }
  const std::size_t at = find_keyword(connection, "dbname");
  if (at == std::string::npos) return connection + (connection.empty() ? "" : " ") + "dbname=" + database;
  return connection.substr(0, at) + "dbname=" + database + connection.substr(end_of_value(connection, at + 7));
}

std::string database_name(const std::string& connection) {
  if (is_url(connection)) {
    const PathSpan path = path_of(connection);
    return path.begin < path.end ? connection.substr(path.begin + 1, path.end - path.begin - 1) : "";
  }
  const std::size_t at = find_keyword(connection, "dbname");
  if (at == std::string::npos) return "";
  std::string value = connection.substr(at + 7, end_of_value(connection, at + 7) - at - 7);
  if (value.size() >= 2 && value.front() == '\'') value = value.substr(1, value.size() - 2);
  return value;
}

std::string with_timeouts(const std::string& connection) {
  return add_parameter(add_parameter(connection, "connect_timeout", "3"), "tcp_user_timeout", "5000");
}

std::string without_password(const std::string& connection) {
  if (is_url(connection)) {
    const std::size_t authority = connection.find("://") + 3;
    const std::size_t at = connection.find('@', authority);
    if (at == std::string::npos || at > path_of(connection).begin) return connection;
    const std::size_t colon = connection.find(':', authority);
    return colon < at ? connection.substr(0, colon) + ":***" + connection.substr(at) : connection;
  }
  const std::size_t at = find_keyword(connection, "password");
  if (at == std::string::npos) return connection;
  return connection.substr(0, at) + "password=***" + connection.substr(end_of_value(connection, at + 9));
}

void create_database_if_missing(const std::string& connection, const std::string& config_key) {
  const std::string name = database_name(connection);
  if (name.empty()) throw Failure(ErrorCode::invalid_input, fmt::format("{} names no database", config_key));
  try {
    pqxx::connection maintenance(with_timeouts(with_database(connection, "postgres")));
    pqxx::nontransaction session(maintenance);
    if (!session.exec_params("SELECT 1 FROM pg_database WHERE datname = $1", name).empty()) return;
    session.exec("CREATE DATABASE " + session.quote_name(name));
  } catch (const pqxx::sql_error& e) {
    // Another program created it at the same moment: as good as ours.
    if (e.sqlstate() == "42P04" || e.sqlstate() == "23505") return;
    throw Failure(ErrorCode::unavailable,
                  fmt::format("cannot create database '{}' ({}): {}", name, config_key, one_line(e.what())));
  } catch (const pqxx::failure& e) {
    throw Failure(ErrorCode::unavailable,
                  fmt::format("cannot reach the database server of {} ({}): {}; start it or correct the address",
                              config_key, without_password(connection), one_line(e.what())));
  }
}

}  // namespace phoenix::orchestrator
