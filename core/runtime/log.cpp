#include "core/runtime/log.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string_view>

namespace phoenix::log {
namespace {

spdlog::level::level_enum level_from_environment() {
  const char* value = std::getenv("PHOENIX_LOG");
  const std::string_view name = value == nullptr ? "info" : value;
  if (name == "debug") return spdlog::level::debug;
  if (name == "warn") return spdlog::level::warn;
  if (name == "error") return spdlog::level::err;
  return spdlog::level::info;
}

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warn:
      return spdlog::level::warn;
    case Level::error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

std::shared_ptr<spdlog::logger> make_logger(const std::string& program) {
  auto logger = std::make_shared<spdlog::logger>(program, std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %n: %v", spdlog::pattern_time_type::utc);
  logger->set_level(level_from_environment());
  logger->flush_on(spdlog::level::debug);
  return logger;
}

std::mutex logger_mutex;
std::shared_ptr<spdlog::logger> current_logger;

std::shared_ptr<spdlog::logger> logger() {
  const std::lock_guard lock(logger_mutex);
  if (!current_logger) current_logger = make_logger("phoenix");
  return current_logger;
}

/// One event is one line, also when the text quotes what a peer sent.
std::string on_one_line(const std::string& text) {
  std::string line;
  line.reserve(text.size());
  for (const char c : text) {
    if (c == '\n') {
      line += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20 && c != '\t') {
      line += '?';
    } else {
      line += c;
    }
  }
  return line;
}

}  // namespace

void init(const std::string& program) {
  auto logger = make_logger(program);
  const std::lock_guard lock(logger_mutex);
  current_logger = std::move(logger);
}

void write(Level level, const std::string& text) {
  const auto sink = logger();
  const auto severity = to_spdlog(level);
  if (sink->should_log(severity)) sink->log(severity, on_one_line(text));
}

}  // namespace phoenix::log
