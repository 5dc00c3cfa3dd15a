// The faults that a simulator can be told to show, at run time and from any thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/result.hpp"

namespace phoenix::sim {

struct FaultSettings {
  std::chrono::milliseconds latency{0};  ///< before each request is worked on
  double error_rate = 0;                 ///< share of requests answered 503 with nothing applied
  bool hang = false;                     ///< never answer; nothing is applied
  bool reset = false;                    ///< reset the connection; nothing is applied
  std::uint64_t wrong_fee_every = 0;     ///< every n-th executed posting charges too much; 0: none
  std::int64_t wrong_fee_minor = 1;      ///< how much too much, in hundredths
  bool bug_compatible = false;           ///< modern: charge fees as legacy does
};

/// What befalls a request before it is worked on.
enum class RequestFault { none, error, hang, reset };

class FaultProfile {
 public:
  /// `knows_bug_compatible` false: the key is refused, since this simulator has no such mode.
  FaultProfile(bool knows_bug_compatible, bool bug_compatible);

  /// Applies {"latency":"200ms","error_rate":0.01,…}; absent keys keep their value, unknown ones are an error and
  /// nothing changes.
  Result<void> update(std::string_view json);
  [[nodiscard]] std::string to_json() const;
  [[nodiscard]] FaultSettings settings() const;
  [[nodiscard]] bool bug_compatible() const { return bug_compatible_.load(std::memory_order_relaxed); }

  /// Decides for one request, after waiting for the configured latency.
  RequestFault before_request();

  /// Counts one posting at its execution; returns what to charge too much (0 mostly).
  std::int64_t count_posting();
  /// The exchange really was charged too much: called once its transaction has committed.
  void record_wrong_fee(const std::string& exchange_id);
  [[nodiscard]] std::string wrong_fees_json() const;

 private:
  const bool knows_bug_compatible_;
  mutable std::mutex mutex_;
  FaultSettings settings_;
  std::vector<std::string> wrong_fees_;
  std::uint64_t postings_ = 0;  // since wrong_fee_every was set
  std::uint64_t requests_ = 0;
  std::atomic<bool> bug_compatible_;
};

/// The turn of one request at the wrong-fee fault. A transaction that is retried keeps its turn, so that retries
/// neither skip nor repeat a count. One thread.
class WrongFeeTurn {
 public:
  explicit WrongFeeTurn(FaultProfile& faults) : faults_(faults) {}

  /// What this posting is charged too much: nothing where `spare_minor`, the balance left after it, would not cover
  /// that.
  std::int64_t extra_minor(std::int64_t spare_minor);
  /// Once the posting is answered: records it when it was executed (`status` 201) and charged too much.
  void answered(int status, const std::string& exchange_id);

 private:
  FaultProfile& faults_;
  bool taken_ = false;
  bool applied_ = false;
  std::int64_t extra_minor_ = 0;
};

}  // namespace phoenix::sim
