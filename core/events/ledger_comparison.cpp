#include "core/events/ledger_comparison.hpp"

#include <fmt/format.h>

#include "core/events/strict_json.hpp"

namespace phoenix {
namespace {

using Json = StrictJson;
constexpr int kVersion = 1;
// Written by hand at the front, so that a reader tells it from the other kinds without parsing.
constexpr std::string_view kHead = R"({"op":"s",)";

Json to_json(const LedgerComparison::Balance& balance) {
  if (!balance.exists) return nullptr;
  return {{"balance", balance.amount}, {"currency", balance.currency}};
}

LedgerComparison::Balance balance_from(const Json& json) {
  if (json.is_null()) return {};
  return {true, json.at("balance").get<std::string>(), json.at("currency").get<std::string>()};
}

const char* name_of(LedgerComparison::Cause cause) {
  switch (cause) {
    case LedgerComparison::Cause::resync:
      return "resync";
    case LedgerComparison::Cause::repair:
      return "repair";
    case LedgerComparison::Cause::sweep:
      break;
  }
  return "sweep";
}

LedgerComparison::Cause cause_from(const std::string& text) {
  if (text == "sweep") return LedgerComparison::Cause::sweep;
  if (text == "resync") return LedgerComparison::Cause::resync;
  if (text == "repair") return LedgerComparison::Cause::repair;
  throw Failure(invalid_input(fmt::format("cause has the unknown value '{}'", text)));
}

}  // namespace

std::string encode(const LedgerComparison& comparison) {
  const Json json{{"v", kVersion},
                  {"source",
                   {{"kind", name_of(comparison.cause)},
                    {"run", comparison.run},
                    {"account", comparison.account},
                    {"slice", comparison.slice}}},
                  {"legacy", to_json(comparison.balances[index(Side::legacy)])},
                  {"modern", to_json(comparison.balances[index(Side::modern)])},
                  {"low_us", comparison.low_us},
                  {"high_us", comparison.high_us}};
  return std::string(kHead) + json.dump(-1, ' ', false, Json::error_handler_t::replace).substr(1);
}

Result<LedgerComparison> decode_ledger_comparison(std::string_view text) {
  try {
    const Json json = Json::parse(text);
    if (const int version = json.value("v", kVersion); version != kVersion)
      return invalid_input(fmt::format("ledger comparison: schema version {} is unknown", version));
    LedgerComparison comparison;
    const Json& source = json.at("source");
    comparison.cause = cause_from(source.at("kind").get<std::string>());
    source.at("run").get_to(comparison.run);
    source.at("account").get_to(comparison.account);
    source.at("slice").get_to(comparison.slice);
    comparison.balances = {balance_from(json.at("legacy")), balance_from(json.at("modern"))};
    json.at("low_us").get_to(comparison.low_us);
    json.at("high_us").get_to(comparison.high_us);
    if (comparison.account.empty()) return invalid_input("ledger comparison: it names no account");
    return comparison;
  } catch (const Failure& failure) {
    return invalid_input(fmt::format("ledger comparison: {}", failure.what()));
  } catch (const JsonIntegerError& error) {
    return invalid_input(fmt::format("ledger comparison: {}", error.what()));
  } catch (const Json::exception& error) {
    return invalid_input(fmt::format("ledger comparison: {}", error.what()));
  }
}

bool is_ledger_comparison(std::string_view text) {
  return text.starts_with(kHead);
}

}  // namespace phoenix
