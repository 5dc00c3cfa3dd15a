// What a simulated schedule is made of, and which of the gateway's rules hold in it.
#pragma once

#include <cstdint>
#include <vector>

#include "core/runtime/config_gateway.hpp"
#include "tests/simulation/rules/event_queue.hpp"

namespace phoenix::simulation {

/// The rules of docs/semantics.md that a row of the table takes away, one at a time.
struct Rules {
  bool gate = true;      ///< a key is served only by a side that is current
  bool all_keys = true;  ///< modern is the target only if all keys are in the cohort; without: the first decides
  bool ordered = true;   ///< shadow legs of a key leave in order
  bool overlap_excluded = true;  ///< reads that overlapped a write of their key are not compared
  bool journal = true;           ///< what is owed survives a crash of the gateway
  bool nothing_resent = true;    ///< an uncertain leg is not sent again; without: up to three times
  bool taint = true;             ///< an uncertain write makes its keys incomplete
  bool kill_drains = true;       ///< after a kill legacy serves a key only when it has all of it
  bool held_at_shadow = true;    ///< more than one gateway: the slice stays in stage shadow
  bool safe_parachute = true;    ///< a write that modern may have applied is not given to legacy
  bool ids_travel = true;        ///< the shadow adopts the id that the serving side made
  bool own_id_ranges = true;     ///< a demand on the banks: the ids that they make never meet
  bool unknown_key = true;       ///< an exchange without readable keys stands for every key
  bool divergence = true;        ///< legs that disagree on acceptance make their keys divergent
  bool strict = false;           ///< `ordering: strict`
};

/// Times of one backend, each plus up to its jitter: request → commit → answer.
struct BackendPace {
  Micros request_us = 300, request_jitter_us = 1500;
  Micros answer_us = 300, answer_jitter_us = 600;
};

struct Schedule {
  BackendPace pace[2];                  ///< by side
  Micros horizon_us = 500'000;          ///< clients begin nothing after it; what is owed is still delivered
  Micros response_timeout_us = 60'000;  ///< of a leg
  Micros gate_wait_us = 50'000;
  int accounts = 10, clients = 10, gateways = 1;
  Micros think_us = 4'000;  ///< 0 … twice that
  std::size_t shadow_connections = 8;

  int stage_weight = 5'000;   ///< basis points in stage canary
  bool weight_moves = false;  ///< every 10 … 40 ms, to one of five weights; 100 % is `promoted`
  int transfers_percent = 25;
  int opens_percent = 0;  ///< requests that open an account, whose id the backend makes
  int unreadable_keys_percent = 0;
  int kills = 0;             ///< each for 40 … 100 ms
  int outages[2] = {0, 0};   ///< of a backend, each 20 … 80 ms: connections refused, what was open reset
  int crashes = 0;           ///< SIGKILL of a gateway, back after 5 … 20 ms
  int fault_in[2] = {0, 0};  ///< one request in n: silent, late, reset or 5xx, applied or not; 0: none
  int quirk_in = 0;          ///< modern refuses one write in n that legacy accepts
};

}  // namespace phoenix::simulation
