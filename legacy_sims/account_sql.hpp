// The legacy bank's schema and statements. Include in .cpp only.
#pragma once

#include <cstdint>
#include <pqxx/pqxx>
#include <string>
#include <vector>

namespace phoenix::legacy_bank {

/// Repeatable; accounts 1..seed_accounts exist afterwards.
std::vector<std::string> schema(std::int64_t seed_accounts);

/// lock_accounts, post, post_unremembered, next_posting_id, remember, recall, next_account_id, insert_account, emit,
/// read_account, statement.
void prepare_statements(pqxx::connection_base& connection);

}  // namespace phoenix::legacy_bank
