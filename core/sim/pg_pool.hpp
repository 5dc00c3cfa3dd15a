// A bounded pool of Postgres connections for blocking handlers. Reconnects by itself after an outage. Include in .cpp
// only.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <pqxx/pqxx>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/sim/bank.hpp"

namespace phoenix::sim {

class DatabaseUnavailable : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class PgPool {
 public:
  using Prepare = std::function<void(pqxx::connection_base&)>;
  using Work = std::function<Answer(pqxx::connection_base&)>;

  /// Connects lazily; `prepare` registers the statements of each new connection.
  PgPool(std::string url, std::size_t size, Prepare prepare);

  /// Runs `work` on a connection. It is run again, from the start, when its transaction lost against another one or its
  /// connection broke, so `work` must be one transaction that a repeat finds done (idempotent by exchange id).
  /// Throws DatabaseUnavailable within two seconds when the database cannot be used. Any thread.
  Answer run(const Work& work);

  /// A statement that takes longer is cancelled by the server.
  static constexpr std::chrono::milliseconds kStatementTimeout{1'500};
  /// No attempt starts later than this after the first.
  static constexpr std::chrono::milliseconds kRetryWindow{400};

 private:
  using Connection = std::unique_ptr<pqxx::connection>;
  using Clock = std::chrono::steady_clock;

  Connection acquire(Clock::time_point deadline);
  Connection connect();
  void give_back(Connection connection);  // null: the connection is gone, its place is free
  void drop_idle();

  const std::string url_;
  const std::size_t size_;
  const Prepare prepare_;
  std::mutex mutex_;
  std::condition_variable freed_;
  std::vector<Connection> idle_;
  std::size_t in_use_ = 0;
};

/// "{1,2,3}" for a parameter cast to bigint[] or numeric[].
std::string sql_array(const std::vector<std::string>& elements);

}  // namespace phoenix::sim
