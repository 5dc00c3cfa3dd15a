#include "arbiter/database_url.hpp"

#include <libpq-fe.h>

#include <map>
#include <memory>
#include <pqxx/pqxx>

#include "core/model/result.hpp"

namespace phoenix::arbiter {
namespace {

using Options = std::map<std::string, std::string>;

Options parse(const std::string& url) {
  char* message = nullptr;
  const std::unique_ptr<PQconninfoOption, void (*)(PQconninfoOption*)> options(PQconninfoParse(url.c_str(), &message),
                                                                               PQconninfoFree);
  const std::unique_ptr<char, void (*)(void*)> owned(message, PQfreemem);
  if (!options) throw Failure(invalid_input("database URL cannot be read: not a libpq URL or keyword/value string"));
  Options result;
  for (const auto* option = options.get(); option->keyword != nullptr; ++option) {
    if (option->val != nullptr) result[option->keyword] = option->val;
  }
  return result;
}

std::string spell(const Options& options) {
  std::string text;
  for (const auto& [keyword, value] : options) {
    text += keyword + "='";
    for (const char c : value) text += c == '\'' || c == '\\' ? std::string{'\\', c} : std::string(1, c);
    text += "' ";
  }
  return text;
}

Options with_defaults(Options options) {
  options.emplace("connect_timeout", "5");
  options.emplace("keepalives_idle", "10");
  options.emplace("tcp_user_timeout", "10000");
  options.emplace("application_name", "phoenix-arbiter");
  return options;
}

bool exists(pqxx::connection& connection, const std::string& database) {
  pqxx::work transaction(connection);
  return !transaction.exec_params("SELECT 1 FROM pg_database WHERE datname = $1", database).empty();
}

}  // namespace

std::string connection_string(const std::string& url) {
  return spell(with_defaults(parse(url)));
}

std::string describe_database(const std::string& url) {
  const Options options = parse(url);
  const auto get = [&](const char* name, const char* fallback) {
    const auto at = options.find(name);
    return at == options.end() ? std::string(fallback) : at->second;
  };
  return fmt::format("{}:{}/{}", get("host", "local socket"), get("port", "5432"), get("dbname", "(default)"));
}

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

void ensure_database(const std::string& url) {
  Options options = parse(url);
  const auto named = options.find("dbname");
  if (named == options.end()) return;  // the user's own default database
  const std::string database = named->second;
  named->second = "postgres";
  try {
    pqxx::connection connection(spell(with_defaults(options)));
    if (exists(connection, database)) return;
    pqxx::nontransaction statement(connection);
    statement.exec("CREATE DATABASE " + connection.quote_name(database));
  } catch (const pqxx::sql_error& e) {
    if (e.sqlstate() == "42P04" || e.sqlstate() == "23505") return;  // another program was faster
    throw Failure(ErrorCode::unavailable,
                  fmt::format("cannot create database {}: {}", describe_database(url), first_line(e.what())));
  } catch (const pqxx::failure&) {
    // No access to `postgres` (a server may forbid it): the database itself may still be there; connecting tells.
  }
}

}  // namespace phoenix::arbiter
