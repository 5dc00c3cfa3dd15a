// What the log says about accounts, for a sweep that runs beside the consumer: questions wait here until the consumer's
// thread, which owns the state, answers them.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "arbiter/decision_core.hpp"
#include "arbiter/sweep_compare.hpp"

namespace phoenix::arbiter {

/// Any thread.
class TouchedKeys {
 public:
  virtual ~TouchedKeys() = default;
  /// Facts about these accounts as of now; nothing when there was no answer within `timeout`.
  virtual std::optional<StreamFacts> ask(const std::vector<std::string>& keys, std::chrono::milliseconds timeout) = 0;
  /// Up to `most` accounts of which records were lost.
  virtual std::optional<std::vector<std::string>> unknown_keys(std::size_t most, std::chrono::milliseconds timeout) = 0;
};

/// Asked by one thread, answered by the consumer's.
class CoreFacts : public TouchedKeys {
 public:
  std::optional<StreamFacts> ask(const std::vector<std::string>& keys, std::chrono::milliseconds timeout) override;
  std::optional<std::vector<std::string>> unknown_keys(std::size_t most, std::chrono::milliseconds timeout) override;
  /// Answers what is asked, if anything. The thread that applies records to `core`.
  void serve(const DecisionCore& core);
  /// Who asks now, or later, gets nothing at once.
  void stop();

 private:
  bool wait_for_answer(std::unique_lock<std::mutex>& lock, std::chrono::milliseconds timeout);

  std::mutex mutex_;
  std::condition_variable answered_;
  bool stopped_ = false;
  std::optional<std::vector<std::string>> keys_asked_;
  std::optional<std::size_t> unknown_asked_;
  std::optional<StreamFacts> facts_;
  std::optional<std::vector<std::string>> unknown_;
};

}  // namespace phoenix::arbiter
