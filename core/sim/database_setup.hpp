// What a simulator does to its database before it serves: create it, lay out the schema, seed the accounts. Repeatable.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace phoenix::sim {

/// Creates the database that the URL names when the server does not have it, then runs `statements` in one transaction;
/// several programs may do so at once. Throws Failure with one clear line (never with the password).
void set_up_database(const std::string& url, const std::vector<std::string>& statements);

/// The URL with another database name: "postgresql://u:p@h:1/legacy_bank?x=y" to "postgresql://u:p@h:1/postgres?x=y".
std::string with_database(const std::string& url, const std::string& database);
/// The database that the URL names; empty when it names none.
std::string database_of(const std::string& url);
/// The URL with libpq's shortest connect time-out (2 s).
std::string with_connect_timeout(const std::string& url);

/// libpq's messages have several lines; the first one says it.
std::string first_line(std::string_view message);

}  // namespace phoenix::sim
