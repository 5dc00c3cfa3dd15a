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
  /// Credits interest for 1 to kMaxInterestDays days on the present balance, at kInterestPerCent a year of 365 days.
  virtual Answer credit_interest(std::int64_t account, int days, const std::string& exchange_id) = 0;
  virtual Answer read_account(std::int64_t account) = 0;
  virtual Answer statement(std::int64_t account) = 0;
  /// Returns when the database answers.
  virtual void ping() = 0;
};

/// What every flavour pays on a balance; how the result becomes whole cents is each flavour's own.
inline constexpr std::int64_t kInterestPerCent = 5;
inline constexpr int kMaxInterestDays = 366;
/// Days of a year of interest; another count is a fault.
inline constexpr int kYearDays = 365;

/// No posting lifts a balance above ten million million (in hundredths), on either side: up to there sums in binary
/// floating point are still right to the cent (legacy_sims/float_money.hpp), and no column overflows.
inline constexpr std::int64_t kMaxBalanceMinor = 1'000'000'000'000'000;

/// How fees and interest become whole cents; `truncate` is a fault (core/sim/fault_profile.hpp).
enum class Rounding : std::uint8_t { nearest, truncate };

struct Arithmetic {
  Rounding rounding = Rounding::nearest;
  int year_days = kYearDays;
};

/// Entries of GET /accounts/{id}/statement.
inline constexpr int kStatementLength = 10;

}  // namespace phoenix::sim
