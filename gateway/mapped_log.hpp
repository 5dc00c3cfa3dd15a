// An append-only log in memory-mapped files. What was appended survives the death of the process at any instant, for it
// stands in the page cache; it does not survive a loss of power, after which a torn end is recognised and left out.
//
// A directory of segment files, each allocated in full before it is used, so that a full disk is an answer of append()
// and never a signal. A record: its length, and the low half of XXH3-64 of its bytes xor the segment's number (4 bytes
// each, little-endian), the bytes, up to 7 more to a multiple of 8. The length is stored last; 0 ends a segment. A
// segment that is dropped becomes the next one, so what stands behind the 0 may be older records.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace phoenix::gateway {

/// Where a record stands: segment number and offset. Later records have larger positions, for ever.
struct LogPosition {
  std::uint64_t value = 0;  // 0: nowhere
  [[nodiscard]] std::uint32_t segment() const { return static_cast<std::uint32_t>(value >> 32); }
  [[nodiscard]] std::uint32_t offset() const { return static_cast<std::uint32_t>(value); }
  explicit operator bool() const { return value != 0; }
  friend auto operator<=>(const LogPosition&, const LogPosition&) = default;
};

class MappedSegment;

/// A record's bytes, and what keeps them mapped.
struct LogRecordView {
  std::string_view bytes;
  std::shared_ptr<const MappedSegment> held;
};

/// Thread-safe. append() takes one uncontended lock and copies; it makes a system call only when a segment is full and
/// maintain() has not prepared the next one.
class MappedLog {
 public:
  struct Options {
    std::string directory;
    std::uint64_t segment_bytes = 4ull << 20;
    std::uint64_t most_bytes = 4ull << 30;        // of segments on disk; append() fails beyond
    std::chrono::milliseconds rest_after{2'000};  // without a record; the event log's cache goes after one second
  };
  /// How much of the room a record may use. What follows up a record that stands in the log already must find room
  /// when new ones do not.
  enum class Priority { new_work, follow_up };

  /// Opens what is there, or creates the directory. Throws Failure naming what cannot be used.
  explicit MappedLog(Options options);
  ~MappedLog();
  MappedLog(const MappedLog&) = delete;
  MappedLog& operator=(const MappedLog&) = delete;

  /// Nowhere when there is no room (bound reached, disk full) or the record exceeds kMaxRecordBytes. `parts` are
  /// joined.
  LogPosition append(std::initializer_list<std::string_view> parts, Priority priority = Priority::follow_up);
  /// Empty where no record stands (dropped, or never written).
  [[nodiscard]] LogRecordView read(LogPosition at) const;
  /// The record at `at` or the next one behind it, in `at`; nullopt at the end.
  std::optional<LogRecordView> next(LogPosition& at) const;
  /// One past `at`, for next().
  static LogPosition after(LogPosition at, std::size_t record_bytes);
  /// All records from the oldest on, as they stand now.
  void for_each(const std::function<void(LogPosition, std::string_view)>& visit) const;
  /// Where the next record will stand at the earliest.
  [[nodiscard]] LogPosition end() const;

  /// Forgets whole segments below `segment`, but never the one that is written to. Removes files: not on an I/O thread.
  void drop_segments_before(std::uint32_t segment);
  /// Prepares the next segment where the present one is half full, and gives memory back when nothing was appended for
  /// a while: then it returns true, once. Allocates files: not on an I/O thread. By one thread at a time.
  bool maintain();
  /// On disk, with what is prepared.
  [[nodiscard]] std::uint64_t bytes() const;
  /// Why the latest attempt to get a segment failed; empty when it worked.
  [[nodiscard]] std::string problem() const;
  [[nodiscard]] std::uint32_t oldest_segment() const;

  static constexpr std::uint64_t kMaxRecordBytes = 1ull << 30;

 private:
  using SegmentPtr = std::shared_ptr<MappedSegment>;
  void load();
  SegmentPtr create(std::uint32_t number, std::uint64_t bytes);
  [[nodiscard]] std::uint64_t most_for(Priority priority) const;
  bool advance_locked(std::uint64_t record_bytes, Priority priority);
  bool keep_as_spare(const SegmentPtr& old);
  SegmentPtr take_spare_locked();
  void remove_spare_locked();
  void prepare();
  bool rest_when_idle();

  const Options options_;
  mutable std::mutex mutex_;
  std::map<std::uint32_t, SegmentPtr> segments_;
  SegmentPtr current_;             // the newest of segments_
  SegmentPtr prepared_;            // not in segments_ yet
  std::vector<SegmentPtr> spare_;  // dropped ones, to be used again
  std::uint64_t bytes_ = 0;
  std::uint64_t retry_at_ns_ = 0;  // after a failure, so that a full disk does not cost a system call per record
  std::string problem_;
  LogPosition end_seen_;           // by the latest maintain(), as are the next two
  std::uint64_t end_seen_ns_ = 0;  // when it was seen first
  bool resting_ = false;
};

}  // namespace phoenix::gateway
