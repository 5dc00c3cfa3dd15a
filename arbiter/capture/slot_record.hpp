// What one side's capturing must remember across restarts, in a small file: which slot of which cluster was read, how
// far it was confirmed, how the tables looked and where the records went. What differs at the next start is a gap.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "arbiter/capture/lsn.hpp"

namespace phoenix::capture {

struct SlotRecord {
  std::string slot;
  std::string cluster;  ///< system identifier and timeline, as IDENTIFY_SYSTEM tells them
  std::string database;
  std::string destination;                    ///< topic, partition and number of partitions
  Lsn confirmed = 0;                          ///< Postgres was never told more than this
  std::map<std::string, std::string> shapes;  ///< by schema.table

  friend bool operator==(const SlotRecord&, const SlotRecord&) = default;
};

/// Why what is known from before does not carry on to `now`; empty: it does. Does not look at `confirmed` and `shapes`:
/// those are compared with the stream. Pure.
std::string difference(const SlotRecord& before, const SlotRecord& now);

class SlotRecordFile {
 public:
  /// `directory` is created when it is missing. Throws Failure(unavailable) when that fails.
  SlotRecordFile(const std::string& directory, const std::string& side);

  /// nullopt: there is none, or it cannot be read (a crash of the machine): nothing is known of before.
  [[nodiscard]] std::optional<SlotRecord> load() const;
  /// Replaces the file as a whole; survives SIGKILL, and after power loss it may be an older one, which errs towards a
  /// gap. Throws Failure(unavailable).
  void save(const SlotRecord& record);
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
  std::optional<SlotRecord> saved_;
};

}  // namespace phoenix::capture
