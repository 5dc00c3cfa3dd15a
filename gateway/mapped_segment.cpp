#include "gateway/mapped_segment.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include "core/model/result.hpp"
#include "gateway/body_hash.hpp"

namespace phoenix::gateway {
namespace {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the format on disk is little-endian");
constexpr char kMagic[8] = {'P', 'H', 'X', 'L', 'O', 'G', '0', '2'};
constexpr char kEarlierMagic[8] = {'P', 'H', 'X', 'L', 'O', 'G', '0', '1'};  // checks do not know the number

[[noreturn]] void fail(ErrorCode code, const char* what, const std::string& path, int error) {
  throw Failure(code, fmt::format("cannot {} '{}': {}", what, path, std::strerror(error)));
}

}  // namespace

MappedSegment::MappedSegment(std::string path, std::uint32_t number, int fd, std::uint64_t bytes)
    : path_(std::move(path)), number_(number), salt_(number), bytes_(bytes) {
  void* at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  const int error = errno;
  ::close(fd);
  if (at == MAP_FAILED) fail(ErrorCode::unavailable, "map", path_, error);
  data_ = static_cast<char*>(at);
}

MappedSegment MappedSegment::create(const std::string& path, std::uint32_t number, std::uint64_t bytes) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) fail(ErrorCode::unavailable, "create", path, errno);
  // Real blocks: writing to a hole of a full disk would be a SIGBUS.
  if (const int error = ::posix_fallocate(fd, 0, static_cast<off_t>(bytes)); error != 0) {
    ::close(fd);
    ::unlink(path.c_str());
    fail(ErrorCode::unavailable, "allocate", path, error);
  }
  MappedSegment segment(path, number, fd, bytes);
  std::memcpy(segment.data_, kMagic, sizeof kMagic);
  return segment;
}

MappedSegment MappedSegment::open(const std::string& path, std::uint32_t number) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) fail(ErrorCode::unavailable, "open", path, errno);
  struct stat about {};
  if (::fstat(fd, &about) != 0 || about.st_size < static_cast<off_t>(kFirstRecord)) {
    ::close(fd);
    throw Failure(ErrorCode::invalid_input,
                  fmt::format("'{}' is no segment of a log: too short; move it away and start again", path));
  }
  MappedSegment segment(path, number, fd, static_cast<std::uint64_t>(about.st_size));
  constexpr char kNever[8] = {};
  const bool blank = std::memcmp(segment.data_, kNever, sizeof kNever) == 0;  // died while it was made
  if (blank) std::memcpy(segment.data_, kMagic, sizeof kMagic);
  const bool earlier = std::memcmp(segment.data_, kEarlierMagic, sizeof kEarlierMagic) == 0;
  if (earlier) segment.salt_ = 0;
  if (!earlier && std::memcmp(segment.data_, kMagic, sizeof kMagic) != 0)
    throw Failure(
        ErrorCode::invalid_input,
        fmt::format("'{}' is no segment of a log, or of another version; move it away and start again", path));
  segment.find_end();
  return segment;
}

MappedSegment::MappedSegment(MappedSegment&& other) noexcept
    : path_(std::move(other.path_)),
      number_(other.number_),
      salt_(other.salt_),
      data_(std::exchange(other.data_, nullptr)),
      bytes_(other.bytes_),
      end_(other.end_) {}

MappedSegment::~MappedSegment() {
  if (data_ != nullptr) ::munmap(data_, bytes_);
}

void MappedSegment::remove_file() const {
  ::unlink(path_.c_str());
}

bool MappedSegment::rename_file(const std::string& path) {
  if (::rename(path_.c_str(), path.c_str()) != 0) return false;
  path_ = path;
  return true;
}

void MappedSegment::prefault() const {
#ifdef MADV_POPULATE_WRITE
  ::madvise(data_, bytes_, MADV_POPULATE_WRITE);  // an older kernel does without
#endif
}

void MappedSegment::release_memory() const {
  ::madvise(data_, bytes_, MADV_DONTNEED);  // of a shared mapping nothing is lost
}

void MappedSegment::restart(std::uint32_t number) {
  number_ = salt_ = number;
  end_ = kFirstRecord;
  std::memcpy(data_, kMagic, sizeof kMagic);
  close_end();
}

std::uint32_t MappedSegment::check_of(std::string_view payload) const {
  return static_cast<std::uint32_t>(XXH3_64bits(payload.data(), payload.size())) ^ salt_;
}

void MappedSegment::close_end() {
  if (end_ + kFrame > bytes_) return;
  auto* length = reinterpret_cast<std::uint32_t*>(data_ + end_);
  std::atomic_ref<std::uint32_t>(*length).store(0, std::memory_order_relaxed);
}

std::uint64_t MappedSegment::commit_record(std::uint64_t payload) {
  const std::uint64_t at = end_;
  const std::uint32_t check = check_of({data_ + at + kFrame, payload});
  std::memcpy(data_ + at + 4, &check, sizeof check);
  end_ += framed(payload);
  close_end();
  // Whoever dies before this store leaves no record behind.
  auto* length = reinterpret_cast<std::uint32_t*>(data_ + at);
  std::atomic_ref<std::uint32_t>(*length).store(static_cast<std::uint32_t>(payload), std::memory_order_release);
  return at;
}

std::string_view MappedSegment::record_at(std::uint64_t offset) const {
  return offset < end_ ? framed_at(offset) : std::string_view();  // behind the end older records may stand
}

std::string_view MappedSegment::framed_at(std::uint64_t offset) const {
  if (offset < kFirstRecord || offset + kFrame > bytes_ || offset % 8 != 0) return {};
  auto* at = reinterpret_cast<std::uint32_t*>(data_ + offset);
  const std::uint32_t length = std::atomic_ref<std::uint32_t>(*at).load(std::memory_order_acquire);
  if (length == 0 || offset + framed(length) > bytes_) return {};
  return {data_ + offset + kFrame, length};
}

// Trusted up to the first record that is not whole: after a loss of power pages may be missing.
void MappedSegment::find_end() {
  while (true) {
    const std::string_view record = framed_at(end_);
    if (record.empty()) break;
    std::uint32_t check = 0;
    std::memcpy(&check, data_ + end_ + 4, sizeof check);
    if (check != check_of(record)) break;
    end_ += framed(record.size());
  }
  close_end();
}

}  // namespace phoenix::gateway
