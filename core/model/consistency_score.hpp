// The statistics behind "may the weight rise?" and "must it fall?". Pure functions of counts.
//
// Raise: an e-process for H0: p >= p0 (Waudby-Smith & Ramdas, arXiv 2010.09686). With s mismatches in n units
//   E = sum_k w_k (q_k/p0)^s ((1-q_k)/(1-p0))^(n-s),  q = {0, p0/10, p0/4, p0/2}, w = {.4, .3, .2, .1}.
// By Ville's inequality the chance of ever seeing E >= 1/alpha while p >= p0 is at most alpha, however often one looks.
// Trip: Page's CUSUM against p1 in {0.3 %, 1 %, 10 %, 50 %} with threshold ln(4 * ARL): for p <= p0 the mean number of
// units to a false trip is at least ARL.
#pragma once

#include <array>
#include <cstdint>

namespace phoenix {

struct EvidenceCounts {
  std::uint64_t units = 0;
  std::uint64_t mismatches = 0;
  friend bool operator==(const EvidenceCounts&, const EvidenceCounts&) = default;
};

/// ln E. p0 in (0, 1).
double log_e_value(EvidenceCounts counts, double p0);

/// Upper confidence bound of the mismatch rate at level 1 - alpha, valid at every look: sup{m : E(m) < 1/alpha}.
double mismatch_rate_upper(EvidenceCounts counts, double alpha);

/// Clean units still needed until E >= 1/alpha, if no further mismatch occurs; 0 when there already.
std::uint64_t clean_units_needed(EvidenceCounts counts, double p0, double alpha);

/// Detects a rise of the mismatch rate above p0, unit by unit.
class MismatchCusum {
 public:
  MismatchCusum(double p0, double average_run_length);
  /// Returns true once the threshold is reached; stays true until reset().
  bool add(bool mismatch);
  void reset();
  [[nodiscard]] bool tripped() const { return tripped_; }
  [[nodiscard]] double statistic() const;
  [[nodiscard]] double threshold() const { return threshold_; }
  /// For persisting: the four statistics.
  [[nodiscard]] const std::array<double, 4>& state() const { return w_; }
  void restore(const std::array<double, 4>& state);

 private:
  std::array<double, 4> w_{};
  std::array<double, 4> gain_on_mismatch_{};
  std::array<double, 4> loss_on_match_{};
  double threshold_;
  bool tripped_ = false;
};

}  // namespace phoenix
