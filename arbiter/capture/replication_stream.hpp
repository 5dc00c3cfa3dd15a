// A running START_REPLICATION: frames in, status out. One thread.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "arbiter/capture/pg_connection.hpp"

namespace phoenix::capture {

class ReplicationStream {
 public:
  /// Connects and starts where the slot stands. Throws Failure with one line.
  ReplicationStream(const std::string& url, const std::string& slot, const std::string& publication);

  /// The next frame if one is there; valid until the next call. Does not wait. Throws Failure when the stream ended.
  std::optional<std::string_view> next();
  /// Throws Failure when it cannot be sent.
  void send(const std::string& status);
  /// Waits until something arrives, `wake_fd` is readable or the time is over.
  void wait(std::chrono::milliseconds timeout, int wake_fd);
  /// Identifies the cluster and its history, as IDENTIFY_SYSTEM tells them: "system identifier/timeline".
  [[nodiscard]] const std::string& cluster() const { return cluster_; }
  [[nodiscard]] std::string database() const { return connection_.database(); }

 private:
  [[noreturn]] void fail();

  PgConnection connection_;
  std::string cluster_;
  std::unique_ptr<char, decltype(&PQfreemem)> frame_{nullptr, PQfreemem};
};

}  // namespace phoenix::capture
