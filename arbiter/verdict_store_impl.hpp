// Shared by the store's two sources: the connection, and what its errors mean. Internal to the store.
#pragma once

#include <boost/algorithm/string/replace.hpp>
#include <map>
#include <mutex>
#include <pqxx/pqxx>

#include "arbiter/database_url.hpp"
#include "arbiter/verdict_store.hpp"

namespace phoenix::arbiter {

struct VerdictStore::Impl {
  std::mutex mutex;  // of all below
  std::string url;
  std::unique_ptr<pqxx::connection> connection;
  int shards = 1;
  std::function<int(const std::string&)> owner_of;
  std::string schema;
  std::map<int, std::int64_t> forgotten_until_us;  // by shard
  std::map<int, std::int64_t> versions;            // by shard: the last commit seen; absent: none

  /// Statements name the schema `arbiter`; here they are of this store's.
  [[nodiscard]] std::string in_schema(const char* sql) const {
    return schema == kSchema ? sql : boost::algorithm::replace_all_copy(std::string(sql), "arbiter.", schema + ".");
  }

  pqxx::connection& connected() {
    if (!connection) throw Failure(ErrorCode::unavailable, "verdict store: not connected");
    return *connection;
  }

  /// Every error of Postgres ends the connection: what state it is in is not worth finding out.
  template <class Work>
  auto guarded(Work work) {
    const std::lock_guard lock(mutex);
    try {
      return work();
    } catch (const pqxx::failure& e) {
      // pqxx tells of a lost connection in many, sometimes misleading, words.
      const std::string what = connection && !connection->is_open() ? "the connection was lost" : first_line(e.what());
      connection.reset();
      throw Failure(ErrorCode::unavailable, fmt::format("verdict store {}: {}", describe_database(url), what));
    } catch (const std::logic_error& e) {  // pqxx's usage and conversion errors
      connection.reset();
      throw Failure(ErrorCode::internal,
                    fmt::format("verdict store {}: {}", describe_database(url), first_line(e.what())));
    }
  }
};

}  // namespace phoenix::arbiter
