#include "arbiter/capture/slot_setup.hpp"

#include <fmt/format.h>

#include <set>

namespace phoenix::capture {
namespace {

constexpr const char* kDuplicateObject = "42710";
constexpr const char* kObjectInUse = "55006";
constexpr const char* kUndefinedObject = "42704";
constexpr const char* kQueryCanceled = "57014";

[[noreturn]] void refuse(std::string what) {
  throw Failure(ErrorCode::invalid_input, std::move(what));
}

void check_server(PgConnection& connection, SlotFacts& facts) {
  const std::string level = connection.value("SHOW wal_level");
  if (level != "logical") {
    refuse(fmt::format("{}: wal_level is '{}'; set wal_level = logical and restart Postgres", connection.describe(),
                       level));
  }
  if (connection.value("SHOW max_slot_wal_keep_size") == "-1") {
    facts.warnings.emplace_back(
        "max_slot_wal_keep_size is not set: should capturing stop for good, its slot keeps write-ahead log until the"
        " disk is full; run ALTER SYSTEM SET max_slot_wal_keep_size = '10GB'");
  }
  const auto role =
      connection.run("SELECT rolname, rolreplication OR rolsuper FROM pg_roles WHERE rolname = current_user");
  if (!role.empty() && role[0][1] != "t") {
    refuse(fmt::format("{}: role '{}' may not replicate; run ALTER ROLE {} REPLICATION", connection.describe(),
                       *role[0][0], quote_name(*role[0][0])));
  }
}

std::string table_list(const config::CaptureSideConfig& side) {
  std::string list;
  for (const auto& [table, key] : side.tables) list += (list.empty() ? "" : ", ") + quote_table(table);
  return list;
}

void prepare_publication(PgConnection& connection, const config::CaptureSideConfig& side) {
  const std::string create = fmt::format("CREATE PUBLICATION {} FOR TABLE {} WITH (publish_via_partition_root = true)",
                                         quote_name(side.publication), table_list(side));
  if (connection.value("SELECT 1 FROM pg_publication WHERE pubname = $1", {side.publication}).empty()) {
    if (!side.create) {
      refuse(fmt::format("{}: publication '{}' does not exist; run {}, or set create: true", connection.describe(),
                         side.publication, create));
    }
    try {
      connection.run(create);
    } catch (const SqlFailure& failure) {
      if (failure.state() != kDuplicateObject) throw;
    }
  }
  std::set<std::string> published;
  for (const auto& row : connection.run(
           "SELECT schemaname || '.' || tablename FROM pg_publication_tables WHERE pubname = $1", {side.publication}))
    published.insert(row[0].value_or(""));
  for (const auto& [table, key] : side.tables) {
    if (published.contains(table)) continue;
    refuse(fmt::format("{}: publication '{}' does not publish {}; run ALTER PUBLICATION {} ADD TABLE {}",
                       connection.describe(), side.publication, table, quote_name(side.publication),
                       quote_table(table)));
  }
}

/// Tables and the columns of the account must exist. Without REPLICA IDENTITY FULL the row before a change is known by
/// its key alone.
void check_tables(PgConnection& connection, const config::CaptureSideConfig& side, SlotFacts& facts) {
  for (const auto& [table, key] : side.tables) {
    const auto found = connection.run(
        "SELECT c.relkind IN ('r', 'p'), c.relreplident, a.attname FROM pg_class c LEFT JOIN pg_attribute a"
        " ON a.attrelid = c.oid AND a.attname = $2 AND a.attnum > 0 AND NOT a.attisdropped"
        " WHERE c.oid = to_regclass($1)",
        {quote_table(table), key});
    if (found.empty()) refuse(fmt::format("{}: table {} does not exist", connection.describe(), table));
    if (found[0][0] != "t") {
      refuse(fmt::format("{}: {} is no table; name the tables behind it", connection.describe(), table));
    }
    if (!found[0][2]) {
      refuse(
          fmt::format("{}: table {} has no column '{}' to take the account from", connection.describe(), table, key));
    }
    if (found[0][1] == "f") continue;
    facts.warnings.push_back(
        fmt::format("table {}: `before` has only the key; for the whole row run ALTER TABLE {} REPLICA IDENTITY FULL",
                    table, quote_table(table)));
  }
}

PgConnection::Rows find_slot(PgConnection& connection, const std::string& slot) {
  return connection.run(
      "SELECT confirmed_flush_lsn, plugin, database, database = current_database(), COALESCE(wal_status, '')"
      " FROM pg_replication_slots WHERE slot_name = $1",
      {slot});
}

void create_slot(PgConnection& connection, const std::string& slot) {
  connection.run("SET statement_timeout = '10s'");
  try {
    connection.run("SELECT pg_create_logical_replication_slot($1, 'pgoutput')", {slot});
  } catch (const SqlFailure& failure) {
    if (failure.state() == kQueryCanceled) {
      refuse(
          fmt::format("{}: slot '{}' could not be created within 10 s; it waits for every running transaction to end",
                      connection.describe(), slot));
    }
    if (failure.state() != kDuplicateObject) throw;
  }
  connection.run("RESET statement_timeout");
}

}  // namespace

SlotFacts prepare_slot(PgConnection& connection, const config::CaptureSideConfig& side, bool must_exist) {
  SlotFacts facts;
  check_server(connection, facts);
  check_tables(connection, side, facts);
  prepare_publication(connection, side);  // before the slot: from where it begins the publication must exist
  auto slot = find_slot(connection, side.slot);
  if (slot.empty() && must_exist) {
    refuse(
        fmt::format("{}: replication slot '{}' was dropped while it was in use: changes since then are lost; find out"
                    " why, then restart phoenix-capture to begin anew and rebase the accounts by a sweep",
                    connection.describe(), side.slot));
  }
  if (slot.empty() && !side.create) {
    refuse(
        fmt::format("{}: replication slot '{}' does not exist; run SELECT pg_create_logical_replication_slot({},"
                    " 'pgoutput'), or set create: true",
                    connection.describe(), side.slot, quote_literal(side.slot)));
  }
  if (slot.empty()) {
    create_slot(connection, side.slot);
    facts.created = true;
    slot = find_slot(connection, side.slot);
  }
  if (slot.empty()) refuse(fmt::format("{}: replication slot '{}' vanished", connection.describe(), side.slot));
  const auto& found = slot[0];
  if (found[1] != "pgoutput") {
    refuse(fmt::format("{}: replication slot '{}' uses plugin '{}', not pgoutput; name another slot",
                       connection.describe(), side.slot, found[1].value_or("(physical)")));
  }
  if (found[3] != "t") {
    refuse(fmt::format("{}: replication slot '{}' belongs to database '{}'; name another slot", connection.describe(),
                       side.slot, found[2].value_or("")));
  }
  if (found[4] == "lost") {
    refuse(
        fmt::format("{}: replication slot '{}' lost its write-ahead log (max_slot_wal_keep_size): changes are lost;"
                    " drop the slot, begin anew and rebase the accounts by a sweep",
                    connection.describe(), side.slot));
  }
  facts.confirmed = parse_lsn(found[0].value_or("")).value_or(0);
  return facts;
}

std::string explain_refusal(const SqlFailure& failure, const std::string& slot) {
  if (failure.state() == kObjectInUse)
    return fmt::format("{}; a slot has one reader: stop the other one or name another slot", failure.what());
  if (failure.state() == kUndefinedObject)
    return fmt::format("{}; slot '{}' was dropped a moment ago", failure.what(), slot);
  return failure.what();
}

}  // namespace phoenix::capture
