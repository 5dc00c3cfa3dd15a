// The rules file of `arbiter.accepted_changes`: read, checked, watched, and published to the partitions whose active
// rules are others. A file that cannot be used is refused with its line; the rules that are active stay.
#pragma once

#include <sys/stat.h>

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "arbiter/accepted_changes.hpp"
#include "core/runtime/config.hpp"

namespace phoenix::arbiter {

/// Text of the file; `not_found`, or `limit` when it is longer than AcceptedChanges::kMaxTextBytes.
Result<std::string> read_rules_file(const std::string& path);

/// Why the text cannot become the rules of this configuration (`rules.lua:12: …`), or nothing: it does not parse, names
/// a route that does not exist, or is not UTF-8.
std::optional<std::string> check_rules(const std::string& text, const std::string& name, const config::Config& config);

/// What `--check-config` checks: throws Failure when the configured file cannot be used. Nothing without one.
void check_rules_file(const config::Config& config);

/// One thread: the consumer's.
class AcceptedRulesPublisher {
 public:
  /// Queues a record for a partition of `db-state-updates`; false when it could not.
  using Publish = std::function<bool(int partition, const std::string& key, const std::string& value)>;

  AcceptedRulesPublisher(const config::Config& config, std::string activated_by, Publish publish);

  /// Looks at the file when kCheckInterval has passed since the last look, or `now_wanted` (SIGHUP). A changed file is
  /// taken up once it has stayed the same from one look to the next, so that none is read while it is written; with
  /// `now_wanted` at once. The answer: why a new file was refused, once for each version of it.
  std::optional<std::string> look(std::chrono::nanoseconds steady_now, bool now_wanted);

  /// `active_sha256`: of the rules that the shard of this partition has taken up from the log; empty: none ever.
  /// Publishes the present text when it is another one; again after kRepublish when it has not become active, for the
  /// log may have lost it.
  void offer(int partition, const std::string& active_sha256, std::chrono::nanoseconds steady_now);
  /// The partition was taken away: what was published there is no longer this arbiter's to know.
  void forget(int partition) { published_.erase(partition); }

  static constexpr std::chrono::seconds kCheckInterval{2};
  static constexpr std::chrono::seconds kRepublish{60};

 private:
  struct Version {
    timespec changed{};
    off_t size = -1;  ///< -1: no such file
    ino_t inode = 0;
    friend bool operator==(const Version& a, const Version& b) {
      return a.changed.tv_sec == b.changed.tv_sec && a.changed.tv_nsec == b.changed.tv_nsec && a.size == b.size &&
             a.inode == b.inode;
    }
  };
  static Version version_of(const std::string& path);
  struct Published {
    std::string sha256;
    std::chrono::nanoseconds at{0};
  };
  std::optional<std::string> take_up();

  const config::Config config_;
  const std::string activated_by_;
  const Publish publish_;
  std::optional<std::chrono::nanoseconds> looked_at_;
  Version seen_;                        // at the last look
  std::optional<Version> taken_;        // of which take_up has judged
  std::optional<std::string> text_;     // that was accepted last; nothing yet: publishes nothing
  std::string sha256_;                  // of text_
  std::map<int, Published> published_;  // last, by partition
};

}  // namespace phoenix::arbiter
