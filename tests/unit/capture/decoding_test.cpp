// LSNs, frames and pgoutput messages, on bytes.
#include "arbiter/capture/pgoutput.hpp"
#include "arbiter/capture/replication_frame.hpp"
#include "tests/support/catch.hpp"
#include "wire.hpp"

using namespace phoenix;
using namespace phoenix::capture;
using namespace phoenix::capture_test;
using Catch::Matchers::Contains;

namespace {

template <class T>
T decoded(const std::string& bytes) {
  return std::get<T>(decode_pgoutput(bytes).value());
}

std::string refusal(const std::string& bytes) {
  const auto result = decode_pgoutput(bytes);
  return result ? "taken" : result.error().message;
}

}  // namespace

TEST_CASE("an LSN is written as Postgres does and read back") {
  CHECK(format_lsn(0x16'B374D848ull) == "16/B374D848");
  CHECK(format_lsn(0) == "0/0");
  CHECK(parse_lsn("16/B374D848") == 0x16'B374D848ull);
  CHECK(parse_lsn("FFFFFFFF/FFFFFFFF") == UINT64_MAX);
  for (const char* wrong : {"", "/", "1/", "/1", "1", "1/2/3", "1/-2", "1/123456789", "x/1", "1/ 2"}) {
    INFO(wrong);
    CHECK_FALSE(parse_lsn(wrong));
  }
}

TEST_CASE("frames: data, keep-alives, and nothing else") {
  const std::string data = wal_data(0x10, "payload");
  const auto frame = std::get<WalData>(decode_frame(data).value());
  CHECK(frame.start == 0x10);
  CHECK(frame.payload == "payload");
  const auto alive = std::get<Keepalive>(decode_frame(keepalive(0x1'00000002ull, true)).value());
  CHECK(alive.wal_end == 0x1'00000002ull);
  CHECK(alive.reply_requested);
  CHECK_FALSE(std::get<Keepalive>(decode_frame(keepalive(1)).value()).reply_requested);
  CHECK(decode_frame("").has_error());
  CHECK(decode_frame("x").has_error());
  for (std::size_t n = 1; n < 25; ++n) CHECK(decode_frame(data.substr(0, n)).has_error());
  for (std::size_t n = 1; n < 18; ++n) CHECK(decode_frame(keepalive(1).substr(0, n)).has_error());
  CHECK(decode_frame(keepalive(1) + "x").has_error());
}

TEST_CASE("the status update has the documented layout") {
  CHECK(encode_status(0x0102, 0x03, kUnix2026) ==
        Wire('r').u64(0x0102).u64(0x03).u64(0x03).u64(kTime2026).u8(0).bytes());
}

TEST_CASE("transactions, relations and messages are decoded") {
  const auto start = decoded<Begin>(begin(0xABC, 731));
  CHECK(start.commit_lsn == 0xABC);
  CHECK(start.xid == 731);
  CHECK(start.commit_us == kUnix2026);
  const auto end = decoded<Commit>(commit(0xABC, 0xABD));
  CHECK(end.commit_lsn == 0xABC);
  CHECK(end.end_lsn == 0xABD);
  const auto relation = decoded<Relation>(accounts('f'));
  CHECK(relation.oid == kAccountsOid);
  CHECK(relation.schema == "public");
  CHECK(relation.table == "accounts");
  CHECK(relation.identity == 'f');
  REQUIRE(relation.columns.size() == 4);
  CHECK(relation.columns[1] == Relation::Attribute{true, "balance", 1700, -1});
  CHECK_FALSE(decoded<Relation>(accounts('d')).columns[1].key);
  const std::string bytes = message("{}", true);
  const auto text = decoded<LogicalMessage>(bytes);
  CHECK(text.transactional);
  CHECK(text.lsn == 77);
  CHECK(text.prefix == "phoenix");
  CHECK(text.content == "{}");
  CHECK_FALSE(decoded<LogicalMessage>(message("", false)).transactional);
  CHECK(decoded<Truncate>(Wire('T').u32(2).u8(3).u32(5).u32(6).bytes()).relations == std::vector<Oid>{5, 6});
  CHECK(decoded<Origin>(Wire('O').u64(1).text("upstream").bytes()).name == "upstream");
  CHECK(decoded<Type>(Wire('Y').u32(9).text("public").text("money_t").bytes()).oid == 9);
}

TEST_CASE("rows: text, NULL, unchanged, and the three forms of an update") {
  const std::string inserted = insert({"1", "10.00", std::nullopt, "\1"});
  const auto row = decoded<Insert>(inserted);
  REQUIRE(row.after.size() == 4);
  CHECK(row.after[1].text == "10.00");
  CHECK(row.after[2].kind == Column::Kind::null);
  CHECK(row.after[3].kind == Column::Kind::unchanged);
  CHECK_FALSE(decoded<Update>(update({"1"})).before);
  const std::string keyed = update('K', {"1"}, {"2"});
  CHECK(decoded<Update>(keyed).before->key_only);
  const std::string full = update('O', {"1"}, {"2"});
  CHECK_FALSE(decoded<Update>(full).before->key_only);
  CHECK(decoded<Update>(full).before->columns[0].text == "1");
  CHECK(decoded<Update>(full).after[0].text == "2");
  CHECK(decoded<Delete>(remove('K', {"1"})).before.key_only);
}

TEST_CASE("bytes that are cut short, too long or of another kind are refused, never read past") {
  const std::vector<std::string> whole{begin(1, 2),
                                       commit(1, 2),
                                       accounts(),
                                       insert({"1", std::nullopt, "\1"}),
                                       update('O', {"1"}, {"2"}),
                                       remove('K', {"1"}),
                                       message("{}"),
                                       Wire('T').u32(1).u8(0).u32(5).bytes(),
                                       Wire('O').u64(1).text("o").bytes(),
                                       Wire('Y').u32(9).text("s").text("t").bytes()};
  for (const auto& bytes : whole) {
    REQUIRE(refusal(bytes) == "taken");
    for (std::size_t n = 0; n < bytes.size(); ++n) {
      INFO(bytes[0] << " cut at " << n);
      CHECK(refusal(bytes.substr(0, n)) != "taken");
    }
    CHECK_THAT(refusal(bytes + "x"), Contains("too many"));
  }
  CHECK_THAT(refusal(Wire('I').u32(1).tag('N').u16(1).tag('b').u32(1).raw("x").bytes()), Contains("binary"));
  CHECK_THAT(refusal(Wire('I').u32(1).tag('N').u16(1).tag('?').bytes()), Contains("unknown kind"));
  CHECK_THAT(refusal(Wire('I').u32(1).tag('O').tuple({"1"}).bytes()), Contains("a new row is missing"));
  CHECK_THAT(refusal(Wire('D').u32(1).tag('N').tuple({"1"}).bytes()), Contains("an old row is missing"));
  CHECK_THAT(refusal("S"), Contains("unknown kind"));
  // Lengths that promise more than there is.
  CHECK_THAT(refusal(Wire('I').u32(1).tag('N').u16(0xffff).bytes()), Contains("cut short"));
  CHECK_THAT(refusal(Wire('T').u32(0xffffffff).u8(0).u32(5).bytes()), Contains("cut short"));
  CHECK_THAT(refusal(Wire('M').u8(1).u64(1).text("p").u32(0xffffffff).raw("x").bytes()), Contains("cut short"));
  CHECK_THAT(refusal(Wire('B').u64(1).u64(0x7fffffffffffffffull).u32(1).bytes()), Contains("out of range"));
}
