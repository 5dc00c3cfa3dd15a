#include "arbiter/debezium_decoder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "arbiter/base64_text.hpp"
#include "arbiter/clean_text.hpp"
#include "arbiter/row_reader.hpp"
#include "arbiter/state_decoder.hpp"

namespace phoenix::arbiter {
namespace {

constexpr std::string_view kPrefix = "phoenix";
constexpr std::size_t kMaxExchangeId = 200;
constexpr std::size_t kMaxReasonBytes = 1000;
constexpr ColumnType kNoSchema{};

bool is_heartbeat(std::string_view topic) {
  return topic.starts_with("__debezium-heartbeat");
}

/// <prefix>.transaction: begin and end of transactions, which the rows tell as well.
bool is_transaction_topic(std::string_view topic) {
  return topic.ends_with(".transaction");
}

/// Of a member that has several spellings, the first that is there.
JsonSpan one_of(const JsonSpan& object, std::initializer_list<std::string_view> names) {
  for (const auto name : names) {
    if (const JsonSpan value = member_of(object, name); value.present()) return value;
  }
  return {};
}

/// source.sequence is JSON within a string: ["last commit","own"], either may be null.
std::optional<std::uint64_t> last_commit(const JsonSpan& sequence) {
  if (sequence.kind != JsonSpan::Kind::string) return std::nullopt;
  const std::string text = sequence.string();
  JsonWalk walk(text);
  if (!walk.next()) return std::nullopt;
  if (walk.value().kind == JsonSpan::Kind::null) return 0;
  return walk.value().count();
}

/// The type of the field `name` of a struct in Kafka Connect's schema.
JsonSpan field_named(const JsonSpan& structure, std::string_view name) {
  const JsonSpan fields = member_of(structure, "fields");
  if (fields.kind != JsonSpan::Kind::array) return {};
  for (JsonWalk walk(fields); walk.next();) {
    if (member_of(walk.value(), "field").is(name)) return walk.value();
  }
  return {};
}

ColumnType column_type(const JsonSpan& field) {
  using Kind = ColumnType::Kind;
  const JsonSpan type = member_of(field, "type"), name = member_of(field, "name");
  if (type.kind == JsonSpan::Kind::absent) return {};
  if (name.is("org.apache.kafka.connect.data.Decimal")) {
    const std::string scale = member_of(member_of(field, "parameters"), "scale").string();
    int digits = 0;
    const auto [end, error] = std::from_chars(scale.data(), scale.data() + scale.size(), digits);
    const bool told = error == std::errc{} && end == scale.data() + scale.size() && digits > -1000 && digits < 1000;
    return told ? ColumnType{Kind::decimal, digits} : ColumnType{Kind::other};
  }
  if (name.is("io.debezium.data.VariableScaleDecimal")) return {Kind::variable_decimal};
  if (type.is("double") || type.is("float")) return {Kind::floating};
  if (type.is("string")) return {Kind::text};
  if (type.is("int64") || type.is("int32") || type.is("int16") || type.is("int8")) return {Kind::whole};
  return {Kind::other};
}

Result<DebeziumRecord> read_message(const JsonSpan& payload, const JsonSpan& source, Side side) {
  const JsonSpan message = member_of(payload, "message");
  if (!member_of(message, "prefix").is(kPrefix)) return DebeziumRecord(StateIgnored{"another prefix"});
  const auto commit = last_commit(member_of(source, "sequence"));
  const auto lsn = member_of(source, "lsn").count();
  const JsonSpan transaction = member_of(source, "txId");
  // Without a transaction it belongs to no row: pg_logical_emit_message(false, …).
  if (!transaction.present()) return DebeziumRecord(StateIgnored{"not transactional"});
  if (!commit || !lsn) return invalid_input("message: source.sequence and source.lsn must tell its place");
  DebeziumMessage read;
  read.side = side;
  read.transaction = clean_text(transaction.string());
  read.emitted = {*commit, *lsn};
  const auto content = decode_base64(member_of(message, "content").string());
  const std::string text = content.value_or(std::string());
  JsonSpan id, marker, resync;
  JsonWalk walk(text);
  while (walk.next()) {
    if (walk.name().is("exchange_id")) id = walk.value();
    if (walk.name().is("marker")) marker = walk.value();
    if (walk.name().is("resync")) resync = walk.value();
  }
  if (walk.error().empty() && id.kind == JsonSpan::Kind::string) read.exchange_id = clean_text(id.string());
  // A repair is no foreign write: it bears a name of its own, as in phoenix-capture's records.
  if (walk.error().empty() && resync.kind == JsonSpan::Kind::string)
    read.exchange_id = "resync/" + clean_text(resync.string());
  if (read.exchange_id.size() > kMaxExchangeId) read.exchange_id.clear();
  if (walk.error().empty()) read.marker = clean_text(marker.string());
  read.malformed = read.exchange_id.empty() && !(walk.error().empty() && marker.present());
  return DebeziumRecord(std::move(read));
}

std::optional<StateChange::Op> op_named(const JsonSpan& op) {
  if (op.is("c")) return StateChange::Op::create;
  if (op.is("u")) return StateChange::Op::update;
  if (op.is("d")) return StateChange::Op::remove;
  if (op.is("r")) return StateChange::Op::snapshot;
  return std::nullopt;
}

/// Place, transaction and time, from wherever the form has them.
struct Place {
  JsonSpan lsn, sequence, transaction, ts_us, ts_ms;
};

Result<void> fill_place(DebeziumRow& row, const Place& place) {
  const auto lsn = place.lsn.count();
  if (!lsn) return invalid_input("the row's lsn is not told (flattened form: add.fields needs lsn)");
  const auto commit = last_commit(place.sequence);
  if (!commit && place.sequence.kind != JsonSpan::Kind::absent) return invalid_input("source.sequence is malformed");
  row.emitted = {commit.value_or(0), *lsn};
  // An account's row changes once at a position of the log. The order within the transaction, which transaction
  // metadata tell, would not do: rows of the snapshot have none, and before the first commit they are compared with
  // those that do.
  row.change.position = {commit.value_or(*lsn), commit ? *lsn : 0};
  row.ordered = commit.has_value() && place.transaction.present();
  if (place.transaction.present()) row.change.transaction = clean_text(place.transaction.string());
  if (const auto us = place.ts_us.count()) {
    row.change.committed_at_us = static_cast<std::int64_t>(std::min<std::uint64_t>(*us, INT64_MAX));
  } else if (const auto ms = place.ts_ms.count()) {
    row.change.committed_at_us = static_cast<std::int64_t>(std::min<std::uint64_t>(*ms, INT64_MAX / 1000)) * 1000;
  }
  return {};
}

Result<DebeziumRecord> read_enveloped(const JsonSpan& payload, const JsonSpan& source, const ColumnType& type,
                                      Side side, const config::StateTableConfig& table) {
  const JsonSpan op = member_of(payload, "op");
  const bool truncate = op.is("t");
  const auto known = op_named(op);
  if (!known && !truncate) return invalid_input(fmt::format("op '{}' is unknown", op.string().substr(0, 20)));
  const std::string name = member_of(source, "schema").string() + "." + member_of(source, "table").string();
  if (name != table.table) return DebeziumRecord(StateIgnored{"another table"});
  if (truncate) return DebeziumRecord(StateGap{side, fmt::format("table {} was truncated", table.table)});
  DebeziumRow row;
  row.change.side = side;
  row.change.op = *known;
  const Place place{member_of(source, "lsn"), member_of(source, "sequence"), member_of(source, "txId"),
                    member_of(source, "ts_us"), member_of(source, "ts_ms")};
  if (auto filled = fill_place(row, place); !filled) return filled.error();
  if (auto filled = fill_rows(row.change, {member_of(payload, "before"), member_of(payload, "after"), type}, table);
      !filled)
    return filled.error();
  return DebeziumRecord(std::move(row));
}

/// The row's columns with Debezium's own beside them.
Result<DebeziumRecord> read_flattened(const JsonSpan& payload, const ColumnType& type, Side side,
                                      const config::StateTableConfig& table) {
  if (const JsonSpan name = one_of(payload, {"__table", "__source_table"}); name.present()) {
    if (name.string() != table.table.substr(table.table.find('.') + 1))
      return DebeziumRecord(StateIgnored{"another table"});
  }
  DebeziumRow row;
  row.change.side = side;
  const JsonSpan deleted = member_of(payload, "__deleted");
  const bool gone = deleted.string() == "true";
  const JsonSpan op = member_of(payload, "__op");
  const auto known = op.present() ? op_named(op) : StateChange::Op::update;
  if (!known) return invalid_input(fmt::format("__op '{}' is unknown", op.string().substr(0, 20)));
  row.change.op = gone ? StateChange::Op::remove : *known;
  const Place place{one_of(payload, {"__lsn", "__source_lsn"}), one_of(payload, {"__sequence", "__source_sequence"}),
                    one_of(payload, {"__txId", "__source_txId"}), one_of(payload, {"__source_ts_us"}),
                    one_of(payload, {"__source_ts_ms"})};
  if (auto filled = fill_place(row, place); !filled) return filled.error();
  const RowImages images{gone ? payload : JsonSpan{}, gone ? JsonSpan{} : payload, type};
  if (auto filled = fill_rows(row.change, images, table); !filled) return filled.error();
  return DebeziumRecord(std::move(row));
}

}  // namespace

DebeziumDecoder::DebeziumDecoder(const config::ArbiterConfig& config)
    : legacy_(config.legacy_state), modern_(config.modern_state) {
  for (const auto& topic : legacy_.topics) sides_.emplace(topic, Side::legacy);
  for (const auto& topic : modern_.topics) sides_.emplace(topic, Side::modern);
}

const ColumnType& DebeziumDecoder::type_of(const LogRecord& record, const JsonSpan& schema, bool flattened,
                                           const config::StateTableConfig& table) {
  if (schema.kind != JsonSpan::Kind::object) return kNoSchema;
  KnownSchema& known = schemas_[record.topic];
  if (known.text != schema.text) {  // the same with every record until the table changes
    known.text = schema.text;
    const JsonSpan after = field_named(schema, "after");
    known.enveloped = column_type(field_named(after, table.balance));
    known.flattened = column_type(field_named(schema, table.balance));
  }
  return flattened ? known.flattened : known.enveloped;
}

Result<DebeziumRecord> DebeziumDecoder::decode(const LogRecord& record) {
  if (is_heartbeat(record.topic) || is_transaction_topic(record.topic)) return DebeziumRecord(StateIgnored{"no rows"});
  if (record.value.empty() || record.value == "null") return DebeziumRecord(StateIgnored{"tombstone"});
  const auto decoded = [&]() -> Result<DebeziumRecord> {
    if (record.value.size() > kMaxStateRecordBytes)
      return invalid_input(fmt::format("{} bytes, more than {}", record.value.size(), kMaxStateRecordBytes));
    JsonSpan whole{JsonSpan::Kind::object, false, record.value}, schema, payload;
    JsonWalk walk(record.value);
    while (walk.next()) {
      if (walk.name().is("schema")) schema = walk.value();
      if (walk.name().is("payload")) payload = walk.value();
    }
    if (!walk.error().empty()) return invalid_input(walk.error());
    if (!walk.object()) return invalid_input("no JSON object");
    // A table may have columns of these names.
    const bool null_payload = payload.kind == JsonSpan::Kind::null && schema.kind != JsonSpan::Kind::absent;
    const bool wrapped = payload.kind == JsonSpan::Kind::object;
    if (null_payload) return DebeziumRecord(StateIgnored{"tombstone"});
    const JsonSpan& body = wrapped ? payload : whole;
    const Side side = sides_.at(record.topic);
    const auto& table = side == Side::legacy ? legacy_ : modern_;
    const JsonSpan source = member_of(body, "source");
    const bool flattened = source.kind != JsonSpan::Kind::object;
    if (!flattened && member_of(body, "op").is("m")) return read_message(body, source, side);
    const ColumnType& type = type_of(record, wrapped ? schema : JsonSpan{}, flattened, table);
    return flattened ? read_flattened(body, type, side, table) : read_enveloped(body, source, type, side, table);
  }();
  if (decoded.has_error()) {
    return invalid_input(
        fmt::format("Debezium record: {}", clean_text(decoded.error().message.substr(0, kMaxReasonBytes))));
  }
  return decoded;
}

}  // namespace phoenix::arbiter
