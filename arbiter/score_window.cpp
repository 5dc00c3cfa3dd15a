#include "arbiter/score_window.hpp"

#include <nlohmann/json.hpp>

#include "arbiter/posting_state.hpp"

namespace phoenix::arbiter {
namespace {

using nlohmann::json;

json to_json(const EvidenceCounts& counts) {
  return {counts.units, counts.mismatches};
}
EvidenceCounts counts_from(const json& j) {
  return {j.at(0), j.at(1)};
}

double share_consistent(const EvidenceCounts& counts) {
  return counts.units == 0 ? 1.0 : 1.0 - static_cast<double>(counts.mismatches) / static_cast<double>(counts.units);
}

void count(EvidenceCounts& counts, bool mismatch) {
  ++counts.units;
  if (mismatch) ++counts.mismatches;
}

json to_json(const ForeignChanges& changes) {
  return {changes.count, changes.minor_units};
}
ForeignChanges foreign_from(const json& j) {
  return {j.at(0), j.at(1)};
}

}  // namespace

std::string encode(const WindowState& s) {
  return json{{"rung", s.rung},
              {"reads", {to_json(s.reads.units), to_json(s.reads.exchanges)}},
              {"writes", {to_json(s.writes.units), to_json(s.writes.exchanges)}},
              {"received", s.received},
              {"excluded", s.excluded},
              {"decided", s.decided},
              {"unknown", s.unknown},
              {"confirmed", s.confirmed_balance_mismatches},
              {"split_keys", s.split_keys},
              {"foreign_unpaired", {to_json(s.foreign_unpaired[0]), to_json(s.foreign_unpaired[1])}},
              {"evidence_rows", s.evidence_rows},
              {"cusum", s.cusum},
              {"cusum_tripped", s.cusum_tripped},
              {"trip_reason", s.trip_reason}}
      .dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<WindowState> decode_window_state(std::string_view text) {
  try {
    const json j = json::parse(text);
    WindowState s;
    s.rung = j.at("rung");
    s.reads = {counts_from(j.at("reads").at(0)), counts_from(j.at("reads").at(1))};
    s.writes = {counts_from(j.at("writes").at(0)), counts_from(j.at("writes").at(1))};
    s.received = j.at("received");
    s.excluded = j.at("excluded");
    s.decided = j.at("decided");
    s.unknown = j.at("unknown");
    s.confirmed_balance_mismatches = j.at("confirmed");
    s.split_keys = j.value("split_keys", std::uint64_t{0});
    if (const auto foreign = j.find("foreign_unpaired"); foreign != j.end())
      s.foreign_unpaired = {foreign_from(foreign->at(0)), foreign_from(foreign->at(1))};
    s.evidence_rows = j.at("evidence_rows");
    s.cusum = j.at("cusum");
    s.cusum_tripped = j.at("cusum_tripped");
    s.trip_reason = j.at("trip_reason");
    return s;
  } catch (const std::exception& e) {
    return invalid_input(fmt::format("score window: {}", e.what()));
  }
}

ScoreWindow::ScoreWindow(ScoreParameters parameters, bool has_reads, bool has_writes)
    : parameters_(parameters),
      has_reads_(has_reads),
      has_writes_(has_writes),
      cusum_(parameters.p0, parameters.average_run_length) {}

void ScoreWindow::restore(const WindowState& state) {
  state_ = state;
  cusum_.reset();
  cusum_.restore(state.cusum);
}

bool ScoreWindow::enter(std::uint64_t rung) {
  if (rung > state_.rung) {
    state_ = WindowState{};
    state_.rung = rung;
    cusum_.reset();
    units_.clear();
  }
  return rung == state_.rung;
}

void ScoreWindow::received(bool excluded) {
  ++state_.received;
  if (excluded) ++state_.excluded;
}

bool ScoreWindow::decided(const Decision& decision) {
  if (!is_decided(decision.verdict)) {
    ++state_.unknown;
    return false;
  }
  ++state_.decided;
  const bool mismatch = is_inconsistent(decision.verdict);
  if (!mismatch && !is_consistent(decision.verdict)) return false;  // speaks for neither side
  auto& counts = decision.write ? state_.writes : state_.reads;
  count(counts.exchanges, mismatch);
  if (!decision.evidence) return false;
  note_rate(mismatch, decision.name);
  const bool first = units_.insert(decision.unit).second;
  if (first) count(counts.units, mismatch);
  return first;
}

void ScoreWindow::note_rate(bool mismatch, const std::string& name) {
  if (cusum_.add(mismatch) && !state_.cusum_tripped) {
    state_.cusum_tripped = true;
    if (state_.trip_reason.empty()) {
      state_.trip_reason = fmt::format("mismatch rate rose above {:.3g} % (exchange {})", parameters_.p0 * 100, name);
    }
  }
  state_.cusum = cusum_.state();
}

void ScoreWindow::revise(Verdict before, const Decision& now, bool first) {
  if (!is_decided(before)) --state_.unknown;
  if (is_decided(before)) --state_.decided;
  if (!is_decided(now.verdict)) ++state_.unknown;
  if (is_decided(now.verdict)) ++state_.decided;

  auto& counts = now.write ? state_.writes : state_.reads;
  const auto speaks = [](Verdict verdict) { return is_inconsistent(verdict) || is_consistent(verdict); };
  if (speaks(before)) --counts.exchanges.units;
  if (is_inconsistent(before)) --counts.exchanges.mismatches;
  if (speaks(now.verdict)) count(counts.exchanges, is_inconsistent(now.verdict));
  if (!now.evidence) return;
  // A unit stays evidence once it was seen; what became unknown does not clear it.
  if (first && speaks(now.verdict)) {
    if (is_inconsistent(before)) --counts.units.mismatches;
    if (is_inconsistent(now.verdict)) ++counts.units.mismatches;
  }
  if (is_inconsistent(now.verdict) && !is_inconsistent(before)) note_rate(true, now.name);
}

void ScoreWindow::confirm_balance_mismatch(int count, const std::string& detail) {
  if (count < 0) {
    const auto taken = std::min<std::uint64_t>(static_cast<std::uint64_t>(-count), state_.confirmed_balance_mismatches);
    state_.confirmed_balance_mismatches -= taken;
    return;
  }
  state_.confirmed_balance_mismatches += static_cast<std::uint64_t>(count);
  if (count > 0 && parameters_.trip_on_first_balance_mismatch && state_.trip_reason.empty()) {
    state_.trip_reason = "confirmed balance mismatch: " + detail;
  }
}

/// No unit of evidence: those begin with the name of a route.
std::string ScoreWindow::split_unit(const std::string& key) {
  return " " + key;
}

bool ScoreWindow::split(const std::string& key) {
  if (!units_.insert(split_unit(key)).second) return false;
  ++state_.split_keys;
  return true;
}

void ScoreWindow::foreign_unpaired(Side side, const std::string& currency, std::int64_t minor_units) {
  ForeignChanges& changes = state_.foreign_unpaired[index(side)];
  ++changes.count;
  std::int64_t& sum = changes.minor_units[currency];  // of absolute amounts: what cancels out is wrong all the same
  sum = wrapping_add(sum, minor_units < 0 ? wrapping_sub(0, minor_units) : minor_units);
}

bool ScoreWindow::keep_evidence() {
  if (state_.evidence_rows >= kMaxEvidenceRows) return false;
  ++state_.evidence_rows;
  return true;
}

ScoreEvent ScoreWindow::score() const {
  ScoreEvent event;
  event.rung = state_.rung;
  event.reads = state_.reads;
  event.writes = state_.writes;
  event.received = state_.received;
  event.excluded = state_.excluded;
  event.decided = state_.decided;
  event.unknown = state_.unknown;
  event.pending = pending();
  event.confirmed_balance_mismatches = state_.confirmed_balance_mismatches;
  event.split_keys = state_.split_keys;
  event.foreign_unpaired = state_.foreign_unpaired;
  event.cusum_tripped = state_.cusum_tripped;
  event.trip_reason = state_.trip_reason;
  const std::uint64_t expected = state_.received - state_.excluded;
  event.coverage = expected == 0 ? 0.0 : static_cast<double>(state_.decided) / static_cast<double>(expected);

  const bool any = state_.reads.exchanges.units + state_.writes.exchanges.units > 0;
  event.score =
      any ? std::min(share_consistent(state_.reads.exchanges), share_consistent(state_.writes.exchanges)) : 0.0;
  // A class that the slice has but that nobody has used yet has no lower bound: the slice cannot look good by it.
  double lower = 1.0;
  const auto take = [&](bool has, const ScoreEvent::Class& counts) {
    if (has || counts.exchanges.units > 0) {
      lower = std::min(lower, 1.0 - mismatch_rate_upper(counts.units, parameters_.alpha));
    }
  };
  take(has_reads_, state_.reads);
  take(has_writes_, state_.writes);
  event.score_lower = any ? lower : 0.0;
  return event;
}

}  // namespace phoenix::arbiter
