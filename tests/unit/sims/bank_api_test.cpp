#include "core/sim/bank_api.hpp"

#include "core/sim/pg_pool.hpp"
#include "tests/support/catch.hpp"

using namespace phoenix;
using namespace phoenix::sim;

namespace {

/// Notes what reaches it.
class RecordingBank final : public Bank {
 public:
  Answer open_account(const OpenAccount& request, const std::string& exchange_id) override {
    opened = request;
    return note("open", exchange_id);
  }
  Answer deposit(std::int64_t account, std::int64_t amount_minor, const std::string& exchange_id) override {
    return note("deposit " + std::to_string(account) + " " + std::to_string(amount_minor), exchange_id);
  }
  Answer withdraw(std::int64_t account, std::int64_t amount_minor, const std::string& exchange_id) override {
    return note("withdraw " + std::to_string(account) + " " + std::to_string(amount_minor), exchange_id);
  }
  Answer transfer(std::int64_t from, std::int64_t to, std::int64_t amount_minor,
                  const std::string& exchange_id) override {
    return note("transfer " + std::to_string(from) + " " + std::to_string(to) + " " + std::to_string(amount_minor),
                exchange_id);
  }
  Answer credit_interest(std::int64_t account, int days, const std::string& exchange_id) override {
    return note("interest " + std::to_string(account) + " " + std::to_string(days), exchange_id);
  }
  Answer read_account(std::int64_t account) override { return note("read " + std::to_string(account), {}); }
  Answer statement(std::int64_t account) override { return note("statement " + std::to_string(account), {}); }
  void ping() override {
    if (down) throw DatabaseUnavailable("gone");
  }

  Answer note(std::string what, const std::string& exchange_id) {
    if (down) throw DatabaseUnavailable("gone");
    calls.push_back(std::move(what));
    last_exchange_id = exchange_id;
    return {201, "{}"};
  }

  std::vector<std::string> calls;
  std::string last_exchange_id;
  OpenAccount opened;
  bool down = false;
};

struct Fixture {
  RecordingBank bank;
  FaultProfile faults{true, false};
  BankApi api{"phoenix-test-sim", bank, faults};

  http::Response send(const std::string& method, const std::string& path, const std::string& body = {},
                      std::vector<std::pair<std::string, std::string>> headers = {}) {
    http::Request request;
    request.method = method;
    request.target = request.path = path;
    request.body = body;
    request.headers = std::move(headers);
    return api(request);
  }
};

}  // namespace

TEST_CASE_METHOD(Fixture, "requests reach the bank with exact amounts and the exchange id") {
  CHECK(send("POST", "/accounts/7/deposits", R"({"amount":10.05})", {{"x-phoenix-exchange", "e-1"}}).status == 201);
  CHECK(bank.last_exchange_id == "e-1");
  send("POST", "/accounts/7/withdrawals", R"({"amount":3})");
  CHECK_FALSE(bank.last_exchange_id.empty());  // its own
  send("POST", "/transfers", R"({"from_account":1,"to_account":2,"amount":0.01})");
  send("POST", "/accounts/7/interest", R"({"days":31})");
  send("GET", "/accounts/7");
  send("GET", "/accounts/7/statement");
  CHECK(bank.calls == std::vector<std::string>{"deposit 7 1005", "withdraw 7 300", "transfer 1 2 1", "interest 7 31",
                                               "read 7", "statement 7"});
}

TEST_CASE_METHOD(Fixture, "bad requests end in 400 and never reach the bank") {
  for (const char* body : {"", "{", "[]", "{}", R"({"amount":0})", R"({"amount":-1})", R"({"amount":1.001})",
                           R"({"amount":"1.00"})", R"({"amount":1,"amount":2})", R"({"amount":1e30})"}) {
    const auto response = send("POST", "/accounts/7/deposits", body);
    CHECK(response.status == 400);
    CHECK(response.content_type == "application/problem+json");
  }
  CHECK(send("POST", "/transfers", R"({"from_account":"1","to_account":2,"amount":1})").status == 400);
  CHECK(send("POST", "/transfers", R"({"from_account":1.5,"to_account":2,"amount":1})").status == 400);
  for (const char* body : {"", "{}", R"({"days":0})", R"({"days":367})", R"({"days":-1})", R"({"days":1.5})",
                           R"({"days":"31"})", R"({"days":31,"days":31})", R"({"days":1e30})"}) {
    const auto response = send("POST", "/accounts/7/interest", body);
    CHECK(response.status == 400);
    CHECK(response.content_type == "application/problem+json");
  }
  CHECK(send("POST", "/accounts", R"({"tier":"gold","currency":"EUR"})").status == 400);
  CHECK(send("POST", "/accounts", R"({"tier":"vip","currency":"euro"})").status == 400);
  CHECK(send("POST", "/accounts", R"({"tier":"vip","currency":"JPY"})").status == 400);
  CHECK(send("POST", "/accounts", "{}", {{"X-Phoenix-Assigned-Id", "x"}}).status == 400);
  CHECK(send("POST", "/accounts/7/deposits", R"({"amount":1})", {{"X-Phoenix-Exchange", "a b"}}).status == 400);
  CHECK(bank.calls.empty());
}

TEST_CASE_METHOD(Fixture, "what cannot be an account is 404") {
  for (const char* path :
       {"/accounts/x", "/accounts/0", "/accounts/-1", "/accounts/7x", "/accounts/99999999999999999999"})
    CHECK(send("GET", path).status == 404);
  CHECK(send("POST", "/transfers", R"({"from_account":0,"to_account":2,"amount":1})").status == 404);
  CHECK(bank.calls.empty());
}

TEST_CASE_METHOD(Fixture, "opening an account takes tier, currency and the assigned id") {
  send("POST", "/accounts", R"({"tier":"vip","currency":"USD"})", {{"X-Phoenix-Assigned-Id", "77"}});
  CHECK(bank.opened.tier == "vip");
  CHECK(bank.opened.currency == "USD");
  CHECK(bank.opened.assigned_id == 77);
}

TEST_CASE_METHOD(Fixture, "faults stop a request before the bank, but never the control routes") {
  CHECK(send("PUT", "/_sim/faults", R"({"hang":true})").status == 200);
  CHECK(send("GET", "/accounts/7").fault == http::Response::Fault::hang);
  CHECK(send("GET", "/healthz").status == 200);
  CHECK(send("PUT", "/_sim/faults", R"({"hang":false,"reset":true})").status == 200);
  CHECK(send("POST", "/accounts/7/deposits", R"({"amount":1})").fault == http::Response::Fault::reset);
  CHECK(send("PUT", "/_sim/faults", R"({"reset":false,"error_rate":1})").status == 200);
  CHECK(send("POST", "/accounts/7/deposits", R"({"amount":1})").status == 503);
  CHECK(bank.calls.empty());
  CHECK(send("PUT", "/_sim/faults", R"({"no_such_fault":1})").status == 400);
  CHECK(send("GET", "/_sim/faults").body.find("\"error_rate\":1") != std::string::npos);
}

TEST_CASE_METHOD(Fixture, "a database that is away is 503, and not ready, but alive") {
  bank.down = true;
  CHECK(send("GET", "/accounts/7").status == 503);
  CHECK(send("GET", "/readyz").status == 503);
  CHECK(send("GET", "/healthz").status == 200);
  CHECK(send("GET", "/metrics").body.find("phoenix_test_sim_requests_total{code=\"5xx\"} 1") != std::string::npos);
}
