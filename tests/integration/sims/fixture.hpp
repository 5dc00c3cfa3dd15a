// Simulators on databases of their own, and a client that speaks to them.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/http/client.hpp"
#include "core/sim/exact_json.hpp"
#include "core/sim/simulator.hpp"

namespace phoenix::sim_test {

/// Base URL of the test server; ends the program with "SKIPPED" where there is none.
std::string postgres_base_url();

/// A database that is dropped at the end. Not created here: the simulator does that.
class ScratchDatabase {
 public:
  explicit ScratchDatabase(const std::string& purpose);
  ~ScratchDatabase();
  ScratchDatabase(const ScratchDatabase&) = delete;
  ScratchDatabase& operator=(const ScratchDatabase&) = delete;
  [[nodiscard]] const std::string& url() const { return url_; }
  [[nodiscard]] const std::string& name() const { return name_; }
  /// First column of the first row; empty for no row.
  std::string query(const std::string& sql) const;
  /// On the maintenance database of the server.
  static std::string admin_query(const std::string& sql);

 private:
  void drop() const;
  const std::string name_;
  const std::string url_;
};

struct Reply {
  int status = 0;
  std::string body;
  [[nodiscard]] ExactJson json() const { return ExactJson::parse(body).value(); }
  /// Text of the scalar at the pointer; "absent" otherwise.
  [[nodiscard]] std::string at(const std::string& pointer) const;
};

/// A pair of flavours that belong together.
struct BankPair {
  sim::SimulatorKind legacy;
  sim::SimulatorKind modern;
};
BankPair vip_fee_pair();
BankPair float_rounding_pair();
/// Both sides of both.
std::vector<sim::SimulatorKind> all_banks();

/// One simulator, in this process, on port 0; of the kind's first flavour.
class RunningSimulator {
 public:
  RunningSimulator(const sim::SimulatorKind& kind, std::int64_t seed_accounts, bool bug_compatible = false,
                   int threads = 8);
  Reply send(const std::string& method, const std::string& path, const std::string& body = {},
             const std::string& exchange_id = {}, const std::string& assigned_id = {});
  Reply deposit(std::int64_t account, const std::string& amount, const std::string& exchange_id = {});
  Reply withdraw(std::int64_t account, const std::string& amount, const std::string& exchange_id = {});
  Reply transfer(std::int64_t from, std::int64_t to, const std::string& amount, const std::string& exchange_id = {});
  Reply interest(std::int64_t account, int days, const std::string& exchange_id = {});
  std::string balance(std::int64_t account);
  [[nodiscard]] config::Endpoint endpoint() const { return simulator_->endpoint(); }
  [[nodiscard]] const ScratchDatabase& database() const { return database_; }
  /// A client of one's own, for a thread of one's own.
  [[nodiscard]] http::Client client() const;

 private:
  ScratchDatabase database_;
  std::unique_ptr<sim::Simulator> simulator_;
  http::Client client_;
};

/// Sends through a given client.
Reply send(http::Client& client, const std::string& method, const std::string& path, const std::string& body = {},
           const std::string& exchange_id = {});

}  // namespace phoenix::sim_test
