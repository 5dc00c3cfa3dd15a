#include "orchestrator/audit_log.hpp"

#include "core/runtime/sha256.hpp"
#include "tests/support/catch.hpp"

using phoenix::sha256_hex;
using namespace phoenix::orchestrator;

namespace {

std::vector<AuditRow> chain(int rows) {
  std::vector<AuditRow> result;
  std::string last = kGenesisHash;
  for (int i = 0; i < rows; ++i) {
    AuditEntry entry{"eve",         "raise",  "payments",           "canary 5 %",
                     "canary 10 %", "enough", R"({"units": 5040})", 1'000 + i};
    result.push_back(chain_entry(entry, "c0ffee", i, last));
    last = result.back().hash;
  }
  return result;
}

AuditHead head_of(const std::vector<AuditRow>& rows) {
  return {rows.back().seq, rows.back().hash};
}

}  // namespace

TEST_CASE("SHA-256 is SHA-256") {
  CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("an untouched chain is intact, an empty one too") {
  const auto rows = chain(5);
  CHECK(verify_chain(rows, head_of(rows)).intact);
  CHECK(verify_chain({}, {}).intact);
}

TEST_CASE("any edit of any field is found, at its record") {
  const auto rows = chain(5);
  const auto tampered = [&](auto edit) {
    auto copy = rows;
    edit(copy[2]);
    return verify_chain(copy, head_of(rows));
  };
  const auto expect = [](const AuditCheck& check) {
    CHECK_FALSE(check.intact);
    CHECK(check.first_bad_seq == 3);
  };
  expect(tampered([](AuditRow& r) { r.entry.who = "bob"; }));
  expect(tampered([](AuditRow& r) { r.entry.action = "trip"; }));
  expect(tampered([](AuditRow& r) { r.entry.slice = "cards"; }));
  expect(tampered([](AuditRow& r) { r.entry.from = "shadow"; }));
  expect(tampered([](AuditRow& r) { r.entry.to = "canary 100 %"; }));
  expect(tampered([](AuditRow& r) { r.entry.reason += "."; }));
  expect(tampered([](AuditRow& r) { r.entry.evidence = "{}"; }));
  expect(tampered([](AuditRow& r) { r.entry.at_unix_ms += 1; }));
  expect(tampered([](AuditRow& r) { r.config_hash = "beef"; }));
  expect(tampered([](AuditRow& r) { r.prev_hash[0] = 'x'; }));
  expect(tampered([](AuditRow& r) { r.hash[0] = 'x'; }));
  expect(tampered([](AuditRow& r) {  // text moved over a field's border
    r.entry.from = "canary 5 %canary";
    r.entry.to = " 10 %";
  }));
}

TEST_CASE("an edit with a recomputed hash breaks the next record") {
  auto rows = chain(5);
  const auto head = head_of(rows);
  rows[2].entry.who = "bob";
  rows[2].hash = audit_hash(rows[2]);
  const auto check = verify_chain(rows, head);
  CHECK_FALSE(check.intact);
  CHECK(check.first_bad_seq == 4);
}

TEST_CASE("missing records are found, at the end too") {
  const auto rows = chain(5);
  auto middle = rows;
  middle.erase(middle.begin() + 1);
  CHECK(verify_chain(middle, head_of(rows)).first_bad_seq == 2);
  auto cut = rows;
  cut.pop_back();
  CHECK(verify_chain(cut, head_of(rows)).first_bad_seq == 5);
  auto rewritten = chain(5);
  rewritten.back().entry.who = "bob";
  rewritten.back().hash = audit_hash(rewritten.back());
  CHECK_FALSE(verify_chain(rewritten, head_of(rows)).intact);
}
