#include "core/sim/bank_api.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/model/decimal.hpp"
#include "core/model/exchange_id.hpp"
#include "core/runtime/clock.hpp"
#include "core/runtime/log.hpp"
#include "core/sim/answers.hpp"
#include "core/sim/exact_json.hpp"
#include "core/sim/pg_pool.hpp"
#include "core/telemetry/metrics.hpp"

namespace phoenix::sim {

namespace {

using http::problem;
using http::Request;
using http::Response;
using Params = http::Router::Params;

/// A request that cannot be carried out as it stands; becomes a problem document.
struct BadRequest {
  int status;
  std::string detail;
};

Response to_response(Answer answer) {
  Response response;
  response.status = answer.status;
  response.body = std::move(answer.body);
  if (answer.status >= 400) response.content_type = "application/problem+json";
  return response;
}

std::int64_t account_from_path(const Params& params) {
  const std::string& text = params.at("account");
  std::int64_t account = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), account);
  if (code != std::errc() || end != text.data() + text.size() || account <= 0)
    throw BadRequest{404, "there is no such account"};
  return account;
}

ExactJson read_body(const Request& request) {
  auto body = ExactJson::parse(request.body);
  if (!body) throw BadRequest{400, body.error().message};
  return std::move(*body);
}

std::int64_t read_amount(const ExactJson& body) {
  const auto amount = body.hundredths("/amount");
  if (!amount) throw BadRequest{400, amount.error().message};
  if (*amount <= 0 || *amount > BankApi::kMaxAmountMinor) throw BadRequest{400, "/amount: out of range"};
  return *amount;
}

int read_days(const ExactJson& body) {
  const auto days = body.whole("/days");
  if (!days || *days < 1 || *days > kMaxInterestDays)
    throw BadRequest{400, fmt::format("/days: a whole number from 1 to {} is needed", kMaxInterestDays)};
  return static_cast<int>(*days);
}

std::int64_t read_account(const ExactJson& body, const std::string& pointer) {
  const auto account = body.whole(pointer);
  if (!account) throw BadRequest{400, account.error().message};
  if (*account <= 0) throw BadRequest{404, "there is no such account"};
  return *account;
}

/// The caller's exchange id, or one of our own so that every posting has one.
std::string exchange_id_of(const Request& request) {
  const auto given = request.header("X-Phoenix-Exchange");
  if (given.empty()) {
    thread_local RandomSource random(random_seed());
    return make_exchange_id(static_cast<std::uint64_t>(SystemClock().unix_ms()), random.next(), random.next())
        .to_string();
  }
  const bool visible = std::all_of(given.begin(), given.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  if (!visible || given.size() > 128)
    throw BadRequest{400, "X-Phoenix-Exchange: up to 128 visible characters are allowed"};
  return std::string(given);
}

OpenAccount read_open_account(const Request& request) {
  const ExactJson body = read_body(request);
  OpenAccount open{"standard", "EUR", std::nullopt};
  if (body.find("/tier")) {
    const auto tier = body.string("/tier");
    if (!tier || (*tier != "standard" && *tier != "vip")) throw BadRequest{400, "/tier: standard or vip is needed"};
    open.tier = *tier;
  }
  if (body.find("/currency")) {
    const auto currency = body.string("/currency");
    const bool letters = currency && currency->size() == 3 &&
                         std::all_of(currency->begin(), currency->end(), [](char c) { return c >= 'A' && c <= 'Z'; });
    if (!letters || minor_unit_digits(*currency) != 2)
      throw BadRequest{400, "/currency: a currency code with two decimals is needed"};
    open.currency = *currency;
  }
  const auto assigned = request.header("X-Phoenix-Assigned-Id");
  if (!assigned.empty()) {
    std::int64_t id = 0;
    const auto [end, code] = std::from_chars(assigned.data(), assigned.data() + assigned.size(), id);
    if (code != std::errc() || end != assigned.data() + assigned.size() || id <= 0)
      throw BadRequest{400, "X-Phoenix-Assigned-Id: an account id is needed"};
    open.assigned_id = id;
  }
  return open;
}

}  // namespace

BankApi::BankApi(std::string program, Bank& bank, FaultProfile& faults)
    : program_(std::move(program)), bank_(bank), faults_(faults) {
  add_control_routes();
  add_bank_routes();
}

void BankApi::add_control_routes() {
  control_
      .add("GET", "/healthz", [](const Request&, const Params&) { return http::json_text(200, R"({"status":"ok"})"); })
      .add("GET", "/readyz",
           [this](const Request&, const Params&) {
             bank_.ping();
             return http::json_text(200, R"({"status":"ready"})");
           })
      .add("GET", "/metrics", [this](const Request&, const Params&) { return metrics(); })
      .add("GET", "/_sim/faults",
           [this](const Request&, const Params&) { return http::json_text(200, faults_.to_json()); })
      .add("PUT", "/_sim/faults",
           [this](const Request& request, const Params&) {
             const auto updated = faults_.update(request.body);
             if (!updated) throw BadRequest{400, updated.error().message};
             log::info("faults are now {}", faults_.to_json());
             return http::json_text(200, faults_.to_json());
           })
      .add("GET", "/_sim/wrong-fees",
           [this](const Request&, const Params&) { return http::json_text(200, faults_.wrong_fees_json()); })
      .add("GET", "/_sim/duplicates",
           [this](const Request&, const Params&) { return http::json_text(200, faults_.duplicates_json()); })
      .add("GET", "/_sim/drops",
           [this](const Request&, const Params&) { return http::json_text(200, faults_.drops_json()); })
      .add("GET", "/_sim/silences",
           [this](const Request&, const Params&) { return http::json_text(200, faults_.silences_json()); });
}

void BankApi::add_bank_routes() {
  routes_
      .add("POST", "/accounts",
           [this](const Request& request, const Params&) {
             return to_response(bank_.open_account(read_open_account(request), exchange_id_of(request)));
           })
      .add("GET", "/accounts/{account}",
           [this](const Request&, const Params& params) {
             return to_response(bank_.read_account(account_from_path(params)));
           })
      .add("POST", "/accounts/{account}/deposits",
           [this](const Request& request, const Params& params) {
             const auto account = account_from_path(params);
             return to_response(bank_.deposit(account, read_amount(read_body(request)), exchange_id_of(request)));
           })
      .add("POST", "/accounts/{account}/withdrawals",
           [this](const Request& request, const Params& params) {
             const auto account = account_from_path(params);
             return to_response(bank_.withdraw(account, read_amount(read_body(request)), exchange_id_of(request)));
           })
      .add("POST", "/accounts/{account}/interest",
           [this](const Request& request, const Params& params) {
             const auto account = account_from_path(params);
             return to_response(bank_.credit_interest(account, read_days(read_body(request)), exchange_id_of(request)));
           })
      .add("POST", "/transfers",
           [this](const Request& request, const Params&) {
             const ExactJson body = read_body(request);
             return to_response(bank_.transfer(read_account(body, "/from_account"), read_account(body, "/to_account"),
                                               read_amount(body), exchange_id_of(request)));
           })
      .add("GET", "/accounts/{account}/statement", [this](const Request&, const Params& params) {
        return to_response(bank_.statement(account_from_path(params)));
      });
}

Response BankApi::operator()(const Request& request) {
  const bool control = request.path == "/healthz" || request.path == "/readyz" || request.path == "/metrics" ||
                       request.path.compare(0, 6, "/_sim/") == 0;
  try {
    return control ? control_(request) : bank_request(request);
  } catch (const BadRequest& bad) {
    return problem(bad.status, bad.status == 404 ? "unknown account" : "invalid request", bad.detail);
  } catch (const DatabaseUnavailable& error) {
    return problem(503, "database unavailable", error.what());
  }
}

Response BankApi::bank_request(const Request& request) {
  auto counted = [this](int status_class) { requests_[status_class].fetch_add(1, std::memory_order_relaxed); };
  Response response;
  switch (faults_.before_request()) {
    case RequestFault::hang:
      counted(0);
      response.fault = Response::Fault::hang;
      return response;
    case RequestFault::reset:
      counted(0);
      response.fault = Response::Fault::reset;
      return response;
    case RequestFault::error:
      counted(5);
      return problem(503, "injected error", "the fault profile asks for errors");
    case RequestFault::none:
      break;
  }
  try {
    response = routes_(request);
  } catch (const BadRequest&) {
    counted(4);
    throw;
  } catch (...) {
    counted(5);
    throw;
  }
  if (response.status == 201 && faults_.silence(std::string(request.header("X-Phoenix-Exchange")))) {
    counted(0);
    response.fault = Response::Fault::hang;
    return response;
  }
  counted(response.status / 100);
  return response;
}

Response BankApi::metrics() const {
  static constexpr std::array<const char*, 6> kClasses{"none", "1xx", "2xx", "3xx", "4xx", "5xx"};
  std::string prefix = program_;
  std::replace(prefix.begin(), prefix.end(), '-', '_');
  telemetry::Page page;
  for (std::size_t i = 0; i < requests_.size(); ++i)
    page.counter(prefix + "_requests_total", "Requests to the bank's API by class of status", {{"code", kClasses[i]}},
                 static_cast<double>(requests_[i].load(std::memory_order_relaxed)));
  Response response;
  response.content_type = "text/plain; version=0.0.4";
  response.body = page.render();
  return response;
}

}  // namespace phoenix::sim
