#include "arbiter/accepted_rules_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "arbiter/accepted_rules_record.hpp"
#include "core/runtime/sha256.hpp"

namespace phoenix::arbiter {

Result<std::string> read_rules_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error{ErrorCode::not_found, fmt::format("{}: {}", path, std::strerror(errno))};
  std::string text(AcceptedChanges::kMaxTextBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad() || file.gcount() == 0) {
    // A directory opens and does not read; an empty file reads nothing.
    struct stat status {};
    if (stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) {
      return Error{ErrorCode::not_found, fmt::format("{}: cannot be read as a file", path)};
    }
  }
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > AcceptedChanges::kMaxTextBytes) {
    return Error{ErrorCode::limit, fmt::format("{}: longer than {} KiB", path, AcceptedChanges::kMaxTextBytes / 1024)};
  }
  return text;
}

std::optional<std::string> check_rules(const std::string& text, const std::string& name, const config::Config& config) {
  const auto parsed = AcceptedChanges::parse(text, name);
  if (!parsed) return parsed.error().message;
  const auto& routes = config.gateway.routes;
  for (const auto& rule : parsed->rules()) {
    for (const auto& wanted : rule.routes) {
      if (std::any_of(routes.begin(), routes.end(), [&](const auto& route) { return route.name == wanted; })) continue;
      return fmt::format("{}:{}: rule {}: there is no route '{}' in gateway.routes", name, rule.line, rule.id, wanted);
    }
  }
  const auto record = encode(AcceptedRulesRecord{name, text, {}, {}});
  return record ? std::nullopt : std::optional(record.error().message);
}

void check_rules_file(const config::Config& config) {
  const std::string& path = config.arbiter.accepted_changes;
  if (path.empty()) return;
  const auto text = read_rules_file(path);
  if (!text) throw Failure(text.error());
  if (const auto why = check_rules(*text, path, config)) throw Failure(ErrorCode::invalid_input, *why);
}

AcceptedRulesPublisher::AcceptedRulesPublisher(const config::Config& config, std::string activated_by, Publish publish)
    : config_(config), activated_by_(std::move(activated_by)), publish_(std::move(publish)) {}

AcceptedRulesPublisher::Version AcceptedRulesPublisher::version_of(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return {};
  return {status.st_mtim, status.st_size, status.st_ino};
}

std::optional<std::string> AcceptedRulesPublisher::take_up() {
  const std::string& path = config_.arbiter.accepted_changes;
  auto text = read_rules_file(path);
  if (!text) return text.error().message + "; the rules that are active stay";
  if (const auto why = check_rules(*text, path, config_)) return *why + "; the rules that are active stay";
  sha256_ = sha256_hex(*text);
  text_ = std::move(*text);
  return std::nullopt;
}

std::optional<std::string> AcceptedRulesPublisher::look(std::chrono::nanoseconds steady_now, bool now_wanted) {
  const bool first = !looked_at_;
  if (!first && !now_wanted && steady_now - *looked_at_ < kCheckInterval) return std::nullopt;
  looked_at_ = steady_now;
  const std::string& path = config_.arbiter.accepted_changes;
  if (path.empty()) {  // the configuration no longer names any: what is active ends
    if (first) {
      text_.emplace();
      sha256_ = sha256_hex("");
    }
    return std::nullopt;
  }
  const Version version = version_of(path);
  const bool still = version == seen_;
  seen_ = version;
  if (!now_wanted && ((taken_ && *taken_ == version) || (!first && !still))) return std::nullopt;
  taken_ = version;
  return take_up();
}

void AcceptedRulesPublisher::offer(int partition, const std::string& active_sha256,
                                   std::chrono::nanoseconds steady_now) {
  if (!text_) return;
  const bool active = active_sha256.empty() ? text_->empty() : active_sha256 == sha256_;
  auto& published = published_[partition];
  // What is active counts as published, unless another text is on its way there.
  if (active && published.sha256.empty()) published.sha256 = sha256_;
  const bool waits = published.sha256 == sha256_ && (active || steady_now - published.at < kRepublish);
  if (waits) return;
  const auto value = encode(AcceptedRulesRecord{config_.arbiter.accepted_changes, *text_, {}, activated_by_});
  if (value && publish_(partition, kAcceptedRulesKey, *value)) published = {sha256_, steady_now};
}

}  // namespace phoenix::arbiter
