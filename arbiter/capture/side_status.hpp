// What the threads of one side tell the admin server.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "arbiter/capture/lsn.hpp"

namespace phoenix::capture {

struct SideState {
  bool streaming = false;
  std::string problem = "starting";  ///< why nothing is read; empty: it is
  std::string slot_problem;          ///< what is wrong with the slot although it is read; empty: nothing
  bool log_blocked = false;          ///< reading waits for the event log
  Lsn confirmed = 0;
  std::int64_t unconfirmed_commit_us = 0;  ///< commit of the oldest transaction read but not confirmed; 0: none
  std::uint64_t transactions = 0;          ///< with changes of captured tables
  std::uint64_t foreign_transactions = 0;
  std::uint64_t malformed_messages = 0;
  std::uint64_t values_left_out = 0;
  std::uint64_t gaps = 0;
  std::uint64_t reconnects = 0;
  std::uint64_t markers = 0;   ///< published
  std::string marker_problem;  ///< why no markers are written; empty: they are, or are not wanted
  std::map<std::pair<std::string, char>, std::uint64_t> records;  ///< by schema.table and op; accepted by the log
  struct Lag {
    std::uint64_t bytes = 0;     ///< from the confirmed position to the end of the log
    double seconds = 0;          ///< age of the oldest log that is not confirmed
    std::uint64_t retained = 0;  ///< bytes that Postgres keeps because of the slot
  };
  std::optional<Lag> lag;  ///< none: not known
};

/// Any thread.
class SideStatus {
 public:
  [[nodiscard]] SideState get() const {
    const std::lock_guard lock(mutex_);
    return state_;
  }
  template <class Change>
  void update(const Change& change) {
    const std::lock_guard lock(mutex_);
    change(state_);
  }

 private:
  mutable std::mutex mutex_;
  SideState state_;
};

}  // namespace phoenix::capture
