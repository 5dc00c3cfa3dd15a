// The value of Date (RFC 9110, 5.6.7 and 6.6.1).
#pragma once

#include <ctime>
#include <string>
#include <string_view>

namespace phoenix::gateway {

/// IMF-fixdate of a Unix time in seconds.
std::string http_date(std::time_t at);
/// The same of now, written anew once a second on each thread. Valid until the next call on this thread.
std::string_view http_date_now();

}  // namespace phoenix::gateway
