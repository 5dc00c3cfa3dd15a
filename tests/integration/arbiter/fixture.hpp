// An arbiter with an event log and databases of its own, and a hand that publishes exchanges.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "arbiter/arbiter_service.hpp"
#include "core/events/event_log.hpp"
#include "core/events/exchange_event.hpp"
#include "tests/support/poll_until.hpp"

namespace phoenix::arbiter_test {

/// A database that is dropped at the end; created here unless told otherwise. Ends the program with "SKIPPED" where
/// there is no server.
class ScratchDatabase {
 public:
  explicit ScratchDatabase(const std::string& purpose, bool create = true);
  ~ScratchDatabase();
  ScratchDatabase(const ScratchDatabase&) = delete;
  ScratchDatabase& operator=(const ScratchDatabase&) = delete;
  [[nodiscard]] const std::string& url() const { return url_; }
  [[nodiscard]] const std::string& name() const { return name_; }
  /// All rows, columns joined by '|'.
  [[nodiscard]] std::vector<std::string> rows(const std::string& sql) const;
  /// First column of the first row; empty for none.
  [[nodiscard]] std::string value(const std::string& sql) const;
  static void admin(const std::string& sql);

 private:
  std::string name_, url_;
};

/// Directory, configuration and event log. The log's file survives services and processes started on it.
class Bench {
 public:
  /// `retain_bytes`: what the log keeps; 0: everything.
  explicit Bench(const std::string& database_url, std::uint64_t retain_bytes = 0);
  ~Bench();
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  /// Goes on with topics of its own on real brokers.
  void use_kafka(const std::string& brokers, const std::string& topic_prefix);

  config::Config config;
  /// Publishes and waits until the log has it.
  void publish(const std::vector<ExchangeEvent>& events);
  void publish_raw(const char* topic, const std::string& value);
  /// Every record of a topic so far.
  std::vector<LogRecord> read_all(const char* topic);
  /// The configuration as a file for the program.
  std::string write_yaml() const;
  [[nodiscard]] const std::string& directory() const { return directory_; }

 private:
  std::string directory_;
  std::unique_ptr<EventLog> log_;
  std::unique_ptr<Producer> producer_;
};

inline bool eventually(const std::function<bool()>& condition,
                       std::chrono::milliseconds deadline = std::chrono::seconds(20)) {
  return test::poll_until(condition, deadline);
}

/// A deposit on one account: both sides answer alike unless a fee for modern is given.
ExchangeEvent deposit(std::uint64_t number, const std::string& account, std::uint64_t sequence,
                      const std::string& modern_fee = "0.10", std::int64_t modern_gap_minor = 0);
/// `n` deposits over `accounts` accounts; every `wrong_every`-th one (if not 0) with a wrong fee on modern.
std::vector<ExchangeEvent> deposits(std::uint64_t n, int accounts, int wrong_every);

/// GET on a running service; the body, or empty when not 200.
std::string get(const config::Endpoint& endpoint, const std::string& path);

}  // namespace phoenix::arbiter_test
