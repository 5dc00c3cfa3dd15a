// Dates as text: the value of Date (RFC 9110, 5.6.7 and 6.6.1), and RFC 3339.
#pragma once

#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>

namespace phoenix::gateway {

/// IMF-fixdate of a Unix time in seconds.
std::string http_date(std::time_t at);
/// The same of now, written anew once a second on each thread. Valid until the next call on this thread.
std::string_view http_date_now();

/// Appends `2026-01-01T00:00:00.123Z`, of a Unix time in microseconds.
void append_rfc3339_ms(std::string& out, std::int64_t at_us);

}  // namespace phoenix::gateway
