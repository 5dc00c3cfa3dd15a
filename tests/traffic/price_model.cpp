#include "tests/traffic/price_model.hpp"

#include <array>
#include <cstdio>

#include "core/sim/bank.hpp"
#include "core/sim/exact_json.hpp"
#include "core/sim/seed_rules.hpp"

namespace phoenix::traffic {

namespace {

std::int64_t percentage(std::int64_t amount_minor, std::int64_t per_mille) {
  return (amount_minor * per_mille + 500) / 1'000;  // half a cent is rounded up
}

/// The floating-point bank prints its results with the C library's rules; so does its judge, whose amounts are doubles
/// nowhere else.
std::int64_t printed(double value) {
  std::array<char, 64> text{};
  const int length = std::snprintf(text.data(), text.size(), "%.2f", value);
  return hundredths_from_text({text.data(), static_cast<std::size_t>(length)}).value();
}

std::int64_t whole_per_cent_of_a_year(std::int64_t balance_minor, int days) {
  const std::int64_t per_year = 365 * 100;
  // The balance is split so that nothing passes 64 bits, however large it is.
  const std::int64_t weight = sim::kInterestPerCent * days;
  const std::int64_t rest = balance_minor % per_year * weight;
  return balance_minor / per_year * weight + (2 * rest + per_year) / (2 * per_year);
}

}  // namespace

std::optional<FeeModel> fee_model_from_string(std::string_view text) {
  if (text == "legacy-vip-fee") return FeeModel::legacy_vip_fee;
  if (text == "tariff") return FeeModel::tariff;
  if (text == "any") return FeeModel::any;
  if (text == "legacy-float") return FeeModel::legacy_float;
  if (text == "exact") return FeeModel::exact;
  return std::nullopt;
}

FeeRange right_fees(FeeModel model, const Operation& operation) {
  if (operation.kind != Kind::transfer) return {};
  const std::int64_t amount = operation.amount_minor;
  const std::int64_t full = percentage(amount, 25);
  const std::int64_t reduced = sim::seeded_tier(operation.account) == "vip" ? percentage(amount, 20) : full;
  switch (model) {
    case FeeModel::legacy_vip_fee:
      return {full, full};
    case FeeModel::tariff:
      return {reduced, reduced};
    case FeeModel::any:
      return {reduced, full};
    case FeeModel::legacy_float: {
      const std::int64_t fee = printed(static_cast<double>(amount) / 100.0 * 0.015);
      return {fee, fee};
    }
    case FeeModel::exact:
      return {percentage(amount, 15), percentage(amount, 15)};
  }
  return {};
}

std::int64_t right_interest(FeeModel model, std::int64_t balance_minor, int days) {
  if (balance_minor <= 0) return 0;
  if (model != FeeModel::legacy_float) return whole_per_cent_of_a_year(balance_minor, days);
  return printed(static_cast<double>(balance_minor) / 100.0 * 0.05 * days / 365.0);
}

}  // namespace phoenix::traffic
