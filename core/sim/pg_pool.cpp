#include "core/sim/pg_pool.hpp"

#include <fmt/format.h>

#include "core/sim/database_setup.hpp"

namespace phoenix::sim {

namespace {

/// Gives the connection back however the scope is left.
template <class GiveBack>
struct Returner {
  GiveBack give_back;
  ~Returner() { give_back(); }
};
template <class GiveBack>
Returner(GiveBack) -> Returner<GiveBack>;

/// Serialisation failure, deadlock, or a concurrent repeat that stored its answer first.
bool lost_to_another_transaction(const pqxx::sql_error& error) {
  const std::string& state = error.sqlstate();
  return state == "40001" || state == "40P01" || state == "23505";
}

/// Cancelled by the statement time-out, or the server is shutting down, starting or full.
bool says_unavailable(const pqxx::sql_error& error) {
  const std::string& state = error.sqlstate();
  return state.compare(0, 2, "57") == 0 || state.compare(0, 2, "53") == 0 || state.compare(0, 2, "08") == 0;
}

}  // namespace

PgPool::PgPool(std::string url, std::size_t size, Prepare prepare)
    : url_(std::move(url)), size_(size), prepare_(std::move(prepare)) {}

Answer PgPool::run(const Work& work) {
  const auto deadline = Clock::now() + kRetryWindow;
  for (;;) {
    Connection connection = acquire(deadline);
    const Returner returner{[&] { give_back(std::move(connection)); }};
    std::string reason;
    try {
      return work(*connection);
    } catch (const pqxx::broken_connection& error) {
      reason = first_line(error.what());
      connection.reset();
    } catch (const pqxx::in_doubt_error& error) {  // the repeat finds out whether it was committed
      reason = first_line(error.what());
      connection.reset();
    } catch (const pqxx::sql_error& error) {
      reason = first_line(error.what());
      if (!connection->is_open()) {
        connection.reset();
      } else if (says_unavailable(error)) {
        throw DatabaseUnavailable(reason);
      } else if (!lost_to_another_transaction(error)) {
        throw;
      }
    } catch (const pqxx::failure& error) {  // what libpqxx throws for a commit or begin on a lost connection
      reason = first_line(error.what());
      connection.reset();
    }
    if (!connection) drop_idle();  // they broke together
    if (Clock::now() >= deadline) throw DatabaseUnavailable(reason);
  }
}

PgPool::Connection PgPool::acquire(Clock::time_point deadline) {
  {
    std::unique_lock lock(mutex_);
    if (!freed_.wait_until(lock, deadline + kStatementTimeout, [this] { return in_use_ < size_; }))
      throw DatabaseUnavailable("no free database connection");
    ++in_use_;
    if (!idle_.empty()) {
      Connection connection = std::move(idle_.back());
      idle_.pop_back();
      return connection;
    }
  }
  try {
    return connect();
  } catch (const std::exception& error) {
    give_back(nullptr);
    throw DatabaseUnavailable(first_line(error.what()));
  }
}

PgPool::Connection PgPool::connect() {
  auto connection = std::make_unique<pqxx::connection>(with_connect_timeout(url_));
  pqxx::nontransaction session(*connection);
  session.exec(fmt::format("SET statement_timeout = '{}ms'", kStatementTimeout.count()));
  session.commit();
  prepare_(*connection);
  return connection;
}

void PgPool::give_back(Connection connection) {
  {
    const std::lock_guard lock(mutex_);
    --in_use_;
    if (connection) idle_.push_back(std::move(connection));
  }
  freed_.notify_one();
}

void PgPool::drop_idle() {
  std::vector<Connection> dropped;  // closed outside the lock
  const std::lock_guard lock(mutex_);
  dropped.swap(idle_);
}

std::string sql_array(const std::vector<std::string>& elements) {
  std::string text = "{";
  for (const auto& element : elements) text += (text.size() > 1 ? "," : "") + element;
  return text + "}";
}

}  // namespace phoenix::sim
