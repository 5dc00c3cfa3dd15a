#include "fault_run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "core/runtime/config.hpp"
#include "core/runtime/log.hpp"
#include "gateway/account_file.hpp"
#include "gateway/event_loop.hpp"
#include "gateway/exchange_publisher.hpp"
#include "gateway/journal.hpp"
#include "gateway/session.hpp"
#include "gateway/shadow_dispatcher.hpp"
#include "played_ends.hpp"
#include "tests/support/event_view.hpp"

namespace phoenix::test {
namespace {

namespace gw = phoenix::gateway;
namespace asio = boost::asio;

constexpr const char* kConfig = R"(
event_log: {{sqlite: {{path: "{0}/events.db"}}}}
slices: [{{name: s, stage: shadow}}]
gateway:
  id: gw-sweep
  state_dir: "{0}/state"
  listen: 127.0.0.1:0
  admin_listen: 127.0.0.1:0
  threads: 1
  legacy: {{endpoints: ["http://127.0.0.1:1"]}}
  modern: {{endpoints: ["http://127.0.0.1:2"]}}
  limits: {{shadow_body_bytes: {1}}}
  routes:
    - {{name: items, match: {{path: "/items/{{key}}/{{n}}"}}, key: {{path: key}}, shadow: dual}}
    - {{name: free, match: {{path: "/free/*"}}, shadow: dual}}
)";

config::Config sweep_config(const std::string& directory) {
  auto config = config::parse(fmt::format(kConfig, directory, kSweepShadowBodyBytes), "sweep.yml");
  if (!config) throw std::runtime_error(config.error().message);
  return std::move(*config);
}

class CountingSink final : public gw::EventSink {
 public:
  bool publish(const ExchangeId&, const gw::EventCount&, int, std::string_view, const EventFrame& frame) override {
    if (!decode_exchange_event(test::joined(frame))) ++undecodable;
    ++published;
    return true;
  }
  std::uint64_t published = 0;
  std::uint64_t undecodable = 0;
};

class Run {
 public:
  Run(SweepGround& ground, const Scenario& scenario, const FaultPlan& plan)
      : ground_(ground),
        accounts_(ground.accounts_path(), 1, ground.settings()->routes.labels(), {}),
        publisher_(events_, "gw-sweep", "run", names_, {0}, access_log_),
        context_{ground.config(), names_,      ground.policy(),  sequencers_,
                 publisher_,      access_log_, ground.journal(), accounts_},
        loop_(std::make_unique<gw::EventLoop>(context_, ground.settings(), 0)),
        network_(loop_->io, plan),
        scenario_(scenario),
        client_(scenario),
        legacy_(scenario),
        modern_(scenario) {
    sequencers_.push_back(std::make_unique<gw::Sequencer>());
    const auto from = [&](gw::UpstreamPtr& upstream, End end, PlayedBackend& backend) {
      upstream->set_dialer([this, end, &backend] { return network_.connect(end, backend.answering()); });
    };
    from(loop_->serving[0], End::serving, legacy_);
    from(loop_->shadow_upstream[1], End::shadow, modern_);
    for (gw::Upstream* unused : {loop_->serving[1].get(), loop_->shadow_upstream[0].get()})
      unused->set_dialer([this] { return say("a connection to the wrong side"), nullptr; });
  }

  ~Run() { loop_.reset(); }  // before the network that its connections belong to
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  RunResult play() {
    auto stream = std::make_unique<gw::Stream>(loop_->io, network_.accept(End::client, client_.playing()));
    client_.start(*network_.newest());
    gw::spawn(loop_->io, watch(gw::run_session(std::move(stream), {"192.0.2.1", "http", false}, *loop_)));
    drive();
    check_gateway();
    check_backends();
    for (auto& problem : client_.problems(network_.struck(End::client))) say(std::move(problem));
    RunResult result;
    result.exchanges = received_;
    loop_.reset();
    for (const End end : {End::client, End::serving, End::shadow}) {
      if (network_.open(end) > 0) say("a connection outlived the event loop");
    }
    result.operations = network_.operations();
    result.strikes = network_.strikes();
    result.client_bytes = client_.bytes();
    result.answered = client_.answered();
    result.all_as_scripted = client_.all_as_scripted();
    result.problems = std::move(problems_);
    return result;
  }

 private:
  void say(std::string problem) { problems_.push_back(std::move(problem)); }

  gw::Awaitable<void> watch(gw::Awaitable<void> session) try {
    co_await std::move(session);
    ended_ = true;
  } catch (...) {
    ended_ = true;
    say("the session ended with an exception");
  }

  // Until nothing is left to do. Whoever waits for a peer that says nothing is told that its time is up; what then
  // still waits is a timer (the shadow's backoff).
  void drive() {
    constexpr int kMostRounds = 100;
    for (int round = 0; round < kMostRounds; ++round) {
      while (loop_->io.poll() > 0) {
      }
      if (ended_ && loop_->shadow[1]->backlog() == 0) return;
      loop_->sweep.expire_all();
      if (loop_->io.poll() == 0) loop_->io.run_one_for(std::chrono::milliseconds(100));
    }
    say(ended_ ? "shadow legs are stuck" : "the session is stuck");
  }

  void check_gateway() {
    const auto expect = [this](bool holds, const char* what) {
      if (!holds) say(what);
    };
    expect(loop_->open_sessions == 0 && context_.connections == 0, "sessions are left");
    expect(network_.open(End::client) == 0, "the client's connection is left");
    expect(loop_->serving[0]->active_count(0) == 0, "a serving connection is left");
    expect(loop_->shadow_upstream[1]->active_count(0) == 0, "a shadow connection is left");
    expect(network_.open(End::serving) == loop_->serving[0]->idle_count(0), "serving connections are lost");
    expect(network_.open(End::shadow) == loop_->shadow_upstream[1]->idle_count(0), "shadow connections are lost");
    expect(!loop_->unsettled.oldest_received_at_us(), "an exchange is left unsettled");
    std::uint64_t published = 0;
    for (const gw::Account* account : loop_->counters.accounts) {
      const gw::Account& route = *account;
      expect(route.in_flight() == 0, "exchanges are left in flight");
      received_ += route.received;
      published += route.handed_over + route.dropped.total() + route.excluded.total();
    }
    expect(received_ <= scenario_.exchanges.size(), "more exchanges than the client sent");
    expect(published == events_.published && published == received_, "events and accounts differ");
    expect(events_.undecodable == 0, "an event cannot be read");
    expect(ground_.journal().open_exchanges().empty(), "the journal holds a write that is over");
    ground_.journal().maintain();
  }

  void check_backends() {
    for (const auto& [name, backend] : {std::pair{"legacy", &legacy_}, std::pair{"modern", &modern_}}) {
      for (const std::string& problem : backend->problems()) say(fmt::format("{}: {}", name, problem));
      for (const PlayedExchange& played : scenario_.exchanges) {
        const int seen = backend->seen(played.target);
        const int most = played.write() ? 1 : 2;  // a read may go again, once
        if (seen > most) say(fmt::format("{} saw {} {} {} times", name, played.method, played.target, seen));
        if (backend == &modern_ && !played.shadowed && seen > 0) say("modern saw " + played.target);
      }
    }
    for (std::size_t i = 0; i < client_.answered(); ++i) {
      const PlayedExchange& played = scenario_.exchanges[i];
      if (client_.accepted(i) && legacy_.taken(played.target) < 1)
        say(played.target + " was answered 2xx and legacy has not taken it");
    }
  }

  const std::vector<std::string> names_{"s"};
  SweepGround& ground_;
  CountingSink events_;
  gw::AccountFile accounts_;
  std::vector<std::unique_ptr<gw::Sequencer>> sequencers_;
  gw::AccessLog access_log_;
  gw::ExchangePublisher publisher_;
  gw::GatewayContext context_;
  std::unique_ptr<gw::EventLoop> loop_;
  MemoryNetwork network_;
  const Scenario& scenario_;
  PlayedClient client_;
  PlayedBackend legacy_, modern_;
  std::vector<std::string> problems_;
  std::uint64_t received_ = 0;
  bool ended_ = false;
};

}  // namespace

SweepGround::SweepGround()
    : config_(sweep_config(dir_.path())),
      settings_(std::make_shared<const gw::Settings>(config_.gateway, config_.slices)),
      policy_(config_, {true}, clock_),
      journal_({dir_.path() + "/journal", 256 << 10, 16 << 20}, {"s"}) {
  // A backend that goes and comes is worth a line; thousands of them are not.
  setenv("PHOENIX_LOG", "error", 0);
  log::init("gateway_fault_sweep");
}

RunResult play(SweepGround& ground, const Scenario& scenario, const FaultPlan& plan) {
  return Run(ground, scenario, plan).play();
}

}  // namespace phoenix::test
