// Postgres connection strings: URLs and keyword/value strings alike, as libpq reads them.
#pragma once

#include <string>

namespace phoenix::arbiter {

/// The same connection with a bounded connect time, keep-alives and our name, unless the string says otherwise. Throws
/// Failure(invalid_input) when libpq cannot read it; the message never shows a password.
std::string connection_string(const std::string& url);

/// Creates the named database on its server when it does not exist (through the database `postgres`). Throws
/// Failure(unavailable) when the server cannot be reached.
void ensure_database(const std::string& url);

/// host:port/database, for messages.
std::string describe_database(const std::string& url);

/// The first line of an exception's text: libpq writes several.
std::string first_line(const std::string& text);

}  // namespace phoenix::arbiter
