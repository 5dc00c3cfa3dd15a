#include "arbiter/sweep_run.hpp"

#include <algorithm>

#include "core/runtime/log.hpp"

namespace phoenix::arbiter {
namespace {

using SteadyClock = std::chrono::steady_clock;
using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr int kLeastChunkRows = 100;
constexpr std::size_t kBatch = 1'000;  // candidates of a round
constexpr milliseconds kAnswerTimeout{5'000};
constexpr milliseconds kSettleTimeout{30'000};  // a gateway with a backend that is away settles nothing
constexpr milliseconds kSettlePoll{100};

/// Nobody can say what was touched: as if everything was.
const StreamFacts kNotSettled{0, INT64_MAX, {}};

std::int64_t now_us() {
  return std::chrono::duration_cast<microseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::int64_t elapsed_us(SteadyClock::time_point since) {
  return std::chrono::duration_cast<microseconds>(SteadyClock::now() - since).count();
}

SweepRow pending_row(const Candidate& candidate, const BalancePair& pair) {
  return {candidate.key, "pending", pair, candidate.tries};
}

}  // namespace

SweepRun::SweepRun(const config::ArbiterConfig& config, SweepStore& store, StoredSweep sweep, SweepWorld world)
    : config_(config),
      store_(store),
      sweep_(std::move(sweep)),
      world_(std::move(world)),
      legacy_(Side::legacy, {config.legacy_db.url, config.legacy_db.sweep, config.sweep.statement_timeout}),
      modern_(Side::modern, {config.modern_db.url, config.modern_db.sweep, config.sweep.statement_timeout}),
      chunk_rows_(config.sweep.chunk_rows) {
  try {
    const TableShape legacy = legacy_.probe();
    const TableShape modern = modern_.probe();
    if (legacy.type != modern.type) {
      throw Failure(
          ErrorCode::invalid_input,
          "sweep: the keys of both ledgers are of different types, so they have no order in common; cast one, "
          "like key: \"id::text\"");
    }
    SweepSql::Options options;
    options.type = legacy.type;
    options.force_c_collation = !legacy.sorted_by_bytes || !modern.sorted_by_bytes;
    options.currency = !config.legacy_db.sweep.currency.empty() && !config.modern_db.sweep.currency.empty();
    legacy_.use(options);
    modern_.use(options);
    if (sweep_.progress.chunks == 0) sweep_.progress.estimated_rows = legacy_.estimated_rows();
  } catch (const Failure& failure) {
    if (failure.code() == ErrorCode::invalid_input) store_.save(sweep_, {}, "failed", failure.what());
    throw;
  }
}

bool SweepRun::step() {
  try {
    return sweep_.progress.scanned ? round() : chunk();
  } catch (const Failure& failure) {
    const bool timed_out = legacy_.take_timed_out() || modern_.take_timed_out();
    if (timed_out && chunk_rows_ > kLeastChunkRows) {
      chunk_rows_ = std::max(kLeastChunkRows, chunk_rows_ / 2);
      log::warn("{}; going on with chunks of {} rows", failure.what(), chunk_rows_);
      return world_.rest(milliseconds(100));
    }
    if (failure.code() == ErrorCode::invalid_input) store_.save(sweep_, {}, "failed", failure.what());
    throw;
  }
}

// ---- chunks ----

/// The next keys, at most a chunk's rows on either side. Both sides are asked with bounds of their own making, so that
/// keys are compared by the databases alone.
KeyRange SweepRun::next_range() {
  KeyRange range{sweep_.progress.after_key, std::nullopt};
  range.high = legacy_.nth_key(range, chunk_rows_);
  if (auto sooner = modern_.nth_key(range, chunk_rows_)) range.high = std::move(sooner);
  return range;
}

bool SweepRun::chunk() {
  const auto begin = SteadyClock::now();
  const KeyRange range = next_range();
  const RangeDigest legacy = legacy_.digest(range);
  const RangeDigest modern = modern_.digest(range);
  std::vector<SweepRow> pending;
  SweepProgress& progress = sweep_.progress;
  if (!same_digest(legacy, modern)) {
    ++progress.chunks_differing;
    take_rows(range, pending);
  }
  ++progress.chunks;
  progress.rows[0] += legacy.rows;
  progress.rows[1] += modern.rows;
  progress.sums = {add_sums(progress.sums[0], legacy.sum), add_sums(progress.sums[1], modern.sum)};
  if (range.high) progress.after_key = range.high;
  const bool last = !range.high.has_value();
  if (last && !begin_candidates()) return false;
  const std::int64_t took_us = elapsed_us(begin);
  progress.busy_us += took_us;
  note_cost();
  store_.save(sweep_, pending, "running");
  const std::int64_t rest = rest_us(std::max(legacy.rows, modern.rows), took_us, config_.sweep.rows_per_second);
  return world_.rest(microseconds(last ? 0 : rest));
}

template <class Read>
SweepRun::BothRows SweepRun::read_both(const Read& read) {
  BothRows both;
  both.window.low_us = now_us();
  both.legacy = read(legacy_);
  both.modern = read(modern_);
  both.window.high_us = now_us();
  sweep_.progress.rows_fetched[0] += static_cast<std::int64_t>(both.legacy.size());
  sweep_.progress.rows_fetched[1] += static_cast<std::int64_t>(both.modern.size());
  return both;
}

void SweepRun::take_rows(const KeyRange& range, std::vector<SweepRow>& pending) {
  const auto [legacy, modern, window] = read_both([&](SweepTable& side) { return side.rows(range); });
  const auto different = differing_rows(legacy, modern);
  give_up_if_too_many(different.size());
  for (const auto& [key, pair] : different) {
    Candidate& candidate = sweep_.candidates[key];
    candidate.key = key;
    candidate.seen = pair;
    candidate.window = window;
    pending.push_back(pending_row(candidate, pair));
  }
}

void SweepRun::give_up_if_too_many(std::size_t more) {
  std::size_t all = sweep_.candidates.size() + more;
  for (const auto& [finding, n] : sweep_.progress.found) all += static_cast<std::size_t>(n);
  if (all <= static_cast<std::size_t>(config_.sweep.max_differences)) return;
  throw Failure(ErrorCode::invalid_input,
                fmt::format("sweep: more than {} rows differ (arbiter.sweep.max_differences) by the key '{}': are key, "
                            "balance, currency and scale of both sides the same thing?",
                            config_.sweep.max_differences, sweep_.progress.after_key.value_or("")));
}

/// After the last chunk: accounts that the log no longer knows are read along. False when the sweep has to stop.
bool SweepRun::begin_candidates() {
  const auto unknown =
      world_.facts.unknown_keys(static_cast<std::size_t>(config_.sweep.max_differences), kAnswerTimeout);
  if (!unknown) {
    if (!world_.rest(microseconds(0))) return false;
    throw Failure(ErrorCode::unavailable, "sweep: the arbiter is busy and does not say which accounts are unknown");
  }
  for (const auto& key : *unknown) {
    Candidate& candidate = sweep_.candidates[key];
    candidate.key = key;
    candidate.rebase = true;
  }
  sweep_.progress.scanned = true;
  return true;
}

// ---- candidates ----

bool SweepRun::round() {
  if (sweep_.candidates.empty()) {
    note_cost();
    store_.save(sweep_, {}, "finished");
    finished_ = true;
    return false;
  }
  std::int64_t next_due_us = 0;
  const Candidates batch = due(now_us(), next_due_us);
  if (batch.empty()) return world_.rest(microseconds(std::max<std::int64_t>(1'000, next_due_us - now_us())));
  return decide(batch);
}

SweepRun::Candidates SweepRun::due(std::int64_t now_us, std::int64_t& next_due_us) {
  Candidates batch;
  next_due_us = INT64_MAX;
  const std::int64_t pause_us = microseconds(config_.sweep.pause).count();
  for (auto& [key, candidate] : sweep_.candidates) {
    const std::int64_t due_us = candidate.seen ? candidate.window.high_us + pause_us : 0;
    if (due_us > now_us) {
      next_due_us = std::min(next_due_us, due_us);
    } else if (batch.size() < kBatch) {
      batch.push_back(&candidate);
    }
  }
  return batch;
}

bool SweepRun::decide(const Candidates& batch) {
  const auto begin = SteadyClock::now();
  std::vector<std::string> keys;
  for (const auto* candidate : batch) keys.push_back(candidate->key);
  const auto [legacy, modern, window] = read_both([&](SweepTable& side) { return side.rows_of_keys(keys); });
  const std::int64_t took_us = elapsed_us(begin);

  const auto facts = settled_facts(keys, window);
  if (!world_.rest(microseconds(0))) return false;
  std::vector<LedgerComparison> comparisons;
  std::vector<SweepRow> rows;
  std::vector<std::string> decided;
  auto found = sweep_.progress.found;
  for (auto* candidate : batch) {
    const BalancePair pair = pair_of(candidate->key, legacy, modern);
    const auto finding = judge_candidate(*candidate, pair, window, facts.value_or(kNotSettled), config_.sweep.tries);
    if (finding == SweepFinding::again) {
      rows.push_back(pending_row(*candidate, pair));
      continue;
    }
    decided.push_back(candidate->key);
    rows.push_back({candidate->key, std::string(to_string(finding)), pair, candidate->tries});
    if (finding == SweepFinding::equal) continue;
    ++found[std::string(to_string(finding))];
    if (is_difference(finding) || finding == SweepFinding::rebased)
      comparisons.push_back(comparison_of(*candidate, pair, window));
    if (finding == SweepFinding::undetected) {
      log::error("sweep {}: account {} differs and no verdict had said so: an error of the detector", sweep_.id,
                 candidate->key);
    }
  }
  // Before they count as told: what is published twice is found to be known.
  if (!comparisons.empty() && !world_.publish(comparisons))
    throw Failure(ErrorCode::unavailable, "sweep: the event log takes nothing; going on later");
  sweep_.progress.found = std::move(found);
  for (const auto& key : decided) sweep_.candidates.erase(key);
  sweep_.progress.busy_us += took_us;
  note_cost();
  store_.save(sweep_, rows, "running");
  return world_.rest(microseconds(0));
}

/// Nothing when the gateways do not say in time that all of the window has ended.
std::optional<StreamFacts> SweepRun::settled_facts(const std::vector<std::string>& keys, Window window) {
  const auto deadline = SteadyClock::now() + kSettleTimeout;
  while (SteadyClock::now() < deadline) {
    auto facts = world_.facts.ask(keys, kAnswerTimeout);
    if (facts && settled(*facts, window)) return facts;
    if (!world_.rest(kSettlePoll)) return std::nullopt;
  }
  return std::nullopt;
}

LedgerComparison SweepRun::comparison_of(const Candidate& candidate, const BalancePair& pair, Window window) const {
  LedgerComparison comparison;
  comparison.cause = LedgerComparison::Cause::sweep;
  comparison.run = std::to_string(sweep_.id);
  comparison.slice = config_.sweep.slice;
  comparison.account = candidate.key;
  comparison.balances = pair;
  comparison.low_us = candidate.window.low_us;
  comparison.high_us = window.high_us;
  return comparison;
}

void SweepRun::note_cost() {
  const std::array<std::int64_t, 2> now{legacy_.database_us(), modern_.database_us()};
  for (std::size_t side = 0; side < now.size(); ++side) {
    sweep_.progress.database_us[side] += now[side] - database_us_before_[side];
  }
  database_us_before_ = now;
}

}  // namespace phoenix::arbiter
