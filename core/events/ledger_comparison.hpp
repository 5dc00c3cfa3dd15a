// What a full comparison of both ledgers' tables found of one account, on `db-state-updates`. Pure: text in, text out.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/model/result.hpp"
#include "core/model/traffic_policy.hpp"

namespace phoenix {

/// Both ledgers' balance of one account, each read twice with the same result while nothing of it was under way. Op
/// "s", which no change stream uses. Key: account. The arbiter acts on it only when it came back through the log, and
/// only if the log shows no exchange of the account that completed at `low_us` or later.
struct LedgerComparison {
  enum class Cause : std::uint8_t {
    sweep,   ///< found: a balance that differs from what the log says is a verdict
    resync,  ///< made equal by a person: the account begins anew with this difference
    repair,  ///< a person is about to: what moves the account from here on proves nothing; no balances
  };
  struct Balance {
    bool exists = false;   ///< false: the ledger has no such account
    std::string amount;    ///< exact decimal text; empty where there is no account
    std::string currency;  ///< empty: not read
    friend bool operator==(const Balance&, const Balance&) = default;
  };
  Cause cause = Cause::sweep;
  std::string run;  ///< which sweep or resync
  std::string slice;
  std::string account;
  std::array<Balance, 2> balances;  ///< by side
  std::int64_t low_us = 0;          ///< Unix time before the first reading was begun
  std::int64_t high_us = 0;         ///< Unix time when the last reading was there
};

std::string encode(const LedgerComparison& comparison);
/// Errors: invalid_input with one line.
Result<LedgerComparison> decode_ledger_comparison(std::string_view text);
/// Whether a record of `db-state-updates` claims to be one, without reading all of it.
bool is_ledger_comparison(std::string_view text);

}  // namespace phoenix
