// One run: two banks, a gateway with its clients, both change streams, and the log that the arbiter reads; seeded, in
// virtual time, one thread. Overlap, order, sequences and currency are decided by the gateway's own Sequencer.
#pragma once

#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/events/exchange_event.hpp"
#include "tests/simulation/detector/bank.hpp"
#include "tests/simulation/detector/change_stream.hpp"
#include "tests/simulation/detector/scenario.hpp"
#include "tests/simulation/detector/truth.hpp"
#include "tests/simulation/rules/event_queue.hpp"

namespace phoenix::detector {

inline constexpr std::int64_t kEpochUs = 1'772'000'000'000'000;  // Unix time at which every run begins
inline constexpr std::int64_t kFirstClientUs = 30'000'000;  // of the run: both change streams have begun long before
inline constexpr const char* kSlice = "payments";

/// The log, as its reader meets it: exchanges of one partition and changes of another. Times of a run, µs.
class LogReader {
 public:
  virtual ~LogReader() = default;
  virtual void exchange(std::int64_t now_us, const std::string& key, const std::string& frame) = 0;
  virtual void state(std::int64_t now_us, const arbiter::StateRecord& record) = 0;
  virtual void status(std::int64_t now_us, const std::string& text) = 0;
  [[nodiscard]] virtual std::int64_t exchanges_end() const = 0;
  [[nodiscard]] virtual bool anything_open() const = 0;
};

/// What a leg brought back.
struct LegAnswer {
  LegOutcome outcome = LegOutcome::none;
  int status = 0;
  int account = 0;
  std::string body;
};

struct World {
  World(Scenario scenario, std::uint64_t seed, std::int64_t exchanges, LogReader& log);

  /// Sends a request to a bank; `done` is called once. What times out may be committed all the same, then or later.
  void send(Side side, const Operation& operation, const std::string& exchange_id,
            std::function<void(const LegAnswer&)> done);
  Bank& bank(Side side) { return *banks[static_cast<std::size_t>(index(side))]; }
  ChangeStream& stream(Side side) { return *streams[static_cast<std::size_t>(index(side))]; }
  [[nodiscard]] std::int64_t unix_us() const { return kEpochUs + events.now(); }
  /// One line of the trace, when the account is traced.
  template <class... Args>
  void trace(int account, fmt::format_string<Args...> text, Args&&... args) const {
    if (traced.contains(account))
      fmt::print("{:>9} us  {}\n", events.now(), fmt::format(text, std::forward<Args>(args)...));
  }

  const Scenario scenario;
  const std::int64_t exchanges;  ///< to be begun
  LogReader& log;
  simulation::EventQueue events;
  simulation::Dice dice;
  Truth truth;
  std::array<std::unique_ptr<Bank>, 2> banks;
  std::array<std::unique_ptr<ChangeStream>, 2> streams;
  std::vector<int> known_accounts;
  std::set<int> traced;  ///< accounts
  std::int64_t begun = 0, ended = 0;
  int weight_percent = 0;

  /// No client begins anything any more and none waits.
  [[nodiscard]] bool over() const { return begun >= exchanges && ended >= begun; }

 private:
  void commit(Side side, const Operation& operation, const std::string& exchange_id, bool answered,
              const std::function<void(const LegAnswer&)>& done);
};

/// Runs everything, until nothing is left to happen.
void run_world(World& world);

}  // namespace phoenix::detector
