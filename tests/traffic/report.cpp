#include "tests/traffic/report.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

namespace phoenix::traffic {

namespace {

using Json = nlohmann::ordered_json;

double per_second(std::uint64_t count, std::chrono::nanoseconds time) {
  const double seconds = std::chrono::duration<double>(time).count();
  return seconds > 0 ? std::round(static_cast<double>(count) / seconds * 10) / 10 : 0;
}

Json latency_json(const LatencyHistogram& histogram) {
  return {{"count", histogram.count()},
          {"p50", histogram.quantile_ms(0.5)},
          {"p90", histogram.quantile_ms(0.9)},
          {"p99", histogram.quantile_ms(0.99)},
          {"max", histogram.max_ms()}};
}

std::string latency_row(std::string_view name, const LatencyHistogram& h) {
  return fmt::format("  {:<12}{:>9}{:>10.2f}{:>10.2f}{:>10.2f}{:>10.2f}\n", name, h.count(), h.quantile_ms(0.5),
                     h.quantile_ms(0.9), h.quantile_ms(0.99), h.max_ms());
}

}  // namespace

void Report::answered(Kind kind, int status, std::chrono::nanoseconds latency) {
  ++requests_;
  ++interval_requests_;
  by_kind_[index(kind)].add(latency);
  all_.add(latency);
  interval_.add(latency);
  if (status == 422) ++refusals_;
}

void Report::error(const std::string& reason) {
  ++requests_;
  ++interval_requests_;
  ++errors_;
  ++interval_errors_;
  ++errors_by_reason_[reason];
}

void Report::wrong_answer(WrongAnswer wrong) {
  ++wrong_answers_;
  ++interval_wrong_;
  if (kept_.size() < kKeptWrongAnswers) kept_.push_back(std::move(wrong));
}

std::string Report::table() const {
  std::string text =
      fmt::format("requests {}  rate {}/s  errors {}  wrong answers {}  refused {}  accounts {}\n", requests_,
                  per_second(requests_, elapsed_), errors_, wrong_answers_, refusals_, touched_);
  if (unknown_ > 0) text += fmt::format("accounts whose balance is unknown after an uncertain write: {}\n", unknown_);
  if (final_check.done)
    text += fmt::format("final check: {} accounts read and compared, {} unknown\n", final_check.checked,
                        final_check.unknown);
  text += fmt::format("  {:<12}{:>9}{:>10}{:>10}{:>10}{:>10}\n", "latency, ms", "answers", "p50", "p90", "p99", "max");
  for (std::size_t i = 0; i < kKinds; ++i)
    if (by_kind_[i].count() > 0) text += latency_row(to_string(static_cast<Kind>(i)), by_kind_[i]);
  text += latency_row("all", all_);
  for (const auto& [reason, count] : errors_by_reason_) text += fmt::format("error: {} ({})\n", reason, count);
  for (const auto& wrong : kept_)
    text += fmt::format("wrong: {} on account {}: {} expected {}, got {}{}\n", to_string(wrong.kind),
                        wrong.difference.account, wrong.difference.what, wrong.difference.expected,
                        wrong.difference.got, wrong.exchange_id.empty() ? "" : " (exchange " + wrong.exchange_id + ")");
  return text;
}

std::string Report::json() const {
  Json latency;
  latency["all"] = latency_json(all_);
  for (std::size_t i = 0; i < kKinds; ++i)
    if (by_kind_[i].count() > 0) latency[std::string(to_string(static_cast<Kind>(i)))] = latency_json(by_kind_[i]);
  Json wrong = Json::array();
  for (const auto& w : kept_)
    wrong.push_back({{"kind", to_string(w.kind)},
                     {"account", w.difference.account},
                     {"what", w.difference.what},
                     {"expected", w.difference.expected},
                     {"got", w.difference.got},
                     {"exchange_id", w.exchange_id}});
  Json summary{{"requests", requests_},
               {"duration_s", std::chrono::duration<double>(elapsed_).count()},
               {"rate", per_second(requests_, elapsed_)},
               {"errors", errors_},
               {"wrong_answers", wrong_answers_},
               {"refused", refusals_},
               {"errors_by_reason", errors_by_reason_},
               {"wrong", std::move(wrong)},
               {"accounts_touched", touched_},
               {"accounts_unknown", unknown_},
               {"latency_ms", std::move(latency)}};
  if (final_check.done) summary["final_check"] = {{"checked", final_check.checked}, {"unknown", final_check.unknown}};
  return summary.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string Report::live_line(std::chrono::nanoseconds since_start, std::chrono::nanoseconds interval) {
  const Json line{{"t", std::round(std::chrono::duration<double>(since_start).count() * 10) / 10},
                  {"rate", per_second(interval_requests_, interval)},
                  {"errors", interval_errors_},
                  {"wrong_answers", interval_wrong_},
                  {"p50_ms", interval_.quantile_ms(0.5)},
                  {"p99_ms", interval_.quantile_ms(0.99)},
                  {"total", {{"requests", requests_}, {"errors", errors_}, {"wrong_answers", wrong_answers_}}}};
  interval_.clear();
  interval_requests_ = interval_errors_ = interval_wrong_ = 0;
  return line.dump() + "\n";
}

bool replace_file(const std::string& path, const std::string& text) {
  const std::string temporary = path + ".tmp";
  {
    std::ofstream file(temporary, std::ios::binary | std::ios::trunc);
    if (!(file << text) || !file.flush()) return false;
  }
  return std::rename(temporary.c_str(), path.c_str()) == 0;
}

}  // namespace phoenix::traffic
