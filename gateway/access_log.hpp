// The access log: one JSON line for each sampled exchange and for each request that was refused before it became one.
// Lines are made on the event loops and written by one thread of its own, in batches, through a bounded queue: a slow
// or full disk costs lines, which are counted, and never a request. docs/operating.md describes the fields.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "core/runtime/bounded_queue.hpp"
#include "core/runtime/config_gateway.hpp"

namespace phoenix::gateway {

struct Exchange;

/// Whether an exchange is logged: the same answer for the same id on every gateway (XXH3-64 of the id, compared with
/// the share). Never when no path is configured.
[[nodiscard]] bool wants_access_line(const config::GatewayConfig::AccessLog& config, std::string_view exchange_id);

/// What an exchange that has ended says of itself, with the line feed. No header value, body or query is in it. Pure.
[[nodiscard]] std::string access_line(const Exchange& exchange, std::string_view slice_name);

/// A request that never became an exchange: `status` is the gateway's own answer. Method and path only as far as they
/// were understood. Pure.
[[nodiscard]] std::string refusal_line(const Exchange& exchange, std::string_view client_address, std::int64_t at_us,
                                       int status, std::string_view reason);

/// An open file that lines are appended to.
class AccessLogFile {
 public:
  /// "-" is standard output. Failure (invalid_input) names the key, the path and the reason.
  explicit AccessLogFile(const std::string& path);
  ~AccessLogFile();
  AccessLogFile(const AccessLogFile&) = delete;
  AccessLogFile& operator=(const AccessLogFile&) = delete;

  /// Waits until the file takes the bytes, or `patience` says no. Returns what was not written; 0: all of it.
  std::size_t append(std::string_view text, const std::function<bool()>& patience);
  [[nodiscard]] const std::string& path() const { return path_; }
  /// Of the latest append that failed.
  [[nodiscard]] const std::string& error() const { return error_; }

 private:
  const std::string path_;
  int descriptor_ = -1;
  bool regular_ = false;
  bool line_is_cut_ = false;
  std::string error_;
};
using AccessLogFilePtr = std::shared_ptr<AccessLogFile>;

class AccessLog {
 public:
  static constexpr std::size_t kMaxLines = 65'536;
  static constexpr std::size_t kMaxBytes = 32u << 20;

  AccessLog() : queue_(kMaxLines, kMaxBytes) {}
  ~AccessLog() { close(); }
  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;

  /// Null for an empty path. Throws as AccessLogFile does.
  static AccessLogFilePtr open(const std::string& path);
  /// From the next batch on lines go to `file`; null: nowhere. Not from an event loop, one caller at a time.
  void use(AccessLogFilePtr file);
  /// Opens the present path again, for a file that was renamed; one that cannot be opened leaves the old one in use.
  void reopen();
  /// Any thread; never waits. A full queue drops the line and counts it.
  void write(std::string line);
  /// Writes what is queued, waiting at most a second for a file that takes nothing. No write() afterwards.
  void close();
  [[nodiscard]] std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  void run();
  void write_batch(const std::string& text);
  [[nodiscard]] AccessLogFilePtr file() const;

  BoundedQueue<std::string> queue_;
  std::atomic<std::uint64_t> dropped_{0};
  mutable std::mutex file_mutex_;
  AccessLogFilePtr file_;
  bool failing_ = false;                        // told already; of the writing thread
  std::atomic<std::int64_t> give_up_at_ms_{0};  // steady clock; 0: not closing
  std::thread thread_;
};

}  // namespace phoenix::gateway
