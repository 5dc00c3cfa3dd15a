// The core-banking API that both simulators offer, without HTTP. Each simulator implements it on its own.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace phoenix::sim {

/// Status and JSON body, as answered and as remembered for a repeat of the same exchange.
struct Answer {
  int status = 200;
  std::string body;
};

struct OpenAccount {
  std::string tier;
  std::string currency;
  std::optional<std::int64_t> assigned_id;  ///< the id that the serving side gave it; must be adopted
};

/// Thrown when the database cannot be used now; nothing was applied, or a repeat of the same exchange will find it.
class DatabaseUnavailable;

/// Any thread. Amounts are positive hundredths. Writes are idempotent by `exchange_id`: a repeat gets the first answer.
/// Business refusals (unknown account, overdraft) are answers; DatabaseUnavailable is thrown.
class Bank {
 public:
  virtual ~Bank() = default;
  virtual Answer open_account(const OpenAccount& request, const std::string& exchange_id) = 0;
  virtual Answer deposit(std::int64_t account, std::int64_t amount_minor, const std::string& exchange_id) = 0;
  virtual Answer withdraw(std::int64_t account, std::int64_t amount_minor, const std::string& exchange_id) = 0;
  virtual Answer transfer(std::int64_t from_account, std::int64_t to_account, std::int64_t amount_minor,
                          const std::string& exchange_id) = 0;
  virtual Answer read_account(std::int64_t account) = 0;
  virtual Answer statement(std::int64_t account) = 0;
  /// Returns when the database answers.
  virtual void ping() = 0;
};

/// Entries of GET /accounts/{id}/statement.
inline constexpr int kStatementLength = 10;

}  // namespace phoenix::sim
