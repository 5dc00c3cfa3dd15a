#include "arbiter/accepted_rules_file.hpp"

#include <filesystem>
#include <fstream>

#include "arbiter/accepted_active_rules.hpp"
#include "arbiter/accepted_rules_record.hpp"
#include "core/runtime/sha256.hpp"
#include "tests/support/catch.hpp"

using namespace phoenix;
using namespace phoenix::arbiter;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;

namespace {

std::string rules_for(const std::string& route, const std::string& id = "a") {
  return "rule{id='" + id + "', reason='a', approver='b', expires='2030-01-01', routes={'" + route +
         "'},\nexpect=function() end}\n";
}

/// A rules file of its own, a configuration with the route `transfers`, and what was published.
struct Bench {
  Bench() { config = make_config("  accepted_changes: " + path); }
  ~Bench() { std::filesystem::remove_all(folder); }

  static config::Config make_config(const std::string& arbiter) {
    return config::parse(
               "mode: local\n"
               "gateway:\n"
               "  legacy: {endpoints: [\"http://127.0.0.1:8081\"]}\n"
               "  modern: {endpoints: [\"http://127.0.0.1:8082\"]}\n"
               "  routes:\n"
               "    - {name: transfers, match: {path: /transfers}}\n"
               "arbiter:\n  settle: 5s\n" +
                   arbiter,
               "phoenix.yml")
        .value();
  }
  void write(const std::string& text) const { std::ofstream(path, std::ios::binary) << text; }
  AcceptedRulesPublisher publisher() {
    return {config, "arbiter-1", [this](int partition, const std::string& key, const std::string& value) {
              CHECK(key == kAcceptedRulesKey);
              if (accept) published.emplace_back(partition, decode_accepted_rules_record(value).value());
              return accept;
            }};
  }

  const std::string folder = [] {
    std::string name = (std::filesystem::temp_directory_path() / "phoenix-rules-XXXXXX").string();
    return std::string(mkdtemp(name.data()));
  }();
  const std::string path = folder + "/rules.lua";
  config::Config config;
  bool accept = true;
  std::vector<std::pair<int, AcceptedRulesRecord>> published;
};

}  // namespace

TEST_CASE("the record of a rules file comes back as it was, or not at all") {
  const AcceptedRulesRecord record{"rules.lua", "-- ü\n\"quoted\"\t\n", {}, "arbiter-1"};
  const std::string value = encode(record).value();
  const auto read = decode_accepted_rules_record(value);
  REQUIRE(read.has_value());
  CHECK(read->file == record.file);
  CHECK(read->text == record.text);
  CHECK(read->activated_by == record.activated_by);
  CHECK(read->sha256 == sha256_hex(record.text));
  CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");

  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string other = value;
    other.replace(other.find(from), from.size(), to);
    return decode_accepted_rules_record(other);
  };
  CHECK(changed("quoted", "QUOTED").error().message == "accepted changes: the text is not the hashed one");
  CHECK(changed("\"v\":1", "\"v\":2").error().message == "accepted changes: unknown version 2");
  CHECK(changed("\"op\":\"rules\"", "\"op\":\"r\"").error().message == "accepted changes: op is not rules");
  CHECK_FALSE(changed("\"file\"", "\"fil\"").has_value());
  CHECK_FALSE(decode_accepted_rules_record("{").has_value());
  CHECK_FALSE(decode_accepted_rules_record("[]").has_value());
  CHECK(encode(AcceptedRulesRecord{"rules.lua", "-- \xff", {}, ""}).error().message ==
        "rules.lua: the text is not UTF-8");
  CHECK(encode(AcceptedRulesRecord{"rules.lua", std::string(AcceptedChanges::kMaxTextBytes + 1, ' '), {}, ""})
            .error()
            .code == ErrorCode::limit);
}

TEST_CASE("--check-config reads the rules file and its routes") {
  Bench bench;
  CHECK_THROWS_WITH(check_rules_file(bench.config), Contains(bench.path) && Contains("No such file"));
  bench.write(rules_for("transfers"));
  CHECK_NOTHROW(check_rules_file(bench.config));
  bench.write("\n" + rules_for("transfer"));
  CHECK_THROWS_WITH(check_rules_file(bench.config),
                    bench.path + ":2: rule a: there is no route 'transfer' in gateway.routes");
  bench.write("rule{");
  CHECK_THROWS_WITH(check_rules_file(bench.config), Contains(bench.path + ":1: "));
  bench.write("-- \xff\n");
  CHECK_THROWS_WITH(check_rules_file(bench.config), Contains("not UTF-8"));
  std::filesystem::remove(bench.path);
  std::filesystem::create_directory(bench.path);
  CHECK_THROWS_WITH(check_rules_file(bench.config), Contains("cannot be read as a file"));
  CHECK_NOTHROW(check_rules_file(Bench::make_config("")));
}

TEST_CASE("each partition gets the rules once, and again when they change") {
  Bench bench;
  bench.write(rules_for("transfers"));
  auto publisher = bench.publisher();
  publisher.offer(0, "", 0s);
  CHECK(bench.published.empty());  // nothing was read yet
  CHECK_FALSE(publisher.look(0s, false).has_value());
  publisher.offer(0, "", 0s);
  publisher.offer(0, "", 1s);  // on its way
  publisher.offer(3, sha256_hex(rules_for("transfers")), 1s);
  REQUIRE(bench.published.size() == 1);
  CHECK(bench.published[0].first == 0);
  CHECK(bench.published[0].second.text == rules_for("transfers"));
  CHECK(bench.published[0].second.file == bench.path);
  CHECK(bench.published[0].second.activated_by == "arbiter-1");
  const std::string first = bench.published[0].second.sha256;

  bench.write(rules_for("transfers", "another"));
  CHECK_FALSE(publisher.look(1s, false).has_value());  // too soon
  publisher.offer(0, first, 1s);
  CHECK(bench.published.size() == 1);
  CHECK_FALSE(publisher.look(2s, false).has_value());  // seen, perhaps still being written
  publisher.offer(0, first, 2s);
  CHECK(bench.published.size() == 1);
  CHECK_FALSE(publisher.look(4s, false).has_value());
  publisher.offer(0, first, 4s);
  REQUIRE(bench.published.size() == 2);
  CHECK(bench.published[1].second.text == rules_for("transfers", "another"));

  SECTION("SIGHUP takes it up at once") {
    bench.write(rules_for("transfers", "third"));
    CHECK_FALSE(publisher.look(4s, true).has_value());
    publisher.offer(0, first, 4s);
    CHECK(bench.published.size() == 3);
  }
  SECTION("back to the old text while the new one is on its way") {
    bench.write(rules_for("transfers"));
    CHECK_FALSE(publisher.look(4s, true).has_value());
    publisher.offer(0, first, 4s);
    REQUIRE(bench.published.size() == 3);
    CHECK(bench.published[2].second.sha256 == first);
  }
  SECTION("published again when the log seems to have lost it, or another arbiter had the partition") {
    publisher.offer(0, first, 63s);
    CHECK(bench.published.size() == 2);
    publisher.offer(0, first, 64s);
    CHECK(bench.published.size() == 3);
    publisher.forget(0);
    publisher.offer(0, first, 64s);
    CHECK(bench.published.size() == 4);
  }
  SECTION("a full queue is asked again") {
    publisher.forget(0);
    bench.accept = false;
    publisher.offer(0, first, 5s);
    bench.accept = true;
    publisher.offer(0, first, 5s);
    CHECK(bench.published.size() == 3);
  }
}

TEST_CASE("a bad file is refused once and the rules before it stay") {
  Bench bench;
  bench.write(rules_for("transfers"));
  auto publisher = bench.publisher();
  CHECK_FALSE(publisher.look(0s, false).has_value());
  bench.write("\nrule{}\n");
  const auto why = publisher.look(10s, true);
  REQUIRE(why.has_value());
  CHECK(*why == bench.path + ":2: rule: 'id' (text) is missing; the rules that are active stay");
  CHECK_FALSE(publisher.look(20s, false).has_value());
  CHECK_FALSE(publisher.look(30s, false).has_value());
  publisher.offer(0, "", 30s);
  REQUIRE(bench.published.size() == 1);
  CHECK(bench.published[0].second.text == rules_for("transfers"));
  std::filesystem::remove(bench.path);
  CHECK_THAT(publisher.look(40s, true).value(), Contains("No such file"));
}

TEST_CASE("rules end when the configuration names none any more") {
  Bench bench;
  bench.config = Bench::make_config("");
  auto publisher = bench.publisher();
  CHECK_FALSE(publisher.look(0s, false).has_value());
  publisher.offer(0, "", 0s);
  CHECK(bench.published.empty());
  publisher.offer(1, sha256_hex("something"), 0s);
  REQUIRE(bench.published.size() == 1);
  CHECK(bench.published[0].second.text.empty());
  publisher.offer(1, sha256_hex(""), 0s);
  CHECK(bench.published.size() == 1);
}

TEST_CASE("a shard's rules are those of the last good record, and survive a restart with their counts") {
  const auto record = [](const std::string& text) {
    return encode(AcceptedRulesRecord{"rules.lua", text, {}, "a"}).value();
  };
  ActiveRules active;
  CHECK(active.stored().empty());
  CHECK(ActiveRules::restored("").value().sha256().empty());
  CHECK_FALSE(active.activate(record(rules_for("transfers", "a") + rules_for("transfers", "b"))).has_value());
  active.changes().note_exchange("transfers", 7);
  CHECK(active.changes().counts().at("a").exchanges_since_match == 1);

  const std::string before = active.sha256();
  CHECK_FALSE(active.activate(record(rules_for("transfers", "a") + rules_for("transfers", "b"))).has_value());
  CHECK_THAT(active.activate(record("rule{}")).value(), Contains("rules.lua:1: "));
  CHECK(active.activate("{}").has_value());
  CHECK(active.sha256() == before);

  const auto again = ActiveRules::restored(active.stored());
  REQUIRE(again.has_value());
  CHECK(again->sha256() == before);
  CHECK(again->changes().counts() == active.changes().counts());
  CHECK(again->changes().rules().size() == 2);

  CHECK_FALSE(active.activate(record(rules_for("transfers", "b") + rules_for("transfers", "c"))).has_value());
  CHECK(active.changes().counts().size() == 2);
  CHECK(active.changes().counts().at("b").active_since_us == 7);
  CHECK(active.changes().counts().at("c") == AcceptedRuleCounts{});
  CHECK_FALSE(active.activate(record("")).has_value());
  CHECK(active.changes().empty());
  CHECK(active.sha256() == sha256_hex(""));
  CHECK_FALSE(ActiveRules::restored("{}").has_value());
}
