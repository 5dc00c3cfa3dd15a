#include "core/model/consistency_score.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace phoenix {
namespace {

// Alternatives q_k as fractions of p0, and their prior weights.
constexpr std::array<double, 4> kFractions{0.0, 0.1, 0.25, 0.5};
constexpr std::array<double, 4> kWeights{0.4, 0.3, 0.2, 0.1};
constexpr std::array<double, 4> kTripRates{0.003, 0.01, 0.1, 0.5};

double log_sum_exp(const std::array<double, 4>& terms) {
  const double largest = *std::max_element(terms.begin(), terms.end());
  if (!std::isfinite(largest)) return largest;
  double sum = 0;
  for (const double term : terms) sum += std::exp(term - largest);
  return largest + std::log(sum);
}

}  // namespace

double log_e_value(EvidenceCounts counts, double p0) {
  const auto misses = static_cast<double>(counts.mismatches);
  const auto clean = static_cast<double>(counts.units - counts.mismatches);
  std::array<double, 4> terms{};
  for (std::size_t k = 0; k < terms.size(); ++k) {
    const double q = kFractions[k] * p0;
    const double miss_term = counts.mismatches == 0 ? 0.0
                             : q == 0.0             ? -std::numeric_limits<double>::infinity()
                                                    : misses * std::log(kFractions[k]);
    terms[k] = std::log(kWeights[k]) + miss_term + clean * (std::log1p(-q) - std::log1p(-p0));
  }
  return log_sum_exp(terms);
}

double mismatch_rate_upper(EvidenceCounts counts, double alpha) {
  const double needed = -std::log(alpha);
  double low = 0.0;
  double high = 1.0;
  if (counts.units == 0) return 1.0;
  // E grows with p0 above the observed rate, so bisection finds where it reaches 1/alpha.
  low = static_cast<double>(counts.mismatches) / static_cast<double>(counts.units);
  if (log_e_value(counts, 1.0 - 1e-12) < needed) return 1.0;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    if (middle > 0 && log_e_value(counts, std::min(middle, 1.0 - 1e-12)) >= needed) {
      high = middle;
    } else {
      low = middle;
    }
  }
  return high;
}

std::uint64_t clean_units_needed(EvidenceCounts counts, double p0, double alpha) {
  const double needed = -std::log(alpha);
  const auto enough = [&](std::uint64_t extra) {
    return log_e_value({counts.units + extra, counts.mismatches}, p0) >= needed;
  };
  if (enough(0)) return 0;
  std::uint64_t high = 1;
  while (!enough(high)) high *= 2;
  std::uint64_t low = high / 2;
  while (low + 1 < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    (enough(middle) ? high : low) = middle;
  }
  return high;
}

MismatchCusum::MismatchCusum(double p0, double average_run_length) : threshold_(std::log(4 * average_run_length)) {
  for (std::size_t k = 0; k < kTripRates.size(); ++k) {
    const double p1 = kTripRates[k];
    if (p1 <= p0) continue;  // not an alternative to this p0: its gains stay zero
    gain_on_mismatch_[k] = std::log(p1 / p0);
    loss_on_match_[k] = std::log1p(-p1) - std::log1p(-p0);
  }
}

bool MismatchCusum::add(bool mismatch) {
  for (std::size_t k = 0; k < w_.size(); ++k) {
    w_[k] = std::max(0.0, w_[k] + (mismatch ? gain_on_mismatch_[k] : loss_on_match_[k]));
    if (w_[k] >= threshold_) tripped_ = true;
  }
  return tripped_;
}

void MismatchCusum::reset() {
  w_ = {};
  tripped_ = false;
}

double MismatchCusum::statistic() const {
  return *std::max_element(w_.begin(), w_.end());
}

void MismatchCusum::restore(const std::array<double, 4>& state) {
  w_ = state;
  tripped_ = statistic() >= threshold_;
}

}  // namespace phoenix
