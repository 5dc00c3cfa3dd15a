#include "arbiter/row_reader.hpp"

#include <fmt/format.h>

#include "arbiter/clean_text.hpp"

namespace phoenix::arbiter {
namespace {

constexpr std::size_t kMaxAccountBytes = 1024;

Error lacks(const char* image, const std::string& column, const JsonSpan& value) {
  if (value.is(kUnavailableValue))
    return invalid_input(fmt::format("{}: column {} was not sent ({})", image, column, kUnavailableValue));
  return invalid_input(
      fmt::format("{}: column {} is {}", image, column, value.kind == JsonSpan::Kind::null ? "null" : "missing"));
}

bool is_plain(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) - 1u >= 0x7f) return false;
  }
  return true;
}

std::string tidy(const JsonSpan& value) {
  if (!value.escaped && is_plain(value.text)) return std::string(value.text);
  return clean_text(value.string());
}

}  // namespace

Result<Row> read_row(const JsonSpan& object, const config::StateTableConfig& table) {
  Row row;
  if (object.kind != JsonSpan::Kind::object) return invalid_input("a row must be an object");
  const auto take = [&](JsonSpan& out, const JsonWalk& walk) {
    const bool twice = out.kind != JsonSpan::Kind::absent;
    out = walk.value();
    return !twice;
  };
  for (JsonWalk walk(object); walk.next();) {
    const JsonSpan& name = walk.name();
    bool once = true;
    if (name.is(table.account)) once = take(row.account, walk);
    if (name.is(table.balance)) once = take(row.balance, walk) && once;
    if (!table.currency.empty() && name.is(table.currency)) once = take(row.currency, walk) && once;
    if (!once) return invalid_input(fmt::format("column {} stands twice in a row", name.string()));
  }
  return row;
}

Result<void> fill_rows(StateChange& change, const RowImages& images, const config::StateTableConfig& table) {
  Row before, after;
  if (images.before.present()) {
    auto row = read_row(images.before, table);
    if (!row) return row.error();
    before = *row;
    auto balance = decode_balance(before.balance, table, images.type);
    if (!balance) return invalid_input("before: " + balance.error().message);
    change.before = *balance;
  }
  const bool has_after = change.op != StateChange::Op::remove;
  if (has_after) {
    if (!images.after.present()) return invalid_input("after is missing");
    auto row = read_row(images.after, table);
    if (!row) return row.error();
    after = *row;
    auto balance = decode_balance(after.balance, table, images.type);
    if (!balance) return invalid_input("after: " + balance.error().message);
    if (!*balance) return lacks("after", table.balance, after.balance);
    change.after = *balance;
  }
  const char* const image = has_after ? "after" : "before";
  const Row& row = has_after ? after : before;
  if (row.account.kind != JsonSpan::Kind::string && row.account.kind != JsonSpan::Kind::number)
    return lacks(image, table.account, row.account);
  if (row.account.is(kUnavailableValue)) return lacks(image, table.account, row.account);
  change.account = tidy(row.account);
  if (change.account.empty() || change.account.size() > kMaxAccountBytes)
    return invalid_input(fmt::format("{}: an account of {} bytes", image, change.account.size()));
  change.currency = row.currency.kind == JsonSpan::Kind::string ? tidy(row.currency) : std::string();
  if (change.currency.empty()) change.currency = table.currency_default;
  return {};
}

}  // namespace phoenix::arbiter
