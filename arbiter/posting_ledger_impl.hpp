// The ledger's own types. Internal to posting_*.cpp.
#pragma once

#include "arbiter/posting_ledger.hpp"

namespace phoenix::arbiter {

/// What an exchange posted, over all its accounts.
struct PostingLedger::Touched {
  /// Of the worst account; in rising order.
  enum class Ledgers : std::uint8_t { nothing, equal, idle, inexact, lacking, unequal, duplicate };
  Ledgers ledgers = Ledgers::nothing;
  std::array<bool, 2> lacking{};  ///< by side: another side's posting has no counterpart here
  std::array<bool, 2> idle{};     ///< the same of postings that left the balance as it was
  bool complete = true;           ///< no more rows of the same transactions are to come
  bool trusted = true;
  bool may_close = false;  ///< a break that the next marker of its side may find closed
  std::string detail;
};

struct PostingLedger::Assessment {
  enum class State : std::uint8_t { open, waiting, decided };
  State state = State::open;
  Verdict verdict = Verdict::unknown;
  std::string detail;
  bool confirmed = false;
  bool late = false;
  bool from_balances = false;
  std::int64_t again_us = 0;  ///< event time; 0: an event will tell

  [[nodiscard]] bool open() const { return state == State::open; }
  void wait() { state = State::waiting; }
  /// Until then nothing is decided; afterwards `unknown`.
  void wait_until(std::int64_t event_time_us, const Moment& now, const std::string& otherwise = "") {
    if (now.event_time_us >= event_time_us) return decide(Verdict::unknown, otherwise);
    again_us = event_time_us;
    state = State::waiting;
  }
  void decide(Verdict of, const std::string& why, bool proven = false) {
    state = State::decided;
    verdict = of;
    detail = why;
    confirmed = confirmed || proven;
  }
};

}  // namespace phoenix::arbiter
