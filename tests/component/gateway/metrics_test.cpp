// What Prometheus is shown: both backends' errors on both legs, counters that start at 0, the lease running down.
#include <fmt/format.h>

#include "fixture.hpp"

using namespace phoenix;
using namespace phoenix::test;
using Catch::Contains;

namespace {

struct MetricsWorld : World {
  std::string page() { return admin("GET", "/metrics").body; }
  /// Of a metric without labels, or with all of them as they are written.
  double value(const std::string& metric) {
    const std::string text = page(), line = "\nphoenix_gateway_" + metric + " ";
    const auto at = text.find(line);
    INFO(metric);
    REQUIRE(at != std::string::npos);
    return std::stod(text.substr(at + line.size()));
  }
  double legs(const std::string& what, const std::string& backend, const std::string& leg) {
    return value(fmt::format("{}_total{{backend=\"{}\",leg=\"{}\"}}", what, backend, leg));
  }
};

}  // namespace

TEST_CASE_METHOD(MetricsWorld, "errors of both backends are counted, on serving and on shadow legs") {
  legacy.script([](const SeenRequest&) { return Reply::ok("{}"); });
  modern.script([](const SeenRequest& seen) {
    return seen.head.find("/accounts/2") == std::string::npos ? Reply::ok("{}") : Reply::status(500);
  });
  RawClient client(port());
  CHECK(client.exchange(get("/accounts/1")).status == 200);
  CHECK(client.exchange(get("/accounts/2")).status == 200);
  REQUIRE(settle());
  CHECK(legs("legs", "legacy", "serving") == 2);
  CHECK(legs("leg_errors", "legacy", "serving") == 0);
  CHECK(legs("legs", "modern", "shadow") == 2);
  CHECK(legs("leg_errors", "modern", "shadow") == 1);
  CHECK(legs("legs", "modern", "serving") == 0);
  legacy.script([](const SeenRequest&) { return Reply::status(503); });
  CHECK(client.exchange(get("/accounts/1")).status == 503);
  REQUIRE(settle());
  CHECK(legs("leg_errors", "legacy", "serving") == 1);
}

TEST_CASE_METHOD(MetricsWorld, "a shadow leg that never came through is an error of that backend") {
  legacy.script([](const SeenRequest&) { return Reply::ok("{}"); });
  modern.script([](const SeenRequest&) {
    Reply reply;
    reply.reset = true;
    return reply;
  });
  CHECK(RawClient(port()).exchange(get("/accounts/1")).status == 200);
  REQUIRE(settle());
  CHECK(legs("leg_errors", "modern", "shadow") == 1);
}

TEST_CASE_METHOD(MetricsWorld, "counters stand at 0 before their first event, so that a rate sees it") {
  const std::string text = page();
  CHECK_THAT(text, Contains("events_lost_total{reason=\"refused\"} 0\n"));
  CHECK_THAT(text, Contains("events_lost_total{reason=\"failed\"} 0\n"));
  CHECK_THAT(text, Contains("bucket=\"dropped_event_log_full\"} 0\n"));
  CHECK_THAT(text, Contains("bucket=\"excluded_overlap\"} 0\n"));
  CHECK_THAT(text, Contains("outcome=\"timeout\"} 0\n"));
}

TEST_CASE_METHOD(MetricsWorld, "the lease runs down, is renewed and lapses to 0") {
  CHECK(value("policy_lease_seconds") == 0);
  CHECK(value("policy_lease_live") == 0);
  REQUIRE(policy("shadow", "0", "", "60s").status == 200);
  const double first = value("policy_lease_seconds");
  CHECK(first > 50);
  CHECK(first <= 60);
  CHECK(eventually([&] { return value("policy_lease_seconds") < first; }));
  REQUIRE(policy("shadow", "0", "", "1s").status == 200);
  CHECK(value("policy_lease_seconds") <= 1);
  CHECK(eventually([&] { return value("policy_lease_seconds") == 0 && value("policy_lease_live") == 0; }));
}
