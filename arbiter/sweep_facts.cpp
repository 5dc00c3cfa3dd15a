#include "arbiter/sweep_facts.hpp"

#include "arbiter/sweep_judge.hpp"
#include "core/model/business_key.hpp"

namespace phoenix::arbiter {
namespace {

KeyFacts facts_of(const DecisionCore& core, const AccountState& account) {
  KeyFacts facts;
  // A stream tells balances only with changes: what was merely read is not known from it.
  facts.seen = core.reads_streams() ? account.postings.known() : account.last_completed_us > 0;
  facts.touched_us = account.last_completed_us;
  facts.unknown = core.is_unknown(account);
  facts.open = has_open_ends(account) && !facts.unknown;
  facts.known_to_differ = account.gap != 0 || !account.differs_since.empty();
  facts.gap = Decimal::from_minor(account.gap, account.scale);
  return facts;
}

}  // namespace

bool CoreFacts::wait_for_answer(std::unique_lock<std::mutex>& lock, std::chrono::milliseconds timeout) {
  return answered_.wait_for(lock, timeout, [this] { return stopped_ || facts_ || unknown_; }) && !stopped_;
}

std::optional<StreamFacts> CoreFacts::ask(const std::vector<std::string>& keys, std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  facts_.reset();
  keys_asked_ = keys;
  const bool came = wait_for_answer(lock, timeout);
  keys_asked_.reset();
  return came ? std::exchange(facts_, std::nullopt) : std::nullopt;
}

std::optional<std::vector<std::string>> CoreFacts::unknown_keys(std::size_t most, std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  unknown_.reset();
  unknown_asked_ = most;
  const bool came = wait_for_answer(lock, timeout);
  unknown_asked_.reset();
  return came ? std::exchange(unknown_, std::nullopt) : std::nullopt;
}

void CoreFacts::serve(const DecisionCore& core) {
  const std::lock_guard lock(mutex_);
  if (keys_asked_) {
    facts_.emplace();
    facts_->settled_until_us = core.settled_until_us();
    if (const auto* any = core.find_account(std::string(kUnknownKey)))
      facts_->any_key_touched_us = any->last_completed_us;
    for (const auto& key : *keys_asked_) {
      const auto* account = core.find_account(key);
      if (account == nullptr) continue;
      KeyFacts& facts = facts_->keys[key] = facts_of(core, *account);
      facts.open = facts.open || core.waits_on(key);
    }
    keys_asked_.reset();
  }
  if (unknown_asked_) {
    unknown_ = core.unknown_accounts(*unknown_asked_);
    unknown_asked_.reset();
  }
  if (facts_ || unknown_) answered_.notify_all();
}

void CoreFacts::stop() {
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  answered_.notify_all();
}

}  // namespace phoenix::arbiter
