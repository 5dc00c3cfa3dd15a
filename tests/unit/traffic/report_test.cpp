#include "tests/traffic/report.hpp"

#include <nlohmann/json.hpp>

#include "tests/support/catch.hpp"

using namespace phoenix::traffic;
using namespace std::chrono_literals;

TEST_CASE("a report is clean only if something was asked and everything was right") {
  Report nothing;
  CHECK_FALSE(nothing.clean());
  Report good;
  good.answered(Kind::read, 200, 1ms);
  CHECK(good.clean());
  Report error = good;
  error.error("status 503");
  CHECK_FALSE(error.clean());
  Report wrong = good;
  wrong.wrong_answer({Kind::read, "", {1, "balance", "1.00", "2.00"}});
  CHECK_FALSE(wrong.clean());
}

TEST_CASE("summary and table say what went wrong") {
  Report report;
  for (int i = 0; i < 99; ++i) report.answered(Kind::deposit, 201, 2ms);
  report.answered(Kind::withdrawal, 422, 4ms);
  report.error("no answer in time");
  for (int i = 0; i < 12; ++i) report.wrong_answer({Kind::deposit, "e-1", {7, "fee", "0.00", "0.01"}});
  report.set_elapsed(10s);
  const auto summary = nlohmann::json::parse(report.json());
  CHECK(summary["requests"] == 101);
  CHECK(summary["rate"] == 10.1);
  CHECK(summary["errors"] == 1);
  CHECK(summary["errors_by_reason"]["no answer in time"] == 1);
  CHECK(summary["wrong_answers"] == 12);
  CHECK(summary["wrong"].size() == 10);
  CHECK(summary["wrong"][0]["exchange_id"] == "e-1");
  CHECK(summary["refused"] == 1);
  CHECK(summary["latency_ms"]["deposit"]["count"] == 99);
  CHECK(report.table().find("deposit on account 7: fee expected 0.00, got 0.01 (exchange e-1)") != std::string::npos);
}

TEST_CASE("a live line covers its interval, the totals everything") {
  Report report;
  report.answered(Kind::read, 200, 8ms);
  report.error("status 503");
  (void)report.live_line(1s, 1s);
  report.answered(Kind::read, 200, 2ms);
  const auto line = nlohmann::json::parse(report.live_line(2s, 1s));
  CHECK(line["rate"] == 1);
  CHECK(line["errors"] == 0);
  CHECK(line["p99_ms"] == 2);
  CHECK(line["total"]["requests"] == 3);
  CHECK(line["total"]["errors"] == 1);
}
