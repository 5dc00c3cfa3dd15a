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
#include "core/sim/bank.hpp"

namespace phoenix::sim {

struct FaultSettings {
  std::chrono::milliseconds latency{0};  ///< before each request is worked on
  double error_rate = 0;                 ///< share of requests answered 503 with nothing applied
  bool hang = false;                     ///< never answer; nothing is applied
  bool reset = false;                    ///< reset the connection; nothing is applied
  std::uint64_t wrong_fee_every = 0;     ///< every n-th executed posting charges too much; 0: none
  std::int64_t wrong_fee_minor = 1;      ///< how much too much, in hundredths
  bool truncate = false;                 ///< fees and interest are cut to whole cents instead of rounded
  std::uint64_t duplicate_every = 0;     ///< every n-th executed posting is booked twice; 0: none
  std::uint64_t drop_every = 0;          ///< every n-th executed posting is answered as ever, and not booked; 0: none
  std::uint64_t silence_every = 0;       ///< every n-th write that was carried out is never answered; 0: none
  int year_days = kYearDays;             ///< days of a year of interest: 360, 365 or 366
  bool bug_compatible = false;           ///< modern: compute fees and interest as legacy does
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
  [[nodiscard]] Arithmetic arithmetic() const {
    return {rounding_.load(std::memory_order_relaxed), year_days_.load(std::memory_order_relaxed)};
  }

  /// Decides for one request, after waiting for the configured latency.
  RequestFault before_request();

  struct PostingFaults {
    std::int64_t extra_fee_minor = 0;  ///< what to charge too much
    bool duplicate = false;            ///< book it twice
    bool drop = false;                 ///< do not book it
  };
  /// Counts one posting at its execution; returns what is to befall it (nothing mostly).
  PostingFaults count_posting();
  /// What really befell the exchange: called once its transaction has committed.
  void record_wrong_fee(const std::string& exchange_id);
  void record_duplicate(const std::string& exchange_id);
  void record_drop(const std::string& exchange_id);
  /// Counts one write that was carried out; true: its caller is to wait in vain. It is listed then.
  bool silence(const std::string& exchange_id);
  [[nodiscard]] std::string wrong_fees_json() const;
  [[nodiscard]] std::string duplicates_json() const;
  [[nodiscard]] std::string drops_json() const;
  [[nodiscard]] std::string silences_json() const;

 private:
  const bool knows_bug_compatible_;
  mutable std::mutex mutex_;
  FaultSettings settings_;
  std::vector<std::string> wrong_fees_;
  std::vector<std::string> duplicates_;
  std::vector<std::string> drops_;
  std::vector<std::string> silences_;
  std::uint64_t postings_ = 0;            // since wrong_fee_every was set
  std::uint64_t duplicate_postings_ = 0;  // since duplicate_every was set
  std::uint64_t drop_postings_ = 0;       // since drop_every was set
  std::uint64_t writes_ = 0;              // since silence_every was set
  std::uint64_t requests_ = 0;
  std::atomic<bool> bug_compatible_;
  std::atomic<Rounding> rounding_ = Rounding::nearest;
  std::atomic<int> year_days_ = kYearDays;
};

/// The turn of one request at the faults that befall postings. A transaction that is retried keeps its turn, so that
/// retries neither skip nor repeat a count. One thread.
class PostingTurn {
 public:
  explicit PostingTurn(FaultProfile& faults) : faults_(faults) {}

  /// What this posting is charged too much: nothing where `spare_minor`, the balance left after it, would not cover
  /// that.
  std::int64_t extra_minor(std::int64_t spare_minor);
  /// Whether it is booked a second time: not where the bank would refuse the second booking (`possible` false).
  bool duplicate(bool possible);
  /// Whether it is not booked at all; then it is not booked twice either.
  bool drop();
  /// Once the posting is answered: records what befell it, when it was executed (`status` 201).
  void answered(int status, const std::string& exchange_id);

 private:
  void take();

  FaultProfile& faults_;
  FaultProfile::PostingFaults given_;
  bool taken_ = false;
  bool charged_ = false;
  bool duplicated_ = false;
  bool dropped_ = false;
};

}  // namespace phoenix::sim
