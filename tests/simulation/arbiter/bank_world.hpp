// Two small banks behind a gateway, in one thread: writes overlap, commit in another order than they answer, shadow
// legs follow in the order of their keys, and events come late, twice and out of order. Seeded; produces the event log
// that an arbiter would read, and remembers which exchanges were really wrong.
#pragma once

#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "core/events/control_events.hpp"
#include "core/events/exchange_event.hpp"

namespace phoenix::test {

struct BankSettings {
  std::uint64_t seed = 1;
  int accounts = 20;
  int clients = 32;
  int exchanges = 2'000;
  int wrong_every = 0;        ///< every n-th transfer or deposit has a wrong fee on modern; 0: none
  bool wrong_target = false;  ///< modern also credits the other account of a transfer wrongly
  double reads = 0.3;
  bool strict = false;       ///< one write a key at a time: nothing overlaps
  double late_events = 0.1;  ///< share of events that reach the log up to 20 ms late
  double repeated_events = 0.02;
  bool positions = true;  ///< balance queries return a position
  /// Gateways that share the clients at random, each with an order of its own; with `handover` the second one takes
  /// over from the first half way instead.
  int gateways = 1;
  bool handover = false;
  int restarts = 0;           ///< of each gateway; events around one come again, named after the next incarnation
  std::int64_t pause_us = 0;  ///< at most, between two requests of a client
};

struct BankLog {
  std::vector<std::pair<std::int64_t, std::string>> exchanges;  ///< log time (µs), encoded event
  std::set<std::string> wrong;                                  ///< exchanges whose effect or answer differs
  std::size_t distinct = 0;
  std::size_t overlapping = 0;
  std::set<std::string> split;  ///< keys that two gateways wrote within 60 s of each other
};

class BankWorld {
 public:
  explicit BankWorld(BankSettings settings);

  /// Runs everything; afterwards `read` answers for any moment.
  BankLog run();
  /// What a balance query at this time returns.
  [[nodiscard]] BalanceReading read(const std::string& account, Side side, std::int64_t at_us) const;
  [[nodiscard]] std::int64_t end_us() const { return end_us_; }

 private:
  struct State {
    std::int64_t balance = 1'000'000;
    std::int64_t count = 0;
    std::uint64_t hash = 0;
  };
  struct Posting {
    std::int64_t fee = 0, from_balance = 0;
  };
  struct Request {
    int number = 0;
    bool write = false;
    std::vector<int> keys;
    std::int64_t amount = 0;
    bool wrong = false;
    int gateway = 0, incarnation = 0;
  };
  struct Leg {
    std::int64_t sent_us = 0, commit_us = 0, done_us = 0;
  };
  void plan();
  void serve();
  void shadow();
  Posting apply(Side side, const Request& request, std::int64_t commit_us);
  void apply_all(Side side, std::vector<Leg>& legs, std::vector<Posting>& postings);
  std::int64_t between(std::int64_t low, std::int64_t high);
  bool chance(double share);
  void assign_gateways();
  [[nodiscard]] std::set<std::string> split_keys() const;
  std::string answer(const Request& request, const Posting& posting, Side side) const;
  ExchangeEvent event_of(std::size_t i) const;

  BankSettings settings_;
  std::mt19937_64 random_;
  std::vector<Request> requests_;
  std::vector<Leg> legacy_, modern_;
  std::vector<Posting> legacy_postings_, modern_postings_;
  std::vector<bool> overlap_;
  std::vector<std::vector<std::uint64_t>> sequences_;
  std::map<std::pair<int, int>, std::vector<std::pair<std::int64_t, State>>> history_;  // (side, account)
  std::int64_t end_us_ = 0;
};

}  // namespace phoenix::test
