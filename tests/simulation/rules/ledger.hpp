// One bank's accounts: applies operations, knows nothing of gateways.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/business_key.hpp"

namespace phoenix::simulation {

struct Operation {
  enum class Kind : std::uint8_t { read, deposit, withdraw, transfer, open };
  Kind kind = Kind::read;
  int id = 0;  // of the exchange, from 1
  int account = 0;
  int second = 0;  // where a transfer goes; 0: none
  std::int64_t amount_minor = 0;
  bool keys_readable = true;
  std::size_t must_see = 0;  // of a read: how many of the account's writes clients had been told of when it began
  int assigned = 0;          // of an opening on the shadow side: the id to adopt; 0: none travels

  [[nodiscard]] bool write() const { return kind != Kind::read; }
  [[nodiscard]] std::vector<BusinessKey> keys() const {
    std::vector<BusinessKey> keys;
    if (account != 0) keys.push_back(std::to_string(account));
    if (second != 0) keys.push_back(std::to_string(second));
    return keys;
  }
};

[[nodiscard]] inline std::string_view name_of(Operation::Kind kind) {
  constexpr std::array<std::string_view, 5> kNames{"read", "deposit", "withdraw", "transfer", "open"};
  return kNames[static_cast<std::size_t>(kind)];
}

struct Account {
  std::int64_t balance_minor = 0;
  std::int64_t overdraft_minor = 0;
  int opened_by = 0;  // exchange; 0: was there from the start
  friend bool operator==(const Account&, const Account&) = default;
};

class Ledger {
 public:
  /// `own_ids_from`: where the ids that it makes begin, out of the other bank's way; 0: it counts on from the highest
  /// id that it knows, as the other bank does.
  Ledger(int accounts, int own_ids_from)
      : next_id_(own_ids_from != 0 ? own_ids_from : accounts + 1), has_own_range_(own_ids_from != 0) {
    for (int id = 1; id <= accounts; ++id) accounts_[id] = {100, id % 2 == 0 ? 50 : 0, 0};
  }

  struct Outcome {
    int status = 200;
    int account = 0;
    std::int64_t balance_minor = 0;
  };

  Outcome apply(const Operation& operation) {
    if (operation.kind == Operation::Kind::open) return open(operation);
    const auto found = accounts_.find(operation.account);
    if (found == accounts_.end()) return {404, operation.account, 0};
    Account& account = found->second;
    if (!post(operation, account)) return {422, operation.account, account.balance_minor};
    return {200, operation.account, account.balance_minor};
  }

  [[nodiscard]] const std::map<int, Account>& accounts() const { return accounts_; }

 private:
  bool post(const Operation& operation, Account& account) {
    if (operation.kind == Operation::Kind::read) return true;
    if (operation.kind == Operation::Kind::deposit) {
      account.balance_minor += operation.amount_minor;
      return true;
    }
    const auto second = accounts_.find(operation.second);
    if (operation.kind == Operation::Kind::transfer && second == accounts_.end()) return false;
    if (account.balance_minor + account.overdraft_minor < operation.amount_minor) return false;
    account.balance_minor -= operation.amount_minor;
    if (operation.kind == Operation::Kind::transfer) second->second.balance_minor += operation.amount_minor;
    return true;
  }

  Outcome open(const Operation& operation) {
    const int id = operation.assigned != 0 ? operation.assigned : next_id_;
    if (accounts_.contains(id)) return {409, id, 0};
    if (operation.assigned == 0 || !has_own_range_) next_id_ = std::max(next_id_, id + 1);
    accounts_[id] = {operation.amount_minor, 0, operation.id};
    return {201, id, operation.amount_minor};
  }

  std::map<int, Account> accounts_;
  int next_id_;
  bool has_own_range_;
};

}  // namespace phoenix::simulation
