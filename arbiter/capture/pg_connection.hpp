// A libpq connection for a few statements. Failures are one line and never show a password. One thread.
#pragma once

#include <libpq-fe.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/model/result.hpp"

namespace phoenix::capture {

/// A statement that the server refused.
class SqlFailure : public Failure {
 public:
  SqlFailure(std::string state, const std::string& message)
      : Failure(ErrorCode::unavailable, message), state_(std::move(state)) {}
  /// SQLSTATE, five characters.
  [[nodiscard]] const std::string& state() const { return state_; }

 private:
  std::string state_;
};

class PgConnection {
 public:
  using Rows = std::vector<std::vector<std::optional<std::string>>>;
  enum class Kind { sql, replication };

  /// Connects, waiting at most 5 s unless the URL says otherwise. Throws Failure(unavailable) naming host and database.
  PgConnection(const std::string& url, Kind kind);

  /// Runs one statement. Parameters, all text, are not for connections of kind replication. Throws SqlFailure when the
  /// server refuses it, Failure when the connection breaks.
  Rows run(const std::string& sql, const std::vector<std::string>& parameters = {});
  /// First column of the first row; empty for none and NULL.
  std::string value(const std::string& sql, const std::vector<std::string>& parameters = {});

  /// host:port/database, for messages.
  [[nodiscard]] std::string describe() const;
  [[nodiscard]] std::string database() const { return PQdb(handle_.get()); }
  [[nodiscard]] PGconn* handle() const { return handle_.get(); }

 private:
  std::unique_ptr<PGconn, decltype(&PQfinish)> handle_;
};

using PgResult = std::unique_ptr<PGresult, decltype(&PQclear)>;

/// Throws what a failed result stands for.
[[noreturn]] void throw_result(PGconn* connection, const PGresult* result, const std::string& where);

/// libpq's texts have several lines; this is the first.
std::string first_line(const char* text);

/// 'text' and "name", with what stands in them escaped.
std::string quote_literal(const std::string& text);
std::string quote_name(const std::string& name);
/// "schema"."table" of schema.table.
std::string quote_table(const std::string& full_name);

}  // namespace phoenix::capture
