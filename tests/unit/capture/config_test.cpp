// The section `capture` of the configuration.
#include "core/runtime/config.hpp"

#include "tests/support/catch.hpp"

using namespace phoenix;
using Catch::Matchers::Contains;

namespace {

std::string error_of(const std::string& capture) {
  const auto result = config::parse("capture:\n" + capture, "phoenix.yml");
  return result ? "no error" : result.error().message;
}

const std::string kLegacy = "  legacy: {url: \"postgresql://h/a\", tables: {accounts: {key: id}}}\n";

}  // namespace

TEST_CASE("capture: defaults, and tables with and without a schema") {
  const auto none = config::parse("mode: local\n", "f").value().capture;
  CHECK(none.listen == config::Endpoint{"127.0.0.1", 9210});
  CHECK(none.topic == "db-state-updates");
  CHECK(none.legacy.url.empty());
  CHECK(none.max_slot_lag == 1ull << 30);
  CHECK(none.heartbeat == std::chrono::seconds(1));
  const auto some =
      config::parse(
          "capture:\n  topic: changes\n  max_slot_lag: 0\n  modern: {url: \"postgresql://h/b\", create: true, "
          "publication: P, slot: s_1, tables: {accounts: {key: id}, bank.postings: {key: account_id}}}\n",
          "f")
          .value()
          .capture;
  CHECK(some.topic == "changes");
  CHECK(some.max_slot_lag == 0);
  CHECK(some.modern.create);
  CHECK(some.modern.publication == "P");
  CHECK(some.modern.slot == "s_1");
  CHECK(some.modern.tables ==
        std::map<std::string, std::string>{{"public.accounts", "id"}, {"bank.postings", "account_id"}});
  CHECK(none.legacy.slot == "phoenix_legacy");
  CHECK(none.modern.slot == "phoenix_modern");
  CHECK(none.modern.publication == "phoenix");
}

TEST_CASE("capture: what cannot work is refused by line and key") {
  CHECK(error_of(kLegacy) == "no error");
  CHECK_THAT(error_of("  legasy: {}\n"),
             Contains("phoenix.yml:2: capture: unknown key 'legasy'; did you mean 'legacy'?"));
  CHECK_THAT(error_of("  legacy: {url: x}\n"), Contains("capture.legacy: tables is missing"));
  CHECK_THAT(error_of("  legacy: {tables: {accounts: {}}}\n"), Contains("capture.legacy.tables.accounts: needs a key"));
  CHECK_THAT(error_of("  legacy: {tables: {accounts: {kee: id}}}\n"), Contains("did you mean 'key'?"));
  CHECK_THAT(error_of("  legacy: {tables: [accounts]}\n"), Contains("must be a mapping"));
  CHECK_THAT(error_of("  legacy: {tables: {a: {key: id}, public.a: {key: id}}}\n"), Contains("named twice"));
  CHECK_THAT(error_of("  legacy: {tables: {a: {key: id}, a: {key: id}}}\n"), Contains("twice"));
  for (const char* name : {".a", "a.", "a.b.c"})
    CHECK_THAT(error_of(std::string("  legacy: {tables: {") + name + ": {key: id}}}\n"), Contains("SCHEMA.TABLE"));
  CHECK_THAT(error_of("  legacy: {url: x, slot: Phoenix, tables: {a: {key: id}}}\n"), Contains("slot 'Phoenix'"));
  CHECK_THAT(error_of("  legacy: {url: x, publication: \"\", tables: {a: {key: id}}}\n"), Contains("publication"));
  CHECK_THAT(error_of("  topic: \"a b\"\n"), Contains("capture: topic"));
  CHECK_THAT(error_of("  heartbeat: 0ms\n"), Contains("heartbeat must be"));
  CHECK_THAT(error_of("  heartbeat: 1m\n"), Contains("heartbeat must be"));
  CHECK_THAT(error_of("  legacy: {url: x, slot: s, tables: {a: {key: id}}}\n"
                      "  modern: {url: x, slot: s, tables: {a: {key: id}}}\n"),
             Contains("same slot"));
}
