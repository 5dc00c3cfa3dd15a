// Two ledgers behind a gateway, as their change streams tell it: exchanges that overlap and are applied in another
// order on the other side, with faults whose truth is known. Seeded; produces three streams (events, and each
// ledger's), which reach the arbiter in any interleaving.
#pragma once

#include <array>
#include <map>
#include <random>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "arbiter/state_record.hpp"
#include "core/events/exchange_event.hpp"

namespace phoenix::test {

enum class Fault {
  none,
  wrong_amount,    ///< modern posts something else
  missing_legacy,  ///< answered 2xx, not posted
  missing_modern,
  posted_twice,       ///< on modern, at once or later
  timeout_lost,       ///< modern's leg timed out and never committed
  timeout_committed,  ///< ... and committed, perhaps later
  dropped,            ///< modern's leg was never sent
  no_event,           ///< the gateway's event is lost
  wrong_read,         ///< modern states another balance than it holds
};

struct PlannedExchange {
  std::string id;
  bool write = true;
  std::vector<int> accounts;
  std::int64_t amount = 0;
  Fault fault = Fault::none;
  std::int64_t received_us = 0, appended_us = 0;
  std::array<std::int64_t, 2> answered_us{};
  std::array<std::int64_t, 2> stated{};
  bool reordered = false;     ///< its sides had applied other exchanges to its first account before it
  bool near_foreign = false;  ///< its account got foreign changes
};

struct WorldSettings {
  std::uint64_t seed = 1;
  int accounts = 12;
  int exchanges = 300;
  int fault_percent = 10;
  bool foreign = true;
  bool resends = true;  ///< records come again, neighbours are swapped
};

/// An event, a heartbeat (settled until), or a record of a ledger's stream.
using WorldRecord = std::variant<ExchangeEvent, std::int64_t, arbiter::StateRecord>;

class StateWorld {
 public:
  explicit StateWorld(WorldSettings settings);
  void run();

  std::vector<PlannedExchange> exchanges;
  std::vector<std::pair<bool, WorldRecord>> log;  ///< in an order that an arbiter may meet; true: advances the offset
  std::map<std::pair<int, int>, std::int64_t> balances;  ///< (side, account)
  std::int64_t end_us = 0;
  std::int64_t events = 0;  ///< offsets used

 private:
  struct Commit {
    std::int64_t at_us = 0;
    Side side = Side::legacy;
    int exchange = -1;  ///< -1: foreign
    int account = 0;    ///< foreign
    std::int64_t delta = 0;
    bool again = false;
  };
  std::int64_t latest_read_us() const;
  std::int64_t between(std::int64_t low, std::int64_t high);
  bool chance(int percent) { return between(1, 100) <= percent; }
  void plan();
  void plan_commits(int number, PlannedExchange& exchange);
  void apply();
  void apply(const Commit& commit);
  void note_order();
  ExchangeEvent event_of(const PlannedExchange& exchange) const;
  void disturb(std::vector<WorldRecord>& stream);
  void merge();

  WorldSettings settings_;
  std::mt19937_64 random_;
  std::vector<Commit> commits_;
  std::map<int, std::int64_t> busy_until_, read_until_;  ///< by account
  std::array<std::vector<std::pair<std::int64_t, arbiter::StateRecord>>, 2> streams_;
  std::map<std::pair<int, int>, std::vector<int>> applied_;  ///< (side, account) -> exchanges
  std::array<std::uint64_t, 2> positions_{};
  std::vector<WorldRecord> events_;
};

}  // namespace phoenix::test
