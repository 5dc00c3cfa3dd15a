// One simulated bank: accounts in whole hundredths, a tariff, answers in JSON, and the rows that each commit changes.
// With faults it is the bank that differs. One thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/model/traffic_policy.hpp"
#include "tests/simulation/detector/tariff.hpp"

namespace phoenix::detector {

struct Operation {
  enum class Kind : std::uint8_t { read, deposit, withdrawal, transfer, interest, open };
  Kind kind = Kind::read;
  std::uint64_t number = 0;  ///< of the exchange, from 1
  int account = 0;
  int second = 0;  ///< where a transfer goes; 0: none
  std::int64_t amount_minor = 0;
  int days = 0;                     ///< of interest
  std::int64_t requested_us = 0;    ///< Unix time: what the booking counts for
  std::optional<Fault> befallen{};  ///< the fault that befalls this exchange alone, where its bank has it

  [[nodiscard]] bool write() const { return kind != Kind::read; }
};

/// The change of one row. `before` is absent where the account is new.
struct RowChange {
  int account = 0;
  std::optional<std::int64_t> before_minor;
  std::int64_t after_minor = 0;
};

/// What a request did and what is answered.
struct Applied {
  int status = 200;
  std::string body;
  int account = 0;
  std::int64_t amount_minor = 0, fee_minor = 0;
  std::vector<RowChange> rows;
  std::vector<RowChange> second_transaction;  ///< of a posting that is booked twice by two transactions
  std::int64_t found_minor = 0;               ///< balance of its first account before
  Fault injected = Fault::none;               ///< what made it differ from a bank without faults in the same state
};

class Bank {
 public:
  struct Account {
    std::int64_t balance_minor = 0;
    std::int64_t count = 0;
    std::uint64_t hash = 0;
  };

  /// `accounts` exist from the start, numbered from 1, with `balance_minor` each.
  Bank(Side side, Faults faults, int accounts, std::int64_t balance_minor);

  Applied apply(const Operation& operation);
  /// Moves one account without any exchange.
  RowChange move(int account, std::int64_t amount_minor, std::uint64_t mark);
  /// nullptr: there is no such account.
  [[nodiscard]] const Account* find(int account) const;
  [[nodiscard]] const std::unordered_map<int, Account>& accounts() const { return accounts_; }

 private:
  struct Posting {
    std::int64_t amount_minor = 0, fee_minor = 0;
    std::int64_t first_delta = 0, second_delta = 0;
    bool refused = false;
  };
  [[nodiscard]] Posting price(const Operation& operation, const Account& account, const Faults& faults) const;
  Applied read(const Operation& operation) const;
  Applied open(const Operation& operation);
  Applied post(const Operation& operation);
  RowChange book(int account, std::int64_t delta_minor, std::uint64_t mark);
  void book_rows(const Operation& operation, const Posting& posting, std::vector<RowChange>& rows);
  void befall(const Operation& operation, Posting& posting, Applied& applied);
  [[nodiscard]] std::string answer(const Operation& operation, const Posting& posting, std::int64_t balance_minor,
                                   const Applied& applied) const;

  const Side side_;
  const Faults faults_;
  std::unordered_map<int, Account> accounts_;
  int next_id_;
};

}  // namespace phoenix::detector
