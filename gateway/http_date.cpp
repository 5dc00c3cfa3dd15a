#include "gateway/http_date.hpp"

#include <fmt/format.h>

#include <array>
#include <iterator>

namespace phoenix::gateway {

// By hand: strftime would ask the locale for the names.
std::string http_date(std::time_t at) {
  static constexpr std::array<const char*, 7> kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array<const char*, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::tm utc{};
  gmtime_r(&at, &utc);
  return fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} GMT", kDays[static_cast<std::size_t>(utc.tm_wday)], utc.tm_mday,
                     kMonths[static_cast<std::size_t>(utc.tm_mon)], utc.tm_year + 1900, utc.tm_hour, utc.tm_min,
                     utc.tm_sec);
}

std::string_view http_date_now() {
  thread_local std::time_t written_at = -1;
  thread_local std::string text;
  const std::time_t now = std::time(nullptr);
  if (now != written_at) {
    text = http_date(now);
    written_at = now;
  }
  return text;
}

void append_rfc3339_ms(std::string& out, std::int64_t at_us) {
  const std::time_t seconds = at_us / 1'000'000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  fmt::format_to(std::back_inserter(out), "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", utc.tm_year + 1900,
                 utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, at_us / 1000 % 1000);
}

}  // namespace phoenix::gateway
