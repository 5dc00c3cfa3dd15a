#include "orchestrator/cli/status_view.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "core/model/decimal.hpp"
#include "orchestrator/cli/table.hpp"

namespace phoenix::orchestrator::cli {
namespace {

using nlohmann::json;

std::string percent(const json& weight) {
  return fmt::format("{:g} %", weight.get<double>());
}

std::string stage_text(const json& slice) {
  const auto stage = slice.at("stage").get<std::string>();
  return stage == "canary" ? "canary " + percent(slice.at("weight")) : stage;
}

/// The class with fewer units decides what the table shows.
std::string units_text(const json& score) {
  return fmt::format("{} / {}", grouped(score.at("reads").at("units")), grouped(score.at("writes").at("units")));
}

std::string why(const json& slice) {
  if (slice.at("decision").is_null()) return "not planned yet";
  const auto outcome = slice["decision"].at("outcome").get<std::string>();
  const auto reason = slice["decision"].at("reason").get<std::string>();
  if (outcome == "promote") return "raising: " + reason;
  return outcome == "hold" ? reason : outcome + ": " + reason;
}

std::string slices_table(const json& status) {
  Table table({"SLICE", "STAGE", "WEIGHT", "SCORE", "LOWER", "COVERAGE", "UNITS R/W", "WHY NOT RISING"});
  for (const auto& slice : status.at("slices")) {
    const json& score = slice.at("score");
    const bool scored = !score.is_null() && score.at("of_this_rung").get<bool>();
    const bool decided = scored && score.at("decided").get<std::uint64_t>() > 0;
    table.add({slice.at("name"), slice.at("stage"), percent(slice.at("weight")),
               decided ? share_text(score.at("score")) : "-", decided ? "≥ " + share_text(score.at("lower")) : "-",
               scored ? share_text(score.at("coverage")) : "-", scored ? units_text(score) : "-", why(slice)});
  }
  return table.render();
}

std::string steps_text(const json& status, const json& slice) {
  const auto stage = slice.at("stage").get<std::string>();
  const double weight = stage == "canary"                           ? slice.at("weight").get<double>()
                        : stage == "promoted" || stage == "retired" ? 101
                                                                    : 0;
  std::string text = stage == "shadow" ? "[shadow]" : "shadow ✔";
  for (const auto& step : status.at("plan").at("steps")) {
    const double at = step.get<double>();
    text += at == weight  ? fmt::format("  [{:g} %]", at)
            : at < weight ? fmt::format("  {:g} ✔", at)
                          : fmt::format("  {:g}", at);
  }
  return text + (stage == "promoted" ? "  [promoted]" : "  promoted");
}

std::string class_text(const char* name, const json& counts, double p0) {
  std::string text =
      fmt::format("{:<7} {} units, {} differ, rate at most {:.3g} % (plan {:g} %); {} exchanges, {} differ", name,
                  grouped(counts.at("units")), grouped(counts.at("unit_mismatches")),
                  counts.at("mismatch_rate_upper").get<double>() * 100, p0 * 100, grouped(counts.at("exchanges")),
                  grouped(counts.at("exchange_mismatches")));
  return text;
}

std::string currencies_text(const json& minor_units) {
  std::string text;
  for (const auto& [currency, minor] : minor_units.items()) {
    text += fmt::format("  {} {}", currency, format_minor(minor.get<std::int64_t>(), minor_unit_digits(currency)));
  }
  return text;
}

void score_lines(std::vector<std::string>& lines, const json& status, const json& score) {
  if (score.is_null()) {
    lines.push_back("score   none from the arbiter yet");
    return;
  }
  lines.push_back(fmt::format("score   {} decided of {} due, {} pending, {} unknown, {} excluded{}{}",
                              grouped(score.at("decided")), grouped(score.at("due")), grouped(score.at("pending")),
                              grouped(score.at("unknown")), grouped(score.at("excluded")),
                              score.at("of_this_rung").get<bool>() ? "" : "  (of another rung)",
                              score.at("stale").get<bool>() ? "  (stale)" : ""));
  const double p0 = status.at("plan").at("p0");
  lines.push_back(class_text("reads", score.at("reads"), p0));
  lines.push_back(class_text("writes", score.at("writes"), p0));
  if (const std::uint64_t split = score.value("split_keys", std::uint64_t{0}); split > 0) {
    lines.push_back(fmt::format("split   {} keys written through two gateways within 60 s", grouped(split)));
  }
  const json foreign = score.value("foreign_unpaired", json::object());
  for (const auto& [side, changes] : foreign.items()) {
    lines.push_back(fmt::format("foreign {} changes on {} alone{}", grouped(changes.at("count")), side,
                                currencies_text(changes.at("minor_units"))));
  }
  const std::string drift = currencies_text(score.at("drift_minor_units"));
  lines.push_back("drift " + (drift.empty() ? "  not known yet" : drift));
}

std::string slice_tree(const json& status, const json& slice, std::int64_t now_unix_ms) {
  std::vector<std::string> lines;
  lines.push_back("ramp    " + steps_text(status, slice));
  score_lines(lines, status, slice.at("score"));
  for (const auto& latch : slice.at("latches")) {
    lines.push_back(fmt::format("✖ latched {} ago by {}: {}",
                                age_text(now_unix_ms - latch.at("at_unix_ms").get<std::int64_t>()),
                                latch.at("by").get<std::string>(), latch.at("reason").get<std::string>()));
  }
  if (const json& pause = slice.at("pause"); !pause.is_null()) {
    lines.push_back(fmt::format("⏸ {} by {}: {}{}", pause.at("by_system").get<bool>() ? "frozen" : "paused",
                                pause.at("by").get<std::string>(), pause.at("reason").get<std::string>(),
                                slice.at("approved_by").get<std::string>().empty() ? "" : "  (one raise approved)"));
  }
  lines.push_back("why     " + why(slice));
  std::string text = fmt::format("{}  {}\n", printable(slice.at("name")), stage_text(slice));
  for (std::size_t i = 0; i < lines.size(); ++i)
    text += (i + 1 < lines.size() ? "├─ " : "└─ ") + printable(lines[i]) + "\n";
  return text;
}

std::string count_of(const json& gateway, const char* what, const char* backend) {
  const json& counts = gateway.at(what);
  return counts.contains(backend) ? grouped(counts[backend].get<std::uint64_t>()) : "-";
}

std::string gateways_table(const json& status) {
  if (status.at("gateways").empty()) return "no gateway has reported in the last minute\n";
  Table table({"GATEWAY", "LIVE", "EPOCH", "LEASE", "BACKLOG L/M", "SERVED L/M", "ERRORS L/M", "BACKENDS", "LATCHES"});
  for (const auto& gateway : status.at("gateways")) {
    std::string down;
    for (const auto& [backend, up] : gateway.at("backend_up").items()) {
      if (!up.get<bool>()) down += (down.empty() ? "" : ", ") + backend + " down";
    }
    const auto pair = [&](const char* what) {
      return count_of(gateway, what, "legacy") + " / " + count_of(gateway, what, "modern");
    };
    table.add({gateway.at("gateway"),
               gateway.at("live").get<bool>() ? gateway.at("draining").get<bool>() ? "draining" : "yes"
                                              : "no, " + age_text(gateway.at("age_ms")),
               std::to_string(gateway.at("applied_epoch").get<std::uint64_t>()),
               gateway.at("lease_live").get<bool>() ? "live" : "lapsed", pair("backlog"), pair("served"),
               pair("serving_errors"), down.empty() ? "up" : down, std::to_string(gateway.at("latches").size())});
  }
  return table.render();
}

std::string headline(const json& status) {
  const json& age = status.at("published_age_ms");
  const bool leading = status.at("leading");
  std::string text = fmt::format(
      "migration {}   epoch {}   {}   policy {}, lease {}\n", printable(status.at("migration")),
      status.at("epoch").get<std::uint64_t>(), leading ? "leading" : "NOT LEADING",
      age.is_null() ? "not published yet" : "renewed " + age_text(age) + " ago", age_text(status.at("ttl_ms")));
  if (!leading) text += "! " + printable(status.at("standby_reason")) + "\n";
  for (const auto& alarm : status.at("alarms")) {
    text += fmt::format("! {}: {}\n", printable(alarm.at("slice")), printable(alarm.at("alarm")));
  }
  return text;
}

}  // namespace

std::string render_status(const std::string& document, std::int64_t now_unix_ms) {
  try {
    const json status = json::parse(document);
    std::string text = headline(status) + "\n" + slices_table(status) + "\n";
    for (const auto& slice : status.at("slices")) text += slice_tree(status, slice, now_unix_ms) + "\n";
    return text + gateways_table(status);
  } catch (const json::exception& e) {
    return fmt::format("not a status document: {}\n", e.what());
  }
}

}  // namespace phoenix::orchestrator::cli
