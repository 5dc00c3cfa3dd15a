// What the client saw, counted as it happens, and how it is told: a table for people, JSON for scripts, a live line.
// One thread.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/traffic/answer_check.hpp"
#include "tests/traffic/latency_histogram.hpp"
#include "tests/traffic/workload.hpp"

namespace phoenix::traffic {

struct WrongAnswer {
  Kind kind = Kind::read;
  std::string exchange_id;  ///< of the response; empty without a gateway
  Difference difference;
};

struct FinalCheck {
  bool done = false;
  std::uint64_t checked = 0;
  std::uint64_t unknown = 0;  ///< left out: a write with unknown outcome was never read again
};

class Report {
 public:
  static constexpr std::size_t kKeptWrongAnswers = 10;

  void answered(Kind kind, int status, std::chrono::nanoseconds latency);
  /// No answer, or 5xx; `reason` is one of few words, for counting.
  void error(const std::string& reason);
  void wrong_answer(WrongAnswer wrong);
  void set_elapsed(std::chrono::nanoseconds elapsed) { elapsed_ = elapsed; }
  void set_accounts(std::uint64_t touched, std::uint64_t unknown) { touched_ = touched, unknown_ = unknown; }
  FinalCheck final_check;

  [[nodiscard]] std::uint64_t requests() const { return requests_; }
  [[nodiscard]] std::uint64_t errors() const { return errors_; }
  [[nodiscard]] std::uint64_t wrong_answers() const { return wrong_answers_; }
  [[nodiscard]] const std::vector<WrongAnswer>& kept_wrong_answers() const { return kept_; }
  /// Something was asked, everything was answered, and rightly.
  [[nodiscard]] bool clean() const { return requests_ > 0 && errors_ == 0 && wrong_answers_ == 0; }

  [[nodiscard]] std::string table() const;
  [[nodiscard]] std::string json() const;
  /// The last interval and the totals, one line; starts the next interval.
  std::string live_line(std::chrono::nanoseconds since_start, std::chrono::nanoseconds interval);

 private:
  std::array<LatencyHistogram, kKinds> by_kind_;
  LatencyHistogram all_;
  std::map<std::string, std::uint64_t> errors_by_reason_;
  std::uint64_t requests_ = 0, errors_ = 0, wrong_answers_ = 0, refusals_ = 0;
  std::vector<WrongAnswer> kept_;
  std::chrono::nanoseconds elapsed_{0};
  std::uint64_t touched_ = 0, unknown_ = 0;

  LatencyHistogram interval_;
  std::uint64_t interval_errors_ = 0, interval_wrong_ = 0, interval_requests_ = 0;
};

/// Replaces the file as a whole, so that a reader never sees half of it; false when it cannot be written.
bool replace_file(const std::string& path, const std::string& text);

}  // namespace phoenix::traffic
