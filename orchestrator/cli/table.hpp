// Aligned text tables and the small formatting that every view shares. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace phoenix::orchestrator::cli {

/// Columns as wide as their widest cell, two spaces apart; the last one is not padded. Control characters from outside
/// are shown as '?', so that a detail cannot steer the terminal.
class Table {
 public:
  explicit Table(std::vector<std::string> header) : header_(std::move(header)) {}
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  [[nodiscard]] bool empty() const { return rows_.empty(); }
  [[nodiscard]] std::string render() const;

 private:
  std::vector<std::string> header_;
  std::vector<std::vector<std::string>> rows_;
};

/// Code points of UTF-8 text; each counts as one column.
std::size_t display_width(const std::string& text);
/// Control characters, newlines included, as '?'.
std::string printable(const std::string& text);
/// 1234567 as "1,234,567".
std::string grouped(std::uint64_t number);
/// "2026-01-01 00:00:00" UTC.
std::string utc_time(std::int64_t unix_ms);
/// "3 s", "12 min", "4 h", "3 d".
std::string age_text(std::int64_t ms);
/// A percentage from a share of one: 0.9931 as "99.31 %". Rounds towards the worse side: only 1 is "100 %".
std::string share_text(double share);

}  // namespace phoenix::orchestrator::cli
