#include <fmt/format.h>

#include <algorithm>

#include "core/runtime/config_section.hpp"

namespace phoenix::config {
namespace {

constexpr int kMaxScale = 9;
constexpr milliseconds kLeastStatementTimeout{100};

}  // namespace

void read_ledger_table(Section table, SweepTableConfig& out) {
  table.read("table", out.table);
  table.read("key", out.key);
  table.read("balance", out.balance);
  table.read("currency", out.currency);
  table.read("scale", out.scale, 0, kMaxScale);
  table.finish();
  if (!out.table.empty() && (out.key.empty() || out.balance.empty()))
    table.fail("key and balance must not be empty: the columns that hold the account and its balance");
}

void read_resync(Section resync, LedgerConfig& out) {
  resync.read("url", out.resync.url);
  resync.read("read", out.resync.read);
  resync.read("apply", out.resync.apply);
  resync.finish();
  for (const auto* statement : {&out.resync.read, &out.resync.apply}) {
    if (!statement->empty() && statement->find("$1") == std::string::npos)
      resync.fail("read and apply must take the account as $1");
  }
  if (!out.resync.apply.empty() && out.resync.read.empty())
    resync.fail("apply needs read: what was written is read again");
  if (out.resync.url.empty()) out.resync.url = out.url;
  if (!out.resync.read.empty() && out.resync.url.empty()) resync.fail("needs a url, its own or the ledger's");
}

void read_sweep(Section sweep, ArbiterConfig& out, const std::vector<SliceConfig>& slices) {
  SweepConfig& to = out.sweep;
  sweep.read("slice", to.slice);
  sweep.read("every", to.every);
  sweep.read("chunk_rows", to.chunk_rows, 10, 1'000'000);
  sweep.read("rows_per_second", to.rows_per_second, 100, 100'000'000);
  sweep.read("statement_timeout", to.statement_timeout);
  sweep.read("pause", to.pause);
  sweep.read("tries", to.tries, 1, 1'000);
  sweep.read("max_differences", to.max_differences, 1, 100'000);
  sweep.finish();
  if (to.statement_timeout < kLeastStatementTimeout) sweep.fail("statement_timeout must be at least 100ms");
  if (out.legacy_db.sweep.table.empty() != out.modern_db.sweep.table.empty())
    sweep.fail("legacy_db.sweep and modern_db.sweep belong together: name a table on both sides");
  if (!to.configured(out.legacy_db, out.modern_db)) return;
  if (out.legacy_db.url.empty()) sweep.fail("legacy_db and modern_db need a url to be swept");
  if (to.slice.empty() && slices.size() == 1) to.slice = slices.front().name;
  if (to.slice.empty())
    sweep.fail("there are several slices: name the one whose ledgers are swept in arbiter.sweep.slice");
  if (std::none_of(slices.begin(), slices.end(), [&](const auto& slice) { return slice.name == to.slice; }))
    sweep.fail(fmt::format("there is no slice '{}'", to.slice));
}

}  // namespace phoenix::config
