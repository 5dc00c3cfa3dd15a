// What is stored of the causes and groups: text by name. Plain data, so that the core's header needs no more of them.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace phoenix::arbiter {

/// One row of arbiter.mismatch_groups.
struct GroupRow {
  std::string slice, route, cause, path;
  std::uint64_t mismatches = 0;
  std::int64_t first_us = 0, last_us = 0;  ///< event time
  std::string first_exchange, last_exchange;
  std::string sentence;  ///< for people
  std::string state;     ///< encode(MismatchGroup)
};

struct CauseChanges {
  std::map<std::string, std::string> state;  ///< name -> text
  std::vector<GroupRow> groups;
};

struct CauseState {
  std::map<std::string, std::string> state;
  std::vector<GroupRow> groups;
};

}  // namespace phoenix::arbiter
