#include "tests/simulation/rules/rule_rows.hpp"

#include <array>
#include <utility>

namespace phoenix::simulation {
namespace {

const std::vector<Figure> kSound{&Figures::stale_reads, &Figures::unexplained_splits, &Figures::unequal,
                                 &Figures::doubled, &Figures::lost};

std::vector<Figure> sound_and(Figure more) {
  std::vector<Figure> all = kSound;
  all.push_back(more);
  return all;
}

// Answers come in the order of commits.
Schedule answers_in_order() {
  Schedule schedule;
  schedule.pace[0].answer_jitter_us = schedule.pace[1].answer_jitter_us = 0;
  return schedule;
}

RuleRow currency() {
  RuleRow row{"currency", "Currency", "the target side serves",
              "weight moves between 0 and 100 %, transfers over mixed keys"};
  row.schedule.weight_moves = true;
  row.take_away = [](Rules& rules) { rules.gate = false; };
  row.promises = kSound;
  row.shows = {&Figures::stale_reads, &Figures::unexplained_splits};
  row.note =
      "the remaining splits, here and below, are of writes that overlapped on the serving side and were answered in "
      "another order than committed; they say `overlap`, and their accounts are named incomplete. 503: transfers "
      "between "
      "two accounts that are incomplete on different sides, which no side can serve";
  return row;
}

RuleRow currency_after_outage() {
  RuleRow row{"currency-outage", "Currency, after an outage", "the target side serves",
              "modern is down twice for 20 to 80 ms, weight 50 %"};
  row.schedule.outages[1] = 2;
  row.take_away = [](Rules& rules) { rules.gate = false; };
  row.promises = kSound;
  row.shows = {&Figures::stale_reads, &Figures::unexplained_splits};
  row.note = "503: the accounts whose writes were cut off by the outage belong to modern alone until it is back";
  return row;
}

RuleRow all_keys() {
  RuleRow row{"all-keys", "Several keys: all in the cohort", "the first key decides",
              "weight 50 %, half of the writes are transfers"};
  row.schedule.transfers_percent = 75;
  row.take_away = [](Rules& rules) { rules.all_keys = false; };
  row.promises = sound_and(&Figures::beyond_cohort);
  row.shows = {&Figures::beyond_cohort};
  row.besides = {&Figures::beyond_cohort};
  row.note = "currency holds either way; without the rule modern is chosen for accounts outside of the cohort";
  return row;
}

RuleRow order() {
  RuleRow row{"order", "Order of a key's shadow legs", "they leave at once (`ordering: none`)",
              "answers in the order of commits"};
  row.schedule = answers_in_order();
  row.take_away = [](Rules& rules) { rules.ordered = false; };
  row.promises = sound_and(&Figures::splits);
  row.shows = {&Figures::splits};
  return row;
}

RuleRow strict() {
  RuleRow row{"strict", "`ordering: strict`", "`ordering: key`", "answers overtake each other"};
  row.schedule.pace[0].answer_jitter_us = row.schedule.pace[1].answer_jitter_us = 2'000;
  row.with.strict = true;
  row.take_away = [](Rules& rules) { rules.strict = false; };
  row.promises = sound_and(&Figures::splits);
  row.shows = {&Figures::splits};
  row.note = "waits are writes that stand in line; without it the splits say `overlap` and their accounts are named";
  return row;
}

RuleRow overlap() {
  RuleRow row{"overlap", "Reads that overlap a write are not compared", "they are compared",
              "answers in the order of commits"};
  row.schedule = answers_in_order();
  row.take_away = [](Rules& rules) { rules.overlap_excluded = false; };
  row.promises = sound_and(&Figures::false_alarms);
  row.promises.push_back(&Figures::overtaken);
  row.shows = {&Figures::false_alarms};
  row.besides = {&Figures::false_alarms, &Figures::overtaken};
  row.note =
      "overtaken: while the read's shadow leg was on its way, the shadow side served a write of the account "
      "itself; such a read says `overlap` and proves nothing";
  return row;
}

RuleRow journal() {
  RuleRow row{"journal", "Journal", "what the gateway knew is gone",
              "the gateway is killed three times and starts again; one request in 100 fails, applied or not"};
  row.schedule.crashes = 3;
  row.schedule.weight_moves = true;
  row.schedule.fault_in[0] = row.schedule.fault_in[1] = 100;
  row.take_away = [](Rules& rules) { rules.journal = false; };
  row.promises = kSound;
  row.shows = {&Figures::stale_reads, &Figures::lost, &Figures::unequal};
  row.note = "incomplete: keys of writes that were on their way to a backend at the kill";
  return row;
}

RuleRow nothing_resent() {
  RuleRow row{"nothing-resent", "Nothing uncertain is resent", "up to three attempts",
              "one request in 30 times out, is reset or gets a 5xx, applied or not"};
  row.schedule.fault_in[0] = row.schedule.fault_in[1] = 30;
  row.take_away = [](Rules& rules) { rules.nothing_resent = false; };
  row.promises = kSound;
  row.shows = {&Figures::doubled};
  row.note = "what was uncertain is named incomplete instead of being applied twice";
  return row;
}

RuleRow taint() {
  RuleRow row{"taint", "Uncertain writes taint their keys", "they count as settled",
              "one request in 30 times out, is reset or gets a 5xx, applied or not"};
  row.schedule.fault_in[0] = row.schedule.fault_in[1] = 30;
  row.schedule.weight_moves = true;
  row.take_away = [](Rules& rules) { rules.taint = false; };
  row.promises = kSound;
  row.shows = {&Figures::stale_reads, &Figures::unequal, &Figures::lost};
  return row;
}

RuleRow kill() {
  RuleRow row{"kill", "Kill: what legacy lacks gets 503", "legacy serves at once",
              "two kills, legacy slower than modern"};
  row.schedule.kills = 2;
  row.schedule.stage_weight = 7'500;
  row.schedule.pace[0].request_jitter_us = 12'000;
  row.take_away = [](Rules& rules) { rules.kill_drains = false; };
  row.promises = kSound;
  row.shows = {&Figures::stale_reads, &Figures::unexplained_splits};
  row.note = "waits and 503 are the price: a key is served when legacy has all of it";
  return row;
}

RuleRow two_gateways() {
  RuleRow row{"two-gateways", "Two gateways: the slice stays at `shadow`", "canary, without owners of keys",
              "every client uses both gateways"};
  row.schedule.gateways = 2;
  row.take_away = [](Rules& rules) { rules.held_at_shadow = false; };
  row.promises = {&Figures::stale_reads, &Figures::doubled, &Figures::lost, &Figures::unequal};
  row.shows = {&Figures::stale_reads};
  row.note =
      "with it legacy serves all, so no client sees anything; shadow legs of two gateways have no common order, "
      "which the remaining splits are";
  return row;
}

RuleRow parachute() {
  RuleRow row{"parachute", "Parachute for safe methods alone", "legacy replays any method",
              "one request in 10 to modern fails, applied or not; modern is down once"};
  row.schedule.fault_in[1] = 10;
  row.schedule.outages[1] = 1;
  row.take_away = [](Rules& rules) { rules.safe_parachute = false; };
  row.promises = kSound;
  row.shows = {&Figures::doubled};
  return row;
}

RuleRow ids_travel() {
  RuleRow row{"ids", "Ids made by the server travel", "each side makes its own",
              "one request in ten opens an account, weight moves between 0 and 100 %"};
  row.schedule.opens_percent = 10;
  row.schedule.weight_moves = true;
  row.take_away = [](Rules& rules) { rules.ids_travel = false; };
  row.promises = kSound;
  row.shows = {&Figures::stale_reads, &Figures::unequal, &Figures::splits};
  return row;
}

RuleRow id_ranges() {
  RuleRow row{"id-ranges", "Banks make ids that never meet", "both count on from the highest id",
              "one request in ten opens an account, weight moves between 0 and 100 %"};
  row.schedule.opens_percent = 10;
  row.schedule.weight_moves = true;
  row.take_away = [](Rules& rules) { rules.own_id_ranges = false; };
  row.promises = kSound;
  row.shows = {&Figures::stale_reads};
  row.note =
      "asked of the banks, not of the gateway: when the side that opens accounts changes (100 %, `promoted`, a "
      "kill) while an opening is under way, both make the same id for two clients";
  return row;
}

RuleRow unknown_key() {
  RuleRow row{"unknown-key", "Keys that cannot be had stand for `*`", "the exchange passes without gate and order",
              "in one request of twenty the keys cannot be read"};
  row.schedule.unreadable_keys_percent = 5;
  row.take_away = [](Rules& rules) { rules.unknown_key = false; };
  row.promises = kSound;
  row.shows = {&Figures::stale_reads};
  row.note =
      "a write of unknown keys makes every account of the slice incomplete on the other side, where later writes may "
      "then "
      "be refused";
  return row;
}

RuleRow divergence() {
  RuleRow row{"divergence", "Disagreement makes keys divergent", "it is ignored",
              "modern refuses a deposit in 25 that legacy accepts"};
  row.schedule.quirk_in = 25;
  row.schedule.weight_moves = true;
  row.take_away = [](Rules& rules) { rules.divergence = false; };
  row.promises = {&Figures::stale_reads, &Figures::unequal, &Figures::doubled, &Figures::lost};
  row.shows = {&Figures::stale_reads, &Figures::unequal};
  row.note = "the splits are modern's own; what the rule prevents is that clients are then served from there";
  return row;
}

RuleRow everything() {
  RuleRow row{"everything", "All of these", "none of these",
              "all of this in one schedule, by one gateway, without openings"};
  Schedule& schedule = row.schedule;
  schedule.weight_moves = true;
  schedule.unreadable_keys_percent = 1;
  schedule.kills = schedule.crashes = schedule.outages[0] = schedule.outages[1] = 1;
  schedule.fault_in[0] = schedule.fault_in[1] = 200;
  schedule.quirk_in = 100;
  row.take_away = [](Rules& rules) {
    rules.gate = rules.all_keys = rules.ordered = rules.overlap_excluded = rules.journal = rules.nothing_resent = false;
    rules.taint = rules.kill_drains = rules.safe_parachute = rules.unknown_key = rules.divergence = false;
  };
  row.promises = {&Figures::stale_reads, &Figures::unequal, &Figures::doubled, &Figures::lost};
  row.shows = row.promises;
  row.note = "the splits that nothing announced are modern's own refusals";
  return row;
}

}  // namespace

std::vector<RuleRow> rule_rows() {
  return {currency(),     currency_after_outage(),
          all_keys(),     order(),
          strict(),       overlap(),
          journal(),      nothing_resent(),
          taint(),        kill(),
          two_gateways(), parachute(),
          ids_travel(),   id_ranges(),
          unknown_key(),  divergence(),
          everything()};
}

std::string_view name_of(Figure figure) {
  static const std::array<std::pair<Figure, std::string_view>, 9> kNames{{
      {&Figures::stale_reads, "stale reads"},
      {&Figures::splits, "splits"},
      {&Figures::unexplained_splits, "splits that nothing announced"},
      {&Figures::unequal, "unequal accounts"},
      {&Figures::doubled, "doubled writes"},
      {&Figures::lost, "lost writes"},
      {&Figures::beyond_cohort, "exchanges beyond the cohort"},
      {&Figures::false_alarms, "false alarms"},
      {&Figures::overtaken, "overtaken reads"},
  }};
  for (const auto& [known, name] : kNames) {
    if (known == figure) return name;
  }
  return "?";
}

}  // namespace phoenix::simulation
