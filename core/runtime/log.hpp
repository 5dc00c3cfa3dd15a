// Logging to stderr: one line an event, `2026-01-01T00:00:00.000Z level program: text`. Never bodies, never secrets.
#pragma once

#include <fmt/format.h>

#include <string>

namespace phoenix::log {

enum class Level { debug, info, warn, error };

/// Name shown in every line; level from the environment variable PHOENIX_LOG (debug|info|warn|error; default info).
void init(const std::string& program);
void write(Level level, const std::string& text);

template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::debug, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::info, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void warn(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::warn, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::error, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace phoenix::log
