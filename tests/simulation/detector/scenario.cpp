#include "tests/simulation/detector/scenario.hpp"

namespace phoenix::detector {
namespace {

Scenario make(std::string name, std::string what) {
  Scenario scenario;
  scenario.name = std::move(name);
  scenario.what = std::move(what);
  return scenario;
}

void stress_everything(Scenario& all) {
  all.accounts = 60;
  all.late_percent = 30;
  all.late_us = 20'000;
  all.repeated_percent = 2;
  all.capture_us = 20'000;
  all.capture_restarts = 5;
  all.crashes = 3;
  all.failed_in = 2'000;
  all.weight_percent = 50;
  all.weight_moves = true;
  all.jobs_both = 3;
  all.jobs_one = 5;
}

}  // namespace

std::vector<Scenario> clean_scenarios() {
  std::vector<Scenario> list;
  list.push_back(make("concurrency", "32 clients on 20 accounts, answers overtake each other"));
  list.back().unknown_percent = 1;
  list.back().accounts = 20;
  list.back().think_us = 500;
  list.back().answer_jitter_us = 1'500;
  list.push_back(make("reordering", "events up to 20 ms late, changes up to 200 ms"));
  list.back().unknown_percent = 0.1;
  list.back().late_percent = 50;
  list.back().late_us = 20'000;
  list.back().capture_us = 200'000;
  list.push_back(make("duplicates", "one event in ten comes twice, capture restarts and repeats itself"));
  list.back().unknown_percent = 0.1;
  list.back().repeated_percent = 10;
  list.back().capture_restarts = 10;
  list.push_back(make("crashes", "the gateway is killed under load"));
  list.back().unknown_percent = 4;
  list.back().crashes = 10;
  list.push_back(make("foreign_jobs", "interest runs on both sides, corrections on one"));
  list.back().unknown_percent = 0.5;
  list.back().jobs_both = 5;
  list.back().jobs_one = 20;
  list.push_back(make("timeouts", "one request in 200 times out or is reset, committed or not, some later"));
  list.back().unknown_percent = 4;
  list.back().failed_in = 200;
  list.push_back(make("canary", "weight moves between 0 and 100 %, either side serves"));
  list.back().unknown_percent = 0.5;
  list.back().weight_percent = 50;
  list.back().weight_moves = true;
  list.push_back(make("everything", "all of these at once"));
  list.back().unknown_percent = 4;
  stress_everything(list.back());
  return list;
}

std::vector<Scenario> fault_scenarios() {
  std::vector<Scenario> list;
  for (const auto& known : fault_classes()) {
    Scenario scenario = make(std::string(known.name), std::string(known.what));
    scenario.faults = {known.fault};
    scenario.repeated_percent = 2;
    if (known.fault == Fault::cut_off) scenario.think_us = 1'200'000'000;  // the run must see nights
    if (known.fault == Fault::day_count || known.fault == Fault::daily_rounding) scenario.interest_percent = 20;
    if (known.fault == Fault::ordering) {
      scenario.accounts = 20;
      scenario.think_us = 500;
      scenario.answer_jitter_us = 1'500;
      scenario.balance_minor = 500'00;
      scenario.scarce = true;
    }
    list.push_back(std::move(scenario));
  }
  list.push_back(make("mixed", "several faults together, under everything that befalls the machinery"));
  stress_everything(list.back());
  list.back().injected_in = 60;
  list.back().faults = {Fault::float_tie,     Fault::vip_threshold, Fault::duplicate,   Fault::missing_modern,
                        Fault::wrong_account, Fault::response_only, Fault::posted_only, Fault::missing_legacy,
                        Fault::type_format,   Fault::status_split};
  return list;
}

}  // namespace phoenix::detector
