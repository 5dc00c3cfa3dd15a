#include "orchestrator/orchestrator.hpp"

#include <fmt/format.h>

#include "core/events/event_log.hpp"
#include "core/http/server.hpp"
#include "core/runtime/log.hpp"
#include "orchestrator/api.hpp"
#include "orchestrator/arbiter_reader.hpp"
#include "orchestrator/evidence_board.hpp"
#include "orchestrator/kill_switch.hpp"
#include "orchestrator/person_actions.hpp"
#include "orchestrator/policy_authority.hpp"
#include "orchestrator/rollout_loop.hpp"

namespace phoenix::orchestrator {
namespace {

constexpr int kApiThreads = 4;  // one may wait for a kill's acknowledgement, one for a slow database

}  // namespace

// Members are destroyed in reverse order: first what asks, then what is asked.
struct Orchestrator::Impl {
  config::Config config;
  SystemClock clock;
  std::unique_ptr<EventLog> log;
  std::unique_ptr<Producer> producer;
  EvidenceBoard board;
  PolicyAuthority authority;
  KillSwitch kill_switch;
  ArbiterReader arbiter;
  RolloutLoop loop;
  PersonActions actions;
  std::unique_ptr<http::Server> server;

  explicit Impl(config::Config given)
      : config(std::move(given)),
        log(open_event_log(config)),
        producer(log->make_producer()),
        board(clock, PlannerLimits{}),
        authority(config, clock, *producer),
        kill_switch(config.control_gateways),
        arbiter(config.arbiter.database.empty() ? config.orchestrator.database : config.arbiter.database),
        loop(config, clock, *log, board, authority, kill_switch),
        actions(config, clock, board, authority, loop) {
    authority.start();
    server =
        std::make_unique<http::Server>(http::ServerOptions{config.orchestrator.listen, kApiThreads},
                                       make_api({config, clock, board, authority, loop, actions, arbiter, *producer}));
    loop.start();
    log::info("API on {}", server->endpoint().to_string());
  }

  ~Impl() {
    server.reset();
    loop.stop();
    if (!producer->flush(std::chrono::seconds(2)))
      log::warn("routing-control: the last policy may not be in the event log");
  }
};

Orchestrator::Orchestrator(config::Config config) : impl_(std::make_unique<Impl>(std::move(config))) {}
Orchestrator::~Orchestrator() = default;

config::Endpoint Orchestrator::endpoint() const {
  return impl_->server->endpoint();
}

}  // namespace phoenix::orchestrator
