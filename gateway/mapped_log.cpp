#include "gateway/mapped_log.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <utility>
#include <vector>

#include "core/model/result.hpp"
#include "gateway/mapped_segment.hpp"

namespace phoenix::gateway {
namespace {

constexpr std::string_view kSuffix = ".log";
constexpr std::string_view kUnfinished = ".next";
constexpr std::uint64_t kRetryNs = 200'000'000;
constexpr std::size_t kMostSpare = 2;  // what a batch that is delivered late frees at once

std::uint64_t now_ns() {
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}

std::string path_of(const std::string& directory, std::uint32_t number) {
  return fmt::format("{}/{:08x}{}", directory, number, kSuffix);
}

std::optional<std::uint32_t> number_of(const std::string& name) {
  if (name.size() != 8 + kSuffix.size() || !name.ends_with(kSuffix)) return std::nullopt;
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + 8, number, 16);
  if (error != std::errc() || end != name.data() + 8 || number == 0) return std::nullopt;
  return number;
}

LogPosition position(std::uint32_t segment, std::uint64_t offset) {
  return {(static_cast<std::uint64_t>(segment) << 32) | offset};
}

}  // namespace

MappedLog::MappedLog(Options options) : options_(std::move(options)) {
  load();
  if (current_) return;
  current_ = create(1, options_.segment_bytes);
  segments_.emplace(current_->number(), current_);
}

MappedLog::~MappedLog() {
  if (prepared_) prepared_->remove_file();
  remove_spare_locked();
}

void MappedLog::load() {
  std::error_code error;
  std::filesystem::create_directories(options_.directory, error);
  ::chmod(options_.directory.c_str(), 0700);  // requests stand in it as clients sent them
  std::vector<std::uint32_t> numbers;
  for (const auto& entry : std::filesystem::directory_iterator(options_.directory, error)) {
    if (const auto number = number_of(entry.path().filename().string())) numbers.push_back(*number);
    if (entry.path().extension() == kUnfinished) std::filesystem::remove(entry.path());
  }
  if (error)
    throw Failure(ErrorCode::invalid_input,
                  fmt::format("cannot use the directory '{}': {}", options_.directory, error.message()));
  std::sort(numbers.begin(), numbers.end());
  for (const std::uint32_t number : numbers) {
    const std::string path = path_of(options_.directory, number);
    if (std::filesystem::file_size(path, error) == 0) {  // died between creating and allocating it
      std::filesystem::remove(path, error);
      continue;
    }
    auto segment = std::make_shared<MappedSegment>(MappedSegment::open(path, number));
    bytes_ += segment->bytes();
    current_ = segment;
    segments_.emplace(number, std::move(segment));
  }
}

MappedLog::SegmentPtr MappedLog::create(std::uint32_t number, std::uint64_t bytes) {
  auto segment =
      std::make_shared<MappedSegment>(MappedSegment::create(path_of(options_.directory, number), number, bytes));
  bytes_ += bytes;
  return segment;
}

std::uint64_t MappedLog::most_for(Priority priority) const {
  constexpr std::uint64_t kReserve = 8ull << 20;
  const std::uint64_t reserve = std::min(kReserve, options_.most_bytes / 8);
  return priority == Priority::new_work ? options_.most_bytes - reserve : options_.most_bytes;
}

// An eighth of the log, at most 8 MiB, is kept for what follows up, and the second half of the last segment.
bool MappedLog::advance_locked(std::uint64_t record_bytes, Priority priority) {
  const std::uint64_t most = most_for(priority);
  const std::uint64_t keep = priority == Priority::new_work && !prepared_ ? current_->bytes() / 2 : 0;
  if (bytes_ > most && segments_.size() > 1) {
    problem_ = fmt::format("'{}' has reached its limit of {} bytes", options_.directory, options_.most_bytes);
    return false;
  }
  if (current_->room() >= record_bytes + keep) return true;
  if (!prepared_) prepared_ = take_spare_locked();
  if (!prepared_ || prepared_->bytes() < record_bytes + MappedSegment::kFirstRecord) {
    const std::uint64_t wanted =
        std::max(options_.segment_bytes, record_bytes + MappedSegment::kFirstRecord + MappedSegment::kFrame);
    const std::uint64_t now = now_ns();
    remove_spare_locked();  // too small for this one
    if (bytes_ + wanted > most) {
      problem_ = fmt::format("'{}' has reached its limit of {} bytes", options_.directory, options_.most_bytes);
    } else if (now >= retry_at_ns_) {
      try {
        if (prepared_) {
          prepared_->remove_file();
          bytes_ -= prepared_->bytes();
          prepared_.reset();
        }
        prepared_ = create(current_->number() + 1, wanted);
        problem_.clear();
      } catch (const Failure& failure) {
        problem_ = failure.what();
        retry_at_ns_ = now + kRetryNs;
      }
    }
  }
  if (current_->room() >= record_bytes + (prepared_ ? 0 : keep)) return true;
  if (!prepared_ || prepared_->bytes() < record_bytes + MappedSegment::kFirstRecord) return false;
  current_ = std::exchange(prepared_, nullptr);
  segments_.emplace(current_->number(), current_);
  return true;
}

LogPosition MappedLog::append(std::initializer_list<std::string_view> parts, Priority priority) {
  std::uint64_t payload = 0;
  for (const auto& part : parts) payload += part.size();
  if (payload == 0 || payload > kMaxRecordBytes) return {};
  const std::lock_guard lock(mutex_);
  if (!advance_locked(MappedSegment::framed(payload), priority)) return {};
  char* to = current_->begin_record();
  for (const auto& part : parts) {
    if (!part.empty()) std::memcpy(to, part.data(), part.size());
    to += part.size();
  }
  return position(current_->number(), current_->commit_record(payload));
}

LogRecordView MappedLog::read(LogPosition at) const {
  const std::lock_guard lock(mutex_);
  const auto found = segments_.find(at.segment());
  if (found == segments_.end()) return {};
  return {found->second->record_at(at.offset()), found->second};
}

std::optional<LogRecordView> MappedLog::next(LogPosition& at) const {
  const std::lock_guard lock(mutex_);
  for (auto it = segments_.lower_bound(at.segment()); it != segments_.end(); ++it) {
    const std::uint64_t offset = it->first == at.segment() ? at.offset() : MappedSegment::kFirstRecord;
    const std::string_view record = it->second->record_at(std::max(offset, MappedSegment::kFirstRecord));
    if (record.empty()) continue;
    at = position(it->first, std::max(offset, MappedSegment::kFirstRecord));
    return LogRecordView{record, it->second};
  }
  return std::nullopt;
}

LogPosition MappedLog::after(LogPosition at, std::size_t record_bytes) {
  return {at.value + MappedSegment::framed(record_bytes)};
}

void MappedLog::for_each(const std::function<void(LogPosition, std::string_view)>& visit) const {
  LogPosition at;
  while (const auto record = next(at)) {
    visit(at, record->bytes);
    at = after(at, record->bytes.size());
  }
}

LogPosition MappedLog::end() const {
  const std::lock_guard lock(mutex_);
  return position(current_->number(), current_->end());
}

void MappedLog::drop_segments_before(std::uint32_t segment) {
  std::vector<SegmentPtr> gone;
  {
    const std::lock_guard lock(mutex_);
    while (!segments_.empty() && segments_.begin()->first < segment && segments_.begin()->second != current_) {
      gone.push_back(std::move(segments_.begin()->second));
      segments_.erase(segments_.begin());
    }
  }
  for (const auto& old : gone) {
    if (keep_as_spare(old)) continue;
    old->remove_file();
    const std::lock_guard lock(mutex_);
    bytes_ -= old->bytes();
  }
}

// False when somebody reads `old`, which is in no list any more, or there are enough.
bool MappedLog::keep_as_spare(const SegmentPtr& old) {
  if (old.use_count() > 1 || old->bytes() != options_.segment_bytes) return false;
  { const SegmentPtr last = old; }  // giving up a reference orders what its readers did before what is written later
  if (!old->rename_file(path_of(options_.directory, old->number()).append(kUnfinished))) return false;
  const std::lock_guard lock(mutex_);
  if (spare_.size() >= kMostSpare) return false;
  spare_.push_back(old);
  return true;
}

// As the segment behind the present one; null when there is none.
MappedLog::SegmentPtr MappedLog::take_spare_locked() {
  if (spare_.empty()) return nullptr;
  SegmentPtr segment = std::move(spare_.back());
  spare_.pop_back();
  segment->restart(current_->number() + 1);
  if (segment->rename_file(path_of(options_.directory, segment->number()))) {
    problem_.clear();
    return segment;
  }
  segment->remove_file();
  bytes_ -= segment->bytes();
  return nullptr;
}

void MappedLog::remove_spare_locked() {
  for (const auto& segment : spare_) {
    segment->remove_file();
    bytes_ -= segment->bytes();
  }
  spare_.clear();
}

bool MappedLog::maintain() {
  prepare();
  return rest_when_idle();
}

void MappedLog::prepare() {
  std::uint32_t number = 0;
  {
    const std::lock_guard lock(mutex_);
    if (prepared_ || current_->room() > current_->bytes() / 2) return;
    prepared_ = take_spare_locked();
    if (prepared_ || bytes_ + options_.segment_bytes > most_for(Priority::new_work)) return;
    if (now_ns() < retry_at_ns_) return;
    number = current_->number() + 1;
  }
  SegmentPtr segment;
  std::string problem;
  try {
    // Under a name of its own: append() may make the same segment meanwhile.
    const std::string path = path_of(options_.directory, number).append(kUnfinished);
    segment = std::make_shared<MappedSegment>(MappedSegment::create(path, number, options_.segment_bytes));
    segment->prefault();
  } catch (const Failure& failure) {
    problem = failure.what();
  }
  const std::lock_guard lock(mutex_);
  problem_ = problem;
  if (!segment) {
    retry_at_ns_ = now_ns() + kRetryNs;
    return;
  }
  const bool wanted = !prepared_ && current_->number() + 1 == number;
  if (!wanted || !segment->rename_file(path_of(options_.directory, number))) {
    segment->remove_file();
    return;
  }
  bytes_ += segment->bytes();
  prepared_ = std::move(segment);
}

bool MappedLog::rest_when_idle() {
  const LogPosition now_at = end();
  const std::uint64_t now = now_ns();
  if (now_at != end_seen_) {
    end_seen_ = now_at;
    end_seen_ns_ = now;
    resting_ = false;
  }
  if (resting_ || std::chrono::nanoseconds(now - end_seen_ns_) < options_.rest_after) return false;
  resting_ = true;
  std::vector<SegmentPtr> all;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [number, segment] : segments_) all.push_back(segment);
    if (prepared_) all.push_back(prepared_);
    all.insert(all.end(), spare_.begin(), spare_.end());
  }
  for (const auto& segment : all) segment->release_memory();
  return true;
}

std::uint64_t MappedLog::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

std::string MappedLog::problem() const {
  const std::lock_guard lock(mutex_);
  return problem_;
}

std::uint32_t MappedLog::oldest_segment() const {
  const std::lock_guard lock(mutex_);
  return segments_.begin()->first;
}

}  // namespace phoenix::gateway
