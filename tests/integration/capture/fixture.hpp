// Ledgers in databases of their own on a real Postgres, an event log, and phoenix-capture between them.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "arbiter/capture/capture_service.hpp"
#include "arbiter/capture/pg_connection.hpp"
#include "core/events/event_log.hpp"
#include "tests/support/child.hpp"
#include "tests/support/poll_until.hpp"
#include "tests/support/temp_dir.hpp"

namespace phoenix::capture_test {

/// PHOENIX_TEST_POSTGRES; ends the program with "SKIPPED" where there is none.
std::string base_url();

/// A database with accounts(id, balance) and postings(account_id, seq, amount), and the name of a slot of its own. Slot
/// and database are dropped at the end.
class Ledger {
 public:
  explicit Ledger(const std::string& base = base_url());
  ~Ledger();
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  void run(const std::string& sql);
  std::string value(const std::string& sql);
  /// One transaction, in one statement as the simulators write it: moves a balance, books a posting, marks the stream.
  /// Returns the position of the mark, which lies before the commit.
  std::string post(int account, const std::string& amount, const std::string& exchange);
  /// Of the slot; empty when it does not exist.
  std::string confirmed_lsn();
  /// Whether everything committed so far is confirmed, so that nothing more will come.
  bool all_confirmed();
  /// Ends whoever reads the slot, and drops it.
  void drop_slot();
  [[nodiscard]] const std::string& url() const { return url_; }
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  capture::PgConnection& connection();

  std::string base_, name_, url_;
  std::unique_ptr<capture::PgConnection> connection_;
};

/// One side of the configuration.
struct SideSpec {
  const Ledger* ledger = nullptr;
  bool create = true;
  std::string extra = {};  ///< more YAML for the side, ", key: value"
};

/// An event log and the configuration for it.
class Desk {
 public:
  explicit Desk(const SideSpec& legacy, const SideSpec& modern = {}, const std::string& extra = "",
                const std::string& topic = "changes");

  [[nodiscard]] config::Config config() const;
  [[nodiscard]] const std::string& yaml_path() const { return yaml_path_; }
  [[nodiscard]] std::string log_path() const { return directory_.path() + "/events.db"; }
  /// Values in the log so far; gaps and markers apart.
  std::vector<nlohmann::json> changes();
  std::vector<nlohmann::json> gaps();
  /// Values of every kind, in their order.
  std::vector<nlohmann::json> all();
  /// Publishes to shadow-requests; its end afterwards.
  std::int64_t add_exchange();
  /// Number of records of either kind.
  std::size_t size() { return read().size(); }

 private:
  const std::vector<LogRecord>& read();

  test::TempDir directory_;
  std::string yaml_path_, text_;
  std::unique_ptr<EventLog> log_;
  std::unique_ptr<Consumer> consumer_;
  std::unique_ptr<Producer> producer_;
  std::vector<LogRecord> records_;
};

/// The real phoenix-capture.
class Child : public test::Child {
 public:
  explicit Child(const std::string& yaml_path)
      : test::Child(std::string(PHOENIX_BIN_DIR) + "/phoenix-capture", yaml_path, yaml_path + ".log") {}
};

inline bool eventually(const std::function<bool()>& condition,
                       std::chrono::milliseconds deadline = std::chrono::seconds(20)) {
  return test::poll_until(condition, deadline);
}

/// Reason of /readyz; empty when ready.
std::string unready(const capture::CaptureService& service);
/// Value of a metric as it stands in its line; empty when absent.
std::string metric(const capture::CaptureService& service, const std::string& name_and_labels);

/// (commit position, place in the transaction): the identity of a change.
std::pair<std::uint64_t, std::uint64_t> identity(const nlohmann::json& change);

}  // namespace phoenix::capture_test
