// The legacy bank: one class, one schema, balances as NUMERIC in the account row, postings beside it. Amounts are held
// in whole cents, SQL text is converted digit by digit; how a flavour computes with them is its pricing's matter.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/sim/bank.hpp"
#include "core/sim/simulator.hpp"
#include "legacy_sims/pricing.hpp"

namespace phoenix::legacy_bank {

class AccountService final : public sim::Bank {
 public:
  /// Lays out the schema and seeds the accounts; throws Failure when the database cannot be used.
  AccountService(const Pricing& pricing, const sim::SimulatorOptions& options, sim::FaultProfile& faults);
  ~AccountService() override;

  sim::Answer open_account(const sim::OpenAccount& request, const std::string& exchange_id) override;
  sim::Answer deposit(std::int64_t account, std::int64_t amount_minor, const std::string& exchange_id) override;
  sim::Answer withdraw(std::int64_t account, std::int64_t amount_minor, const std::string& exchange_id) override;
  sim::Answer transfer(std::int64_t from_account, std::int64_t to_account, std::int64_t amount_minor,
                       const std::string& exchange_id) override;
  sim::Answer credit_interest(std::int64_t account, int days, const std::string& exchange_id) override;
  sim::Answer read_account(std::int64_t account) override;
  sim::Answer statement(std::int64_t account) override;
  void ping() override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// phoenix-legacy-sim, flavours vip-fee and float-rounding.
sim::SimulatorKind simulator_kind();

}  // namespace phoenix::legacy_bank
