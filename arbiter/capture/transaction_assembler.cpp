#include "arbiter/capture/transaction_assembler.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace phoenix::capture {
namespace {

constexpr std::size_t kMaxExchangeId = 200;  // bytes

Error nonsense(std::string what) {
  return {ErrorCode::internal, "replication: " + std::move(what)};
}

/// Text of a column; nullopt when the tuple does not tell.
std::optional<std::string> text_at(const Tuple* tuple, std::size_t column) {
  if (tuple == nullptr || column >= tuple->size() || (*tuple)[column].kind != Column::Kind::text) return std::nullopt;
  return std::string((*tuple)[column].text);
}

/// Names and types of the columns and what identifies a row, to be compared.
std::string shape_of(const Relation& relation) {
  std::string shape(1, relation.identity);
  for (const auto& column : relation.columns)
    shape += fmt::format(" {}:{}:{}{}", column.name, column.type, column.modifier, column.key ? ":key" : "");
  return shape;
}

std::string names_of(const Relation& relation) {
  std::string names;
  for (const auto& column : relation.columns) names += (names.empty() ? "" : ", ") + column.name;
  return names;
}

}  // namespace

std::optional<std::string> exchange_id_in(std::string_view message) {
  const auto json = nlohmann::json::parse(message, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  // A repair by `phoenixctl resync` is no foreign write: it bears a name of its own.
  if (const auto repair = json.find("resync"); repair != json.end() && repair->is_string()) {
    auto name = "resync/" + repair->get<std::string>();
    return name.size() > kMaxExchangeId ? std::nullopt : std::optional(std::move(name));
  }
  const auto id = json.find("exchange_id");
  if (id == json.end() || !id->is_string()) return std::nullopt;
  auto text = id->get<std::string>();
  if (text.empty() || text.size() > kMaxExchangeId) return std::nullopt;
  return text;
}

std::string encode_marker_message(const Marker& marker) {
  return nlohmann::json{{"marker", {{"writer", marker.writer}, {"covers", marker.covers}}}}.dump();
}

std::optional<Marker> marker_in(std::string_view message) {
  const auto json = nlohmann::json::parse(message, nullptr, false);
  if (!json.is_object() || !json.contains("marker")) return std::nullopt;
  const auto& marker = json["marker"];
  if (!marker.is_object() || !marker.contains("writer") || !marker["writer"].is_string()) return std::nullopt;
  if (!marker.contains("covers") || !marker["covers"].is_number_integer()) return std::nullopt;
  return Marker{marker["writer"].get<std::string>(), marker["covers"].get<std::int64_t>()};
}

void TransactionAssembler::restart() {
  transaction_.reset();
  relations_.clear();
}

Result<Step> TransactionAssembler::take(Lsn lsn, const Message& message,
                                        const std::function<void(const Change&)>& publish) {
  Step step;
  std::optional<Error> error;
  if (const auto* begin = std::get_if<Begin>(&message)) {
    if (transaction_) return nonsense("a transaction begins inside another");
    transaction_.emplace(*begin);
  } else if (const auto* commit = std::get_if<Commit>(&message)) {
    if (!transaction_) return nonsense("a commit without a transaction");
    step.finished = FinishedTransaction{commit->end_lsn, commit->commit_us, transaction_->changes,
                                        transaction_->changes > 0 && !transaction_->ours};
    transaction_.reset();
  } else if (const auto* relation = std::get_if<Relation>(&message)) {
    error = learn(*relation, step);
  } else if (const auto* insert = std::get_if<Insert>(&message)) {
    error = row(lsn, insert->relation, nullptr, &insert->after, 'c', publish);
  } else if (const auto* update = std::get_if<Update>(&message)) {
    error = row(lsn, update->relation, update->before ? &*update->before : nullptr, &update->after, 'u', publish);
  } else if (const auto* removed = std::get_if<Delete>(&message)) {
    error = row(lsn, removed->relation, &removed->before, nullptr, 'd', publish);
  } else if (const auto* truncate = std::get_if<Truncate>(&message)) {
    for (const Oid oid : truncate->relations) {
      if (!error) error = row(lsn, oid, nullptr, nullptr, 't', publish);
    }
  } else if (const auto* text = std::get_if<LogicalMessage>(&message)) {
    note(*text, step);
  }
  if (error) return *error;
  return step;
}

std::optional<Error> TransactionAssembler::learn(const Relation& relation, Step& step) {
  const std::string name = relation.schema + "." + relation.table;
  Captured captured{relation, std::nullopt};
  if (const auto table = tables_.find(name); table != tables_.end()) {
    for (std::size_t i = 0; i < relation.columns.size(); ++i) {
      if (relation.columns[i].name == table->second) captured.key = i;
    }
    if (!captured.key) {
      return invalid_input(fmt::format("table {} has no column '{}' to take the account from; it has {}", name,
                                       table->second, names_of(relation)));
    }
    const std::string now = shape_of(relation);
    const auto [shape, is_new] = shapes_.try_emplace(name, now);
    if (!is_new && shape->second != now) {
      step.gap = fmt::format("the columns of table {} changed: they are {}", name, names_of(relation));
      shape->second = now;
    }
  }
  relations_.insert_or_assign(relation.oid, std::move(captured));
  return std::nullopt;
}

void TransactionAssembler::note(const LogicalMessage& message, Step& step) {
  if (!message.transactional || !transaction_ || message.prefix != kPrefix) return;
  if (auto id = exchange_id_in(message.content)) {
    transaction_->exchange_id = std::move(*id);
    transaction_->ours = true;
  } else if (auto marker = marker_in(message.content)) {
    step.marker = std::move(marker);
  } else {
    transaction_->exchange_id.clear();  // the rows that follow must not pass for those of an earlier exchange
    step.malformed_message = true;
  }
}

std::optional<Error> TransactionAssembler::row(Lsn lsn, Oid oid, const OldTuple* before, const Tuple* after, char op,
                                               const std::function<void(const Change&)>& publish) {
  if (!transaction_) return nonsense("a row outside a transaction");
  const auto at = relations_.find(oid);
  if (at == relations_.end()) return nonsense(fmt::format("a row of relation {}, which was not announced", oid));
  const Captured& table = at->second;
  const std::size_t columns = table.relation.columns.size();
  if ((before != nullptr && before->columns.size() != columns) || (after != nullptr && after->size() != columns)) {
    return nonsense(fmt::format("a row of {}.{} has another number of columns than the table", table.relation.schema,
                                table.relation.table));
  }
  if (!table.key) {
    ++transaction_->total_order;
    return std::nullopt;
  }
  const auto old_key = text_at(before != nullptr ? &before->columns : nullptr, *table.key);
  const auto new_key = text_at(after, *table.key);
  if (op == 'u' && old_key && new_key && *old_key != *new_key) {
    // The row moves to another account: readers of either account must see it, as Debezium does for primary keys.
    emit(lsn, table, 'd', *old_key, before, nullptr, publish);
    emit(lsn, table, 'c', *new_key, nullptr, after, publish);
  } else {
    emit(lsn, table, op, new_key ? *new_key : old_key.value_or(""), before, after, publish);
  }
  return std::nullopt;
}

void TransactionAssembler::emit(Lsn lsn, const Captured& table, char op, std::string key, const OldTuple* before,
                                const Tuple* after, const std::function<void(const Change&)>& publish) {
  ++transaction_->changes;
  Change change;
  change.op = op;
  change.key = std::move(key);
  change.relation = &table.relation;
  change.before = before;
  change.after = after;
  change.lsn = lsn;
  change.commit_lsn = transaction_->begin.commit_lsn;
  change.xid = transaction_->begin.xid;
  change.commit_us = transaction_->begin.commit_us;
  change.total_order = ++transaction_->total_order;
  change.table_order = ++transaction_->table_order[table.relation.oid];
  change.exchange_id = transaction_->exchange_id;
  publish(change);
}

}  // namespace phoenix::capture
