#include "orchestrator/resync.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "core/events/ledger_comparison.hpp"
#include "core/http/client.hpp"
#include "core/model/business_key.hpp"
#include "core/model/decimal.hpp"
#include "core/runtime/log.hpp"
#include "orchestrator/gateway_calls.hpp"
#include "orchestrator/resync_ledgers.hpp"

namespace phoenix::orchestrator {
namespace {

using nlohmann::json;

constexpr int kTries = 5;
constexpr std::chrono::milliseconds kBetweenTries{200};
constexpr std::chrono::seconds kGatewayTimeout{3};
constexpr std::chrono::seconds kFlush{3};
constexpr std::size_t kMaxText = 1'000;

struct ResyncOrder {
  std::string slice, key, by, reason, run;
  std::optional<Side> from;
  bool apply = false;
};

std::string dump(const json& document) {
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string percent_encoded(const std::string& text) {
  std::string out;
  for (const unsigned char c : text) {
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    out += plain ? std::string(1, static_cast<char>(c)) : fmt::format("%{:02X}", c);
  }
  return out;
}

Result<ResyncOrder> read_order(const std::string& slice, const std::string& body) {
  const json document = json::parse(body, nullptr, false);
  if (!document.is_object()) return invalid_input("the body must be a JSON object");
  const auto text = [&](const char* name) {
    const auto at = document.find(name);
    return at != document.end() && at->is_string() ? at->get<std::string>() : std::string();
  };
  ResyncOrder order{slice, text("key"), text("by"), text("reason"), "", std::nullopt, false};
  for (const auto& [name, value] : {std::pair{"key", order.key}, {"by", order.by}, {"reason", order.reason}}) {
    if (value.empty()) return invalid_input(fmt::format("'{}' is required and must not be empty", name));
    if (value.size() > kMaxText) return invalid_input(fmt::format("'{}' is longer than {} bytes", name, kMaxText));
  }
  if (order.key == kUnknownKey) return invalid_input("resync repairs one account; '*' has no row");
  if (const std::string from = text("from"); !from.empty()) {
    order.from = side_from_string(from);
    if (!order.from) return invalid_input("'from' is legacy or modern");
  }
  const auto apply = document.find("apply");
  if (apply != document.end() && !apply->is_boolean()) return invalid_input("'apply' must be true or false");
  order.apply = apply != document.end() && apply->get<bool>();
  return order;
}

/// One resync, from the first question to the gateways to their last answer.
class Repair {
 public:
  Repair(const ResyncParts& parts, ResyncOrder order)
      : parts_(parts),
        order_(std::move(order)),
        ledgers_{std::make_unique<ResyncLedger>(Side::legacy, parts.config.arbiter.legacy_db.resync),
                 std::make_unique<ResyncLedger>(Side::modern, parts.config.arbiter.modern_db.resync)} {}

  /// What was found and done; an error when it was not done.
  Result<bool> run(Stage stage, json& answer) {
    auto gateways = ask_gateways();
    if (!gateways) return gateways.error();
    const auto source = source_of(order_.from, *gateways, stage);
    if (!source) return source.error();
    from_ = *source;
    if (config_of(other(from_)).apply.empty() && order_.apply) {
      return invalid_input(fmt::format("there is no statement to write {}: arbiter.{}_db.resync.apply",
                                       to_string(other(from_)), to_string(other(from_))));
    }
    const LedgerRow right = ledger(from_).read(order_.key);
    const LedgerRow wrong = ledger(other(from_)).read(order_.key);
    answer = json{{"key", order_.key},
                  {"slice", order_.slice},
                  {"from", to_string(from_)},
                  {to_string(from_), describe(right)},
                  {to_string(other(from_)), describe(wrong)},
                  {"equal", same_row(right, wrong)},
                  {"at_rest", at_rest(*gateways)},
                  {"applied", false}};
    if (!right) {
      return Error{ErrorCode::conflict,
                   fmt::format("{} has no account '{}': there is nothing to bring over", to_string(from_), order_.key)};
    }
    if (!order_.apply) return false;
    if (const auto recorded = record("resync", "begun", answer); !recorded) return recorded.error();
    const auto done = repair();
    const auto end = record("resync", done ? "equal" : "not equal: " + done.error().message, answer);
    if (!done) return done.error();
    answer["applied"] = true;
    answer["wrote"] = *done;
    answer["gateways"] = complete_at_gateways();
    if (!end) answer["notes"].push_back("the outcome is not in the audit record: " + end.error().message);
    return true;
  }

 private:
  ResyncLedger& ledger(Side side) { return *ledgers_[static_cast<std::size_t>(index(side))]; }
  [[nodiscard]] const config::ResyncConfig& config_of(Side side) const {
    const auto& arbiter = parts_.config.arbiter;
    return side == Side::legacy ? arbiter.legacy_db.resync : arbiter.modern_db.resync;
  }

  /// All of them must answer: one that is silent may have a write on its way.
  Result<std::vector<KeyAtGateway>> ask_gateways() const {
    const std::string target =
        fmt::format("/keys?slice={}&key={}", percent_encoded(order_.slice), percent_encoded(order_.key));
    std::vector<KeyAtGateway> keys;
    for (auto endpoint : parts_.config.control_gateways) {
      if (endpoint.host == "0.0.0.0") endpoint.host = "127.0.0.1";
      const auto response = http::Client(endpoint, kGatewayTimeout).request("GET", target);
      if (!response || response->status != 200) {
        return unavailable(
            fmt::format("gateway {} does not say whether a write of the key is under way: {}", endpoint.to_string(),
                        response ? fmt::format("it answered {}", response->status) : response.error().message));
      }
      auto key = read_key_state(endpoint.to_string(), order_.slice, response->body);
      if (!key) return key.error();
      keys.push_back(std::move(*key));
    }
    if (keys.empty()) return invalid_input("no gateway is named: add control.gateways");
    return keys;
  }

  static bool at_rest(const std::vector<KeyAtGateway>& gateways) {
    return std::all_of(gateways.begin(), gateways.end(), [](const auto& gateway) { return gateway.at_rest(); });
  }
  bool at_rest_now() const {
    const auto gateways = ask_gateways();
    if (!gateways) throw Failure(gateways.error());
    return at_rest(*gateways);
  }

  /// Whether a row was written (false: both sides agreed by themselves); an error when the key does not come to rest.
  Result<bool> repair() {
    std::string why = "a write of the key was under way in every try";
    for (int attempt = 0; attempt < kTries; ++attempt) {
      if (attempt > 0) std::this_thread::sleep_for(kBetweenTries);
      try {
        tell_arbiter(LedgerComparison::Cause::repair, {}, {});
        const bool wrote = write_once();
        if (verified()) return wrote;
        why = "both sides moved while they were read";
      } catch (const Failure& failure) {
        if (failure.code() == ErrorCode::invalid_input) return Error{failure.code(), failure.what()};
        why = failure.what();
      }
    }
    return Error{ErrorCode::conflict, fmt::format("gave up after {} tries: {}", kTries, why)};
  }

  bool write_once() {
    LedgerRow right;
    return ledger(other(from_))
        .overwrite(
            order_.key, order_.run,
            [&](const LedgerRow& before) -> LedgerRow {
              right = ledger(from_).read(order_.key);
              if (!right) throw Failure(ErrorCode::invalid_input, "the account is gone on the side to bring it from");
              if (same_row(before, right)) return std::nullopt;
              // After the reading: a write that it contains and the other side lacks is behind.
              if (!at_rest_now()) return std::nullopt;
              return right;
            },
            [&](const LedgerRow& after) {
              if (!same_row(after, right)) {
                throw Failure(ErrorCode::invalid_input,
                              fmt::format("apply did not make both sides equal: {} has {}, {} would have {}",
                                          to_string(from_), describe(right), to_string(other(from_)), describe(after)));
              }
              return same_row(ledger(from_).read(order_.key), right) && at_rest_now();
            });
  }

  /// Equal on both sides, with nothing under way before and after the readings. Then the arbiter is told.
  bool verified() {
    const std::int64_t low_us = parts_.clock.unix_ms() * 1'000;
    if (!at_rest_now()) return false;
    const LedgerRow right = ledger(from_).read(order_.key);
    const LedgerRow left = ledger(other(from_)).read(order_.key);
    if (!same_row(left, right) || !at_rest_now()) return false;
    if (!tell_arbiter(LedgerComparison::Cause::resync, right, low_us))
      log::warn("resync of '{}': the arbiter could not be told; a sweep will find the account", order_.key);
    return true;
  }

  /// The first column that is an exact number counts as the balance: equal on both sides, it only says "no difference".
  bool tell_arbiter(LedgerComparison::Cause cause, const LedgerRow& row, std::optional<std::int64_t> low_us) {
    LedgerComparison comparison;
    comparison.cause = cause;
    comparison.run = order_.run;
    comparison.slice = order_.slice;
    comparison.account = order_.key;
    comparison.high_us = parts_.clock.unix_ms() * 1'000;
    comparison.low_us = low_us.value_or(comparison.high_us);
    for (const auto& value : row.value_or(std::vector<std::optional<std::string>>{})) {
      if (!value || !Decimal::parse(*value)) continue;
      comparison.balances = {LedgerComparison::Balance{true, *value, ""}, LedgerComparison::Balance{true, *value, ""}};
      break;
    }
    return parts_.producer.publish_to(slice_partition(parts_.config, order_.slice), topics::kDbStateUpdates, order_.key,
                                      encode(comparison)) &&
           parts_.producer.flush(kFlush);
  }

  json complete_at_gateways() {
    const json body{{"slice", order_.slice},
                    {"side", to_string(other(from_))},
                    {"keys", json::array({order_.key})},
                    {"reason", "resync " + order_.run + ": " + order_.reason},
                    {"by", order_.by}};
    json list = json::array();
    auto gateways = parts_.config.control_gateways;
    for (auto& endpoint : gateways) {
      if (endpoint.host == "0.0.0.0") endpoint.host = "127.0.0.1";
    }
    for (const auto& reply : post_to_gateways(gateways, "/keys/complete", dump(body), "complete", kGatewayTimeout))
      list.push_back({{"gateway", reply.gateway}, {"complete", reply.acknowledged}, {"detail", reply.detail}});
    return list;
  }

  Result<bool> record(const std::string& action, const std::string& to, const json& evidence) {
    const auto change = parts_.authority.change(
        [&](const ControlState& state) -> Result<Change> {
          Change next;
          next.next = state;
          AuditEntry entry;
          entry.who = order_.by;
          entry.action = action;
          entry.slice = order_.slice;
          entry.from = fmt::format("key {} from {}", order_.key, to_string(from_));
          entry.to = to;
          entry.reason = order_.reason;
          entry.evidence = dump(evidence);
          entry.at_unix_ms = parts_.clock.unix_ms();
          next.audit.push_back(std::move(entry));
          return next;
        },
        Order::save_first);
    if (!change) return change.error();
    return true;
  }

  const ResyncParts& parts_;
  const ResyncOrder order_;
  std::array<std::unique_ptr<ResyncLedger>, 2> ledgers_;
  Side from_ = Side::legacy;
};

}  // namespace

http::Response resync(const ResyncParts& parts, const std::string& slice, const std::string& body) {
  auto order = read_order(slice, body);
  if (!order) return http::problem_of(order.error());
  const auto& arbiter = parts.config.arbiter;
  if (arbiter.legacy_db.resync.read.empty() || arbiter.modern_db.resync.read.empty()) {
    return http::problem(
        409, "not configured",
        "say how an account is read and written: arbiter.legacy_db.resync and arbiter.modern_db.resync");
  }
  const PolicyView view = parts.authority.view();
  const SlicePolicy* policy = view.state.policy.find(slice);
  if (policy == nullptr) return http::problem_of({ErrorCode::not_found, fmt::format("no slice '{}'", slice)});
  order->run = fmt::format("{:x}", parts.clock.unix_ms());
  try {
    const std::string key = order->key;
    const std::string by = order->by;
    json answer;
    const auto applied = Repair(parts, std::move(*order)).run(policy->stage, answer);
    if (!applied) return http::problem_of(applied.error());
    if (*applied) log::warn("resync of '{}' of slice '{}' by {}", key, slice, by);
    return http::json_text(200, dump(answer));
  } catch (const Failure& failure) {
    return http::problem_of({failure.code(), failure.what()});
  }
}

}  // namespace phoenix::orchestrator
