// From the plugin's messages to changes of the configured tables: which transaction, which place in it, which account,
// which exchange. Holds no rows, so a transaction of any size passes. Pure. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "arbiter/capture/pgoutput.hpp"

namespace phoenix::capture {

/// One record to publish. Pointers and views are valid during the call that hands it over.
struct Change {
  char op = 'c';    ///< c insert, u update, d delete, t truncate
  std::string key;  ///< the account; empty when the row does not tell
  const Relation* relation = nullptr;
  const OldTuple* before = nullptr;
  const Tuple* after = nullptr;
  Lsn lsn = 0;         ///< of the row's change; several rows may share one
  Lsn commit_lsn = 0;  ///< of its transaction
  std::uint32_t xid = 0;
  std::int64_t commit_us = 0;  ///< Unix time
  /// Place among the transaction's changes, from 1, and among those of its table. With commit_lsn it identifies the
  /// change: the same when it is sent again.
  std::uint64_t total_order = 0;
  std::uint64_t table_order = 0;
  std::string exchange_id;  ///< of the last message before it in its transaction; empty: none
};

/// What phoenix-capture itself wrote into the stream, to see it come back in its place.
struct Marker {
  std::string writer;       ///< which process: what an earlier one wrote says nothing of the log of today
  std::int64_t covers = 0;  ///< end of the slice's partition of shadow-requests before it was written
};
std::string encode_marker_message(const Marker& marker);
/// nullopt for anything else.
std::optional<Marker> marker_in(std::string_view message);

struct FinishedTransaction {
  Lsn end_lsn = 0;
  std::int64_t commit_us = 0;
  std::uint64_t changes = 0;
  bool foreign = false;  ///< changes, but no message of Phoenix
};

/// What one message led to, beside changes.
struct Step {
  std::optional<FinishedTransaction> finished;
  std::string gap;                 ///< why a reader can no longer rely on what it knows; empty: it can
  bool malformed_message = false;  ///< a message of ours that holds no exchange id
  std::optional<Marker> marker;
};

class TransactionAssembler {
 public:
  static constexpr const char* kPrefix = "phoenix";

  /// `tables`: "schema.table" -> column that holds the account. Rows of other tables only count in total_order.
  explicit TransactionAssembler(std::map<std::string, std::string> tables) : tables_(std::move(tables)) {}

  /// Takes the next message, whose place in the log is `lsn`. An error says that the stream makes no sense or that a
  /// key column does not exist; nothing after it can be trusted.
  Result<Step> take(Lsn lsn, const Message& message, const std::function<void(const Change&)>& publish);

  /// Columns of the tables as they were when they were last read, by "schema.table".
  [[nodiscard]] const std::map<std::string, std::string>& shapes() const { return shapes_; }
  /// Takes up shapes of an earlier run: a table that looks otherwise now is a gap.
  void remember_shapes(std::map<std::string, std::string> shapes) { shapes_ = std::move(shapes); }

  /// The connection is new: the server begins again with a whole transaction and repeats the relations.
  void restart();
  [[nodiscard]] bool in_transaction() const { return transaction_.has_value(); }
  /// Unix time of the commit of the transaction being read; 0: none.
  [[nodiscard]] std::int64_t commit_us() const { return transaction_ ? transaction_->begin.commit_us : 0; }

 private:
  struct Captured {
    Relation relation;
    std::optional<std::size_t> key;  ///< index of the key column; none: the table is not captured
  };
  struct Transaction {
    explicit Transaction(const Begin& its_begin) : begin(its_begin) {}
    Begin begin;
    std::string exchange_id;
    bool ours = false;
    std::uint64_t changes = 0;  ///< of captured tables
    std::uint64_t total_order = 0;
    std::map<Oid, std::uint64_t> table_order;
  };

  std::optional<Error> row(Lsn lsn, Oid oid, const OldTuple* before, const Tuple* after, char op,
                           const std::function<void(const Change&)>& publish);
  std::optional<Error> learn(const Relation& relation, Step& step);
  void note(const LogicalMessage& message, Step& step);
  void emit(Lsn lsn, const Captured& table, char op, std::string key, const OldTuple* before, const Tuple* after,
            const std::function<void(const Change&)>& publish);

  const std::map<std::string, std::string> tables_;
  std::map<Oid, Captured> relations_;
  std::map<std::string, std::string> shapes_;  // survives restart()
  std::optional<Transaction> transaction_;
};

/// The id in {"exchange_id":"…"}; nullopt when it is not there, empty or longer than 200 bytes.
std::optional<std::string> exchange_id_in(std::string_view message);

}  // namespace phoenix::capture
