// The section `capture`.
#include <fmt/format.h>

#include <algorithm>

#include "core/runtime/config_section.hpp"

namespace phoenix::config {
namespace {

constexpr std::size_t kMaxIdentifier = 63;  // NAMEDATALEN - 1

/// Postgres allows nothing else in the name of a slot.
bool is_slot_name(const std::string& name) {
  return !name.empty() && name.size() <= kMaxIdentifier && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

void read_tables(Section& side, CaptureSideConfig& out) {
  for (auto& [name, table] : side.entries("tables")) {
    std::string key;
    table.read("key", key);
    table.finish();
    const std::string full = full_table_name(table, name);
    if (key.empty()) table.fail("needs a key: the column that holds the account");
    if (!out.tables.emplace(full, key).second) table.fail(fmt::format("table {} is named twice", full));
  }
}

void read_side(Section side, CaptureSideConfig& out) {
  side.read("url", out.url);
  side.read("publication", out.publication);
  side.read("slot", out.slot);
  side.read("create", out.create);
  read_tables(side, out);
  side.finish();
  if (out.url.empty()) return;
  if (out.tables.empty()) side.fail("tables is missing: name what to capture, like {accounts: {key: id}}");
  if (out.publication.empty() || out.publication.size() > kMaxIdentifier)
    side.fail(fmt::format("publication must have 1 to {} bytes", kMaxIdentifier));
  if (!is_slot_name(out.slot))
    side.fail(
        fmt::format("slot '{}': only a-z, 0-9 and '_' may stand in it, 1 to {} of them", out.slot, kMaxIdentifier));
}

}  // namespace

std::string full_table_name(const Section& section, const std::string& name) {
  const auto dot = name.find('.');
  if (name.empty() || dot == 0 || dot == name.size() - 1 ||
      (dot != std::string::npos && name.find('.', dot + 1) != std::string::npos))
    section.fail("a table is named TABLE or SCHEMA.TABLE");
  return dot == std::string::npos ? "public." + name : name;
}

bool is_topic_name(const std::string& name) {
  return !name.empty() && name.size() <= 200 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
           c == '-';
  });
}

void read_capture(Section capture, CaptureConfig& out) {
  capture.read("listen", out.listen);
  capture.read("topic", out.topic);
  capture.read("state_dir", out.state_dir);
  capture.read("heartbeat", out.heartbeat);
  capture.read("marker", out.marker);
  capture.read_bytes("max_slot_lag", out.max_slot_lag);
  read_side(capture.section("legacy"), out.legacy);
  read_side(capture.section("modern"), out.modern);
  capture.finish();
  if (!is_topic_name(out.topic)) capture.fail("topic: 1 to 200 letters, digits, '.', '_' and '-' may stand in it");
  // Postgres ends a replication connection that is silent for wal_sender_timeout, 60 s by default.
  if (out.heartbeat < milliseconds(10) || out.heartbeat > milliseconds(20'000))
    capture.fail("heartbeat must be from 10ms to 20s");
  if (out.marker > milliseconds(10'000) || (out.marker > milliseconds(0) && out.marker < milliseconds(10)))
    capture.fail("marker must be from 10ms to 10s, or 0ms for none");
  if (out.state_dir.empty()) capture.fail("state_dir must name a directory");
  if (!out.legacy.url.empty() && out.legacy.url == out.modern.url && out.legacy.slot == out.modern.slot)
    capture.fail("legacy and modern read the same slot of the same database; a slot has one reader");
}

}  // namespace phoenix::config
