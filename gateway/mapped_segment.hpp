// One file of a MappedLog.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace phoenix::gateway {

/// Written by one thread at a time; records that were written may be read from any.
class MappedSegment {
 public:
  /// A new file of `bytes`, allocated in full. Throws Failure (`unavailable`) naming the file when the disk is full.
  static MappedSegment create(const std::string& path, std::uint32_t number, std::uint64_t bytes);
  /// A file that is there; where its records end is found by reading them.
  static MappedSegment open(const std::string& path, std::uint32_t number);
  MappedSegment(MappedSegment&& other) noexcept;
  MappedSegment& operator=(MappedSegment&&) = delete;
  ~MappedSegment();

  /// Of a record of `payload` bytes, with its frame.
  static constexpr std::uint64_t framed(std::uint64_t payload) { return (payload + kFrame + 7) & ~std::uint64_t{7}; }
  [[nodiscard]] std::uint64_t room() const { return bytes_ - end_; }
  /// Where a record of `payload` bytes may be built; commit() makes it one. There must be room.
  [[nodiscard]] char* begin_record() { return data_ + end_ + kFrame; }
  std::uint64_t commit_record(std::uint64_t payload);
  /// Empty when no whole record begins at `offset`.
  [[nodiscard]] std::string_view record_at(std::uint64_t offset) const;
  /// Removes the file; the mapping stays until the object goes.
  void remove_file() const;
  bool rename_file(const std::string& path);
  /// Empties it and makes it segment `number`: pages that are there need not be cleared again, which costs more than
  /// what is written to them. Nobody may read it any more.
  void restart(std::uint32_t number);
  /// Touches every page, so that the first write to each costs nothing. Not on an I/O thread.
  void prefault() const;
  /// Gives the memory back; the pages stay in the page cache, from where the next access takes them. Any thread.
  void release_memory() const;

  [[nodiscard]] std::uint32_t number() const { return number_; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  [[nodiscard]] std::uint64_t end() const { return end_; }

  static constexpr std::uint64_t kFrame = 8;
  static constexpr std::uint64_t kFirstRecord = 8;  // behind the magic

 private:
  MappedSegment(std::string path, std::uint32_t number, int fd, std::uint64_t bytes);
  void find_end();
  [[nodiscard]] std::string_view framed_at(std::uint64_t offset) const;
  /// Ends the records at end_, where older bytes may stand.
  void close_end();
  /// Of a record's bytes in this segment: those of an earlier number in the same file are none.
  [[nodiscard]] std::uint32_t check_of(std::string_view payload) const;

  std::string path_;
  std::uint32_t number_;
  std::uint32_t salt_;  ///< of the checks: the number; 0 in files of an earlier release
  char* data_ = nullptr;
  std::uint64_t bytes_;
  std::uint64_t end_ = kFirstRecord;
};

}  // namespace phoenix::gateway
