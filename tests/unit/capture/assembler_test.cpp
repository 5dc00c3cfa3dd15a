// From messages to changes: exchange ids, order, accounts; and their envelope.
#include <nlohmann/json.hpp>

#include "arbiter/capture/change_envelope.hpp"
#include "arbiter/capture/transaction_assembler.hpp"
#include "tests/support/catch.hpp"
#include "wire.hpp"

using namespace phoenix;
using namespace phoenix::capture;
using namespace phoenix::capture_test;
using Catch::Matchers::Contains;
using nlohmann::json;

namespace {

/// An assembler fed with bytes; what it publishes, encoded.
struct Feed {
  explicit Feed(std::map<std::string, std::string> tables = {{"public.accounts", "id"}})
      : assembler(std::move(tables)) {}

  Result<Step> take(const std::string& bytes) {
    auto step = assembler.take(++lsn, decode_pgoutput(bytes).value(), [&](const Change& change) {
      keys.push_back(change.key);
      const auto encoded = encode_change(change, {"legacy", "bank"}, 5);
      values.push_back(json::parse(encoded.value));
      left_out += encoded.values_left_out;
    });
    return step;
  }
  Step all(const std::vector<std::string>& messages) {
    Step last;
    for (const auto& bytes : messages) last = take(bytes).value();
    return last;
  }

  TransactionAssembler assembler;
  std::uint64_t lsn = 1000;
  std::vector<std::string> keys;
  std::vector<json> values;
  std::uint64_t left_out = 0;
};

const Row kRow{"7", "10.00", "t", "hello"};

}  // namespace

TEST_CASE("a row carries the exchange of the last message before it in its transaction") {
  Feed feed;
  feed.all({begin(500, 9), accounts(), insert(kRow), message(R"({"exchange_id":"a"})"), insert(kRow),
            message(R"({"exchange_id":"x"})", true, "other"), insert(kRow), message(R"({"exchange_id":"b"})"),
            insert(kRow)});
  const Step end = feed.take(commit(500, 510)).value();
  REQUIRE(feed.values.size() == 4);
  CHECK_FALSE(feed.values[0].contains("exchange_id"));
  CHECK(feed.values[1]["exchange_id"] == "a");
  CHECK(feed.values[2]["exchange_id"] == "a");
  CHECK(feed.values[3]["exchange_id"] == "b");
  CHECK(end.finished->end_lsn == 510);
  CHECK(end.finished->changes == 4);
  CHECK_FALSE(end.finished->foreign);
  // The next transaction begins without one.
  feed.all({begin(600, 10), insert(kRow)});
  CHECK_FALSE(feed.values[4].contains("exchange_id"));
  CHECK(feed.take(commit(600, 610)).value().finished->foreign);
}

TEST_CASE("a repair by hand is no foreign transaction") {
  Feed feed;
  feed.all({begin(1, 1), accounts(), message(R"({"resync":"19a"})"), insert(kRow)});
  CHECK(feed.values[0]["exchange_id"] == "resync/19a");
  CHECK_FALSE(feed.take(commit(1, 2)).value().finished->foreign);
}

TEST_CASE("messages that name no exchange") {
  Feed feed;
  feed.all({begin(1, 1), accounts(), message(R"({"exchange_id":"a"})")});
  for (const char* bad : {"", "{", "[]", "{}", R"({"exchange_id":5})", R"({"exchange_id":""})", "\xff"}) {
    INFO(bad);
    CHECK(feed.take(message(bad)).value().malformed_message);
  }
  CHECK(feed.take(message(R"({"exchange_id":")" + std::string(201, 'x') + R"("})")).value().malformed_message);
  feed.take(insert(kRow)).value();
  CHECK_FALSE(feed.values[0].contains("exchange_id"));  // not that of an earlier exchange
  // Non-transactional ones come at any time and mean nothing.
  CHECK_FALSE(feed.take(message(R"({"exchange_id":"z"})", false)).value().malformed_message);
  feed.take(insert(kRow)).value();
  CHECK_FALSE(feed.values[1].contains("exchange_id"));
  feed.take(commit(1, 2)).value();
  CHECK_FALSE(feed.take(message("", false)).value().malformed_message);
  const Step empty = feed.all({begin(5, 5), message(R"({"exchange_id":"a"})"), commit(5, 6)});
  CHECK(empty.finished->changes == 0);
  CHECK_FALSE(empty.finished->foreign);
}

TEST_CASE("changes are numbered within their transaction, over all tables and within their own") {
  Feed feed(std::map<std::string, std::string>{{"public.accounts", "id"}, {"public.postings", "id"}});
  feed.all({begin(500, 9), accounts(), accounts('d', "postings", 2), accounts('d', "audit", 3), insert(kRow),
            insert(kRow, 2), insert(kRow, 3), insert(kRow), commit(500, 510), begin(700, 10), insert(kRow)});
  const auto order = [&](std::size_t i) {
    const auto& transaction = feed.values.at(i)["transaction"];
    return std::pair{transaction["total_order"].get<int>(), transaction["data_collection_order"].get<int>()};
  };
  REQUIRE(feed.values.size() == 4);  // audit is not captured, but takes its place
  CHECK(order(0) == std::pair{1, 1});
  CHECK(order(1) == std::pair{2, 1});
  CHECK(order(2) == std::pair{4, 2});
  CHECK(order(3) == std::pair{1, 1});
  CHECK(feed.values[0]["transaction"]["id"] == "9:500");
  CHECK(feed.values[3]["source"]["commit_lsn"] == 700);
}

TEST_CASE("the envelope spells values exactly") {
  Feed feed;
  feed.all({begin(500, 9), accounts('f'), message(R"({"exchange_id":"a"})"),
            update('O', {"9007199254740993", "0.10", "f", std::nullopt},
                   {"9007199254740993", "123456789012345678.10", "t", "\1"})});
  CHECK(feed.keys[0] == "9007199254740993");
  const json expected = json::parse(R"({
    "v": 1, "op": "u", "exchange_id": "a", "ts_ms": 5,
    "before": {"id": 9007199254740993, "balance": "0.10", "vip": false, "note": null},
    "after": {"id": 9007199254740993, "balance": "123456789012345678.10", "vip": true,
              "note": "__debezium_unavailable_value"},
    "source": {"connector": "postgresql", "name": "legacy", "kind": "capture", "db": "bank", "schema": "public",
               "table": "accounts", "txId": 9, "lsn": 1004, "commit_lsn": 500, "ts_ms": 1767225600000,
               "ts_us": 1767225600000000, "snapshot": "false"},
    "transaction": {"id": "9:500", "total_order": 1, "data_collection_order": 1}})");
  CHECK(feed.values[0] == expected);
}

TEST_CASE("before is absent, the key alone, or the whole row, as the replica identity has it") {
  Feed feed;
  feed.all({begin(1, 1), accounts(), update(kRow), remove('K', {"7", std::nullopt, std::nullopt, std::nullopt}),
            insert(kRow), Wire('T').u32(1).u8(0).u32(kAccountsOid).bytes()});
  CHECK(feed.values[0]["before"].is_null());
  CHECK(feed.values[1]["op"] == "d");
  CHECK(feed.values[1]["before"] == json{{"id", 7}});
  CHECK(feed.values[1]["after"].is_null());
  CHECK(feed.keys[1] == "7");
  CHECK(feed.values[2]["op"] == "c");
  CHECK(feed.values[3]["op"] == "t");
  CHECK(feed.values[3]["after"].is_null());
  CHECK(feed.keys[3].empty());
}

TEST_CASE("a row that moves to another account is seen by both") {
  Feed feed;
  feed.all({begin(1, 1), accounts('f'), update('O', {"1", "5", "t", "a"}, {"2", "5", "t", "a"})});
  REQUIRE(feed.values.size() == 2);
  CHECK(feed.keys == std::vector<std::string>{"1", "2"});
  CHECK(feed.values[0]["op"] == "d");
  CHECK(feed.values[1]["op"] == "c");
  CHECK(feed.values[1]["transaction"]["total_order"] == 2);
}

TEST_CASE("a value too long for the log is left out and counted, any bytes are spelled as UTF-8") {
  Feed feed;
  feed.all({begin(1, 1), accounts(), insert({"1", "1", "t", std::string(kMaxValueBytes, 'x')}),
            insert({"1", "1", "t", std::string(kMaxValueBytes + 1, 'x')}), insert({"1", "1", "t", "\xff"})});
  CHECK(feed.values[0]["after"]["note"].get<std::string>().size() == kMaxValueBytes);
  CHECK(feed.values[1]["after"]["note"] == kUnavailableValue);
  CHECK(feed.left_out == 1);
  CHECK(feed.values[2]["after"]["note"] == "\xef\xbf\xbd");
}

TEST_CASE("a stream that makes no sense is an error, not a guess") {
  const auto error = [](Feed& feed, const std::string& bytes) {
    const auto step = feed.take(bytes);
    return step ? std::string("taken") : step.error().message;
  };
  Feed feed;
  CHECK_THAT(error(feed, commit(1, 2)), Contains("commit without"));
  feed.take(accounts()).value();
  CHECK_THAT(error(feed, insert(kRow)), Contains("outside a transaction"));
  feed.take(begin(1, 1)).value();
  CHECK_THAT(error(feed, begin(1, 1)), Contains("inside another"));
  CHECK_THAT(error(feed, insert(kRow, 99)), Contains("not announced"));
  CHECK_THAT(error(feed, insert({"1"})), Contains("number of columns"));
  Feed other(std::map<std::string, std::string>{{"public.accounts", "account_id"}});
  CHECK_THAT(error(other, accounts()), Contains("no column 'account_id'") && Contains("id, balance, vip, note"));
}

TEST_CASE("a new connection forgets the transaction and the relations, not the shape of tables") {
  Feed feed;
  feed.all({begin(1, 1), accounts(), insert(kRow)});
  feed.assembler.restart();
  CHECK_FALSE(feed.assembler.in_transaction());
  feed.take(begin(1, 1)).value();
  CHECK(feed.take(insert(kRow)).has_error());
  CHECK(feed.take(accounts()).value().gap.empty());
  const std::string changed = Wire('R')
                                  .u32(kAccountsOid)
                                  .text("public")
                                  .text("accounts")
                                  .tag('d')
                                  .u16(1)
                                  .u8(1)
                                  .text("id")
                                  .u32(20)
                                  .u32(0xffffffff)
                                  .bytes();
  CHECK_THAT(feed.take(changed).value().gap, Contains("columns of table public.accounts changed"));
  CHECK(feed.take(changed).value().gap.empty());
}
