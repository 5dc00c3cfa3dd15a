// Connection strings and how databases come to be. Nothing of libpqxx here.
#pragma once

#include <string>

namespace phoenix::orchestrator {

/// The same server, another database. Understands URLs and `key=value` strings; the password stays as given.
std::string with_database(const std::string& connection, const std::string& database);
/// Database name in a connection string; empty when none is named.
std::string database_name(const std::string& connection);
/// Adds bounds on connecting and on a peer that vanished, unless given: a control plane must notice a lost server.
std::string with_timeouts(const std::string& connection);
/// For messages: the password replaced.
std::string without_password(const std::string& connection);

/// Creates the database when the server has none of that name. Throws Failure(unavailable) in one line when the server
/// cannot be reached.
void create_database_if_missing(const std::string& connection, const std::string& config_key);

}  // namespace phoenix::orchestrator
