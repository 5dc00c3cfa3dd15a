#include "arbiter/state_decoder.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "arbiter/clean_text.hpp"
#include "arbiter/json_span.hpp"
#include "arbiter/row_reader.hpp"

namespace phoenix::arbiter {
namespace {

constexpr std::string_view kVersion = "1";
constexpr std::size_t kMaxIdBytes = 200;
constexpr std::size_t kMaxReasonBytes = 1000;

/// One pass over the record; what is not named here is checked for its syntax and passed.
struct Envelope {
  JsonSpan version, op, before, after, source, transaction, exchange_id, reason, covers, offsets, marker;
};

struct Source {
  JsonSpan name, kind, schema, table, commit_lsn, ts_us;
};

Result<Envelope> read_envelope(std::string_view text) {
  Envelope envelope;
  JsonWalk walk(text);
  while (walk.next()) {
    const std::string_view name = walk.name().text;
    JsonSpan* const out = name == "after"         ? &envelope.after
                          : name == "before"      ? &envelope.before
                          : name == "exchange_id" ? &envelope.exchange_id
                          : name == "op"          ? &envelope.op
                          : name == "source"      ? &envelope.source
                          : name == "transaction" ? &envelope.transaction
                          : name == "v"           ? &envelope.version
                          : name == "reason"      ? &envelope.reason
                          : name == "covers"      ? &envelope.covers
                          : name == "offsets"     ? &envelope.offsets
                          : name == "marker"      ? &envelope.marker
                                                  : nullptr;
    if (out == nullptr) continue;
    if (out->kind != JsonSpan::Kind::absent) return invalid_input(fmt::format("member '{}' stands twice", name));
    *out = walk.value();
  }
  if (!walk.error().empty()) return invalid_input(walk.error());
  return envelope;
}

Source read_source(const JsonSpan& object) {
  Source source;
  if (object.kind != JsonSpan::Kind::object) return source;
  for (JsonWalk walk(object); walk.next();) {
    const std::string_view name = walk.name().text;
    if (name == "name") source.name = walk.value();
    if (name == "kind") source.kind = walk.value();
    if (name == "schema") source.schema = walk.value();
    if (name == "table") source.table = walk.value();
    if (name == "commit_lsn") source.commit_lsn = walk.value();
    if (name == "ts_us") source.ts_us = walk.value();
  }
  return source;
}

/// "schema.table", without putting it together.
bool is_table(const Source& source, std::string_view full) {
  const std::string_view schema = source.schema.text, table = source.table.text;
  return !source.schema.escaped && !source.table.escaped && full.size() == schema.size() + 1 + table.size() &&
         full.starts_with(schema) && full[schema.size()] == '.' && full.ends_with(table);
}

std::int64_t time_of(const Source& source) {
  return static_cast<std::int64_t>(std::min<std::uint64_t>(source.ts_us.count().value_or(0), INT64_MAX));
}

Result<StateRecord> read_marker(const Envelope& envelope, const Source& source, Side side) {
  StateMarker marker;
  marker.side = side;
  const auto covers = envelope.covers.count();
  if (!covers || *covers > INT64_MAX) return invalid_input("a marker needs covers: an offset of shadow-requests");
  marker.covers = static_cast<std::int64_t>(*covers);
  if (envelope.offsets.kind == JsonSpan::Kind::object) {
    for (JsonWalk walk(envelope.offsets); walk.next();) {
      const auto offset = walk.value().count();
      if (!offset || *offset > INT64_MAX) return invalid_input("a marker's offsets must be whole numbers");
      marker.after[walk.name().string()] = static_cast<std::int64_t>(*offset);
    }
  }
  marker.id = clean_text(envelope.marker.string());
  marker.written_at_us = time_of(source);
  return StateRecord(std::move(marker));
}

Result<StateRecord> read_change(const Envelope& envelope, const Source& source, Side side,
                                const config::StateTableConfig& table) {
  StateChange change;
  change.side = side;
  const std::string_view op = envelope.op.text;
  change.op = op == "c" ? StateChange::Op::create : op == "d" ? StateChange::Op::remove : StateChange::Op::update;
  if (auto filled = fill_rows(change, {envelope.before, envelope.after, {}}, table); !filled) return filled.error();
  const JsonSpan id = member_of(envelope.transaction, "id");
  const auto commit = source.commit_lsn.count(), order = member_of(envelope.transaction, "total_order").count();
  if (!commit || !order || id.kind != JsonSpan::Kind::string)
    return invalid_input("source.commit_lsn, transaction.id and transaction.total_order must tell the change's place");
  change.position = {*commit, *order};
  change.transaction = id.string();
  change.exchange_id = envelope.exchange_id.string();
  for (auto* text : {&change.transaction, &change.exchange_id}) clean(*text);
  if (change.exchange_id.size() > kMaxIdBytes || change.transaction.size() > kMaxIdBytes)
    return invalid_input(fmt::format("an id of more than {} bytes", kMaxIdBytes));
  change.committed_at_us = time_of(source);
  return StateRecord(std::move(change));
}

Result<StateRecord> read_own(const Envelope& envelope, const Source& source, Side side,
                             const config::StateTableConfig& table) {
  if (envelope.op.is("m")) return read_marker(envelope, source, side);
  if (envelope.op.is("gap"))
    return StateRecord(StateGap{side, clean_text(envelope.reason.string().substr(0, kMaxReasonBytes))});
  const bool change = envelope.op.is("c") || envelope.op.is("u") || envelope.op.is("d");
  if (!change && !envelope.op.is("t")) {
    return invalid_input(fmt::format("op '{}' is unknown", envelope.op.text.substr(0, 20)));
  }
  if (table.table.empty() || !is_table(source, table.table)) return StateRecord(StateIgnored{"another table"});
  if (!change) return StateRecord(StateGap{side, fmt::format("table {} was truncated", table.table)});
  return read_change(envelope, source, side, table);
}

Error named(const LogRecord& record, const Error& error) {
  return {error.code, fmt::format("state record: {}", clean_text(error.message.substr(0, kMaxReasonBytes))) +
                          (record.key.empty() ? "" : fmt::format(" (key {})", clean_text(record.key.substr(0, 64))))};
}

}  // namespace

Result<StateRecord> StateDecoder::decode(const LogRecord& record) const {
  if (record.value.size() > kMaxStateRecordBytes) {
    return named(record,
                 invalid_input(fmt::format("{} bytes, more than {}", record.value.size(), kMaxStateRecordBytes)));
  }
  const auto envelope = read_envelope(record.value);
  if (!envelope) return named(record, envelope.error());
  if (envelope->version.kind != JsonSpan::Kind::absent && envelope->version.text != kVersion) {
    return named(record,
                 invalid_input(fmt::format("schema version {} is unknown", envelope->version.text.substr(0, 20))));
  }
  const Source source = read_source(envelope->source);
  const bool legacy = source.name.is("legacy");
  if (!legacy && !source.name.is("modern")) return named(record, invalid_input("source.name must be legacy or modern"));
  const Side side = legacy ? Side::legacy : Side::modern;
  if (source.kind.is("query")) {
    auto reading = decode_balance_reading(record.value);
    if (!reading) return named(record, reading.error());
    return StateRecord(std::move(*reading));
  }
  if (!source.kind.is("capture") && !source.kind.is("arbiter"))
    return named(record, invalid_input("source.kind must be capture, arbiter or query"));
  auto decoded = read_own(*envelope, source, side, table(side));
  if (!decoded) return named(record, decoded.error());
  return decoded;
}

}  // namespace phoenix::arbiter
