#include "orchestrator/cli/sweep_view.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "orchestrator/cli/table.hpp"

namespace phoenix::orchestrator::cli {
namespace {

using nlohmann::json;

std::string text(const json& row, const char* name) {
  const auto it = row.find(name);
  if (it == row.end() || it->is_null()) return "-";
  return printable(it->is_string() ? it->get<std::string>() : it->dump());
}

json progress_of(const json& sweep) {
  return sweep.value("progress", json::object());
}

std::int64_t side_of(const json& progress, const char* name, std::size_t side) {
  const json pair = progress.value(name, json::array());
  return side < pair.size() && pair[side].is_number_integer() ? pair[side].get<std::int64_t>() : 0;
}

/// "3 undetected, 1 busy"; "nothing" when all rows agree.
std::string found(const json& progress) {
  std::string out;
  const json counts = progress.value("found", json::object());
  for (const auto& [state, n] : counts.items()) out += fmt::format("{}{} {}", out.empty() ? "" : ", ", n.dump(), state);
  return out.empty() ? "nothing" : out;
}

std::string share(const json& progress) {
  if (progress.value("scanned", false)) return "all rows";
  const auto estimated = progress.value("estimated_rows", std::int64_t{0});
  const auto rows = side_of(progress, "rows", 0);
  if (estimated <= 0) return fmt::format("{} rows", rows);
  return fmt::format("{} of about {} rows", rows, estimated);
}

std::string side_line(const json& progress, const char* name, std::size_t side) {
  const json sums = progress.value("sums", json::array());
  return fmt::format(
      "  {:<7} {} rows, sum of balances {}, {} rows fetched, {:.2f} s of its database's time\n", name,
      side_of(progress, "rows", side), side < sums.size() ? printable(sums[side].get<std::string>()) : "-",
      side_of(progress, "rows_fetched", side), static_cast<double>(side_of(progress, "database_us", side)) / 1e6);
}

}  // namespace

std::string render_sweep_line(const std::string& sweep) {
  const json document = json::parse(sweep);
  const json progress = progress_of(document);
  const std::string problem = document.value("problem", "");
  return fmt::format("sweep {}: {}, {}; found {}{}", text(document, "id"), text(document, "state"), share(progress),
                     found(progress), problem.empty() ? "" : "; " + printable(problem));
}

std::string render_sweeps(const std::string& document) {
  Table table({"ID", "SLICE", "STATE", "BY", "REQUESTED", "ROWS", "FOUND", "PROBLEM"});
  const json sweeps = json::parse(document);
  for (const auto& sweep : sweeps.at("sweeps")) {
    const json progress = progress_of(sweep);
    table.add({text(sweep, "id"), text(sweep, "slice"), text(sweep, "state"), text(sweep, "requested_by"),
               text(sweep, "requested_at").substr(0, 19), share(progress), found(progress), text(sweep, "problem")});
  }
  return table.empty() ? "no sweeps\n" : table.render();
}

std::string render_sweep(const std::string& document) {
  const json all = json::parse(document);
  const json& sweep = all.at("sweep");
  const json progress = progress_of(sweep);
  std::string out = render_sweep_line(sweep.dump()) + "\n";
  out += side_line(progress, "legacy", 0) + side_line(progress, "modern", 1);
  out += fmt::format("  {} chunks, {} of them fetched because they differed; {:.2f} s of work\n",
                     progress.value("chunks", 0), progress.value("chunks_differing", 0),
                     progress.value("busy_us", 0.0) / 1e6);
  Table table({"ACCOUNT", "STATE", "LEGACY", "MODERN", "TRIES"});
  for (const auto& row : all.at("accounts")) {
    const auto balance = [&](const char* amount, const char* currency) {
      return row.value(amount, json()).is_null() ? "no account" : text(row, amount) + " " + text(row, currency);
    };
    table.add({text(row, "account"), text(row, "state"), balance("legacy_balance", "legacy_currency"),
               balance("modern_balance", "modern_currency"), text(row, "tries")});
  }
  return table.empty() ? out : out + table.render();
}

std::string render_resync(const std::string& document) {
  const json answer = json::parse(document);
  std::string out =
      fmt::format("account {} of slice {}, from {}\n  legacy: {}\n  modern: {}\n", text(answer, "key"),
                  text(answer, "slice"), text(answer, "from"), text(answer, "legacy"), text(answer, "modern"));
  if (!answer.value("at_rest", false)) out += "  a write of it is under way\n";
  if (!answer.value("applied", false)) {
    return out + (answer.value("equal", false) ? "both sides agree; --apply tells the gateways so\n"
                                               : "nothing was changed; --apply brings it over\n");
  }
  Table table({"GATEWAY", "COMPLETE", "DETAIL"});
  for (const auto& gateway : answer.at("gateways"))
    table.add({text(gateway, "gateway"), gateway.value("complete", false) ? "yes" : "NO", text(gateway, "detail")});
  out += answer.value("wrote", false) ? "brought over; both sides are equal\n" : "both sides were equal already\n";
  for (const auto& note : answer.value("notes", json::array())) out += "  " + printable(note.get<std::string>()) + "\n";
  return out + table.render();
}

}  // namespace phoenix::orchestrator::cli
