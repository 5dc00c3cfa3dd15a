// The accounts of the fault matrix's bank, and which exchanges it applied: enough to find what is missing, doubled or
// out of order.
#pragma once

#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>

namespace phoenix::faults {

class Ledger {
 public:
  /// With `dedupe` an exchange that was booked is left out when it comes again, and counted as a repeat.
  explicit Ledger(bool dedupe) : dedupe_(dedupe) {}

  std::int64_t balance(std::string_view account) { return accounts_[std::string(account)].balance; }

  /// Books `amount` (minor units, negative: withdrawn); counts how often each exchange was booked.
  void apply(std::string_view account, std::int64_t amount, std::string_view exchange, bool serving) {
    Applied& applied = applied_[std::string(exchange)];
    if (applied.times > 0 && dedupe_) {
      ++repeats_;
      return;
    }
    ++applied.times;
    applied.serving = serving;
    Account& one = accounts_[std::string(account)];
    one.balance += amount;
    ++one.writes;
    for (const char c : exchange) one.order = (one.order ^ static_cast<unsigned char>(c)) * 1099511628211u;  // FNV-1a
  }

  /// One line of JSON; `requests` and `connections` are the caller's counts.
  void dump(std::uint64_t requests, std::uint64_t connections) const {
    std::printf("{\"requests\": %lu, \"connections\": %lu, \"repeats\": %lu, \"accounts\": {", requests, connections,
                repeats_);
    const char* comma = "";
    for (const auto& [name, one] : accounts_) {
      std::printf("%s\"%s\": [%ld, %lu, %lu]", comma, name.c_str(), one.balance, one.writes, one.order);
      comma = ", ";
    }
    std::printf("}");
    print_ids("serving", [](const Applied& applied) { return applied.serving; });
    print_ids("shadow", [](const Applied& applied) { return !applied.serving; });
    print_ids("twice", [](const Applied& applied) { return applied.times > 1; });
    std::printf("}\n");
  }

 private:
  struct Account {
    std::int64_t balance = 0;
    std::uint64_t writes = 0;
    std::uint64_t order = 14695981039346656037u;
  };
  struct Applied {
    std::uint32_t times = 0;
    bool serving = false;
  };

  template <class Which>
  void print_ids(const char* name, Which which) const {
    std::printf(", \"%s\": [", name);
    const char* comma = "";
    for (const auto& [id, applied] : applied_) {
      if (!which(applied)) continue;
      std::printf("%s\"%s\"", comma, id.c_str());
      comma = ", ";
    }
    std::printf("]");
  }

  const bool dedupe_;
  std::map<std::string, Account> accounts_;
  std::unordered_map<std::string, Applied> applied_;
  std::uint64_t repeats_ = 0;
};

}  // namespace phoenix::faults
