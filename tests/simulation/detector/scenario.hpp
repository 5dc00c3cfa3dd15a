// What one run of the test bed is made of: who calls, what befalls the machinery, and which faults the banks have.
// All times in microseconds.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/simulation/detector/fault.hpp"

namespace phoenix::detector {

struct Scenario {
  std::string name;
  std::string what;
  double unknown_percent = 100;  ///< at most, of the compared exchanges; checked for identical banks
  Faults faults{};               ///< what the rewrite does differently; missing_legacy is legacy's
  int injected_in = 40;          ///< one eligible exchange in so many, for faults that befall single exchanges

  int accounts = 200, clients = 32;
  std::int64_t balance_minor = 1'000'000'00;
  std::int64_t think_us = 3'000;           ///< 0 … twice that between two requests of a client
  std::int64_t request_jitter_us = 1'500;  ///< until a request is committed, beside a fixed share
  std::int64_t answer_jitter_us = 300;     ///< from the commit to the answer: what lets answers overtake each other
  int interest_percent = 2, openings_per_mille = 2, hopeless_percent = 2;
  bool scarce = false;  ///< withdrawals are as large as the balances

  int late_percent = 10;            ///< events that reach the log late
  std::int64_t late_us = 2'000;     ///< at most
  int repeated_percent = 0;         ///< events that come twice
  std::int64_t capture_us = 3'000;  ///< at most, from the commit to the log, of either side
  int capture_restarts = 0;         ///< of each side: what was captured last comes again, after a pause
  int crashes = 0;                  ///< SIGKILL of the gateway
  int failed_in = 0;                ///< one request to a backend in so many gets no answer, a late one or a reset
  int weight_percent = 0;           ///< of accounts that modern serves
  bool weight_moves = false;
  int jobs_both = 0;  ///< interest runs over all accounts, on both sides at about the same time
  int jobs_one = 0;   ///< corrections of one account on one side
};

/// Identical banks, one stress each, and all of them.
std::vector<Scenario> clean_scenarios();
/// One fault each, and several together; with concurrency, reordering and duplicates.
std::vector<Scenario> fault_scenarios();

}  // namespace phoenix::detector
