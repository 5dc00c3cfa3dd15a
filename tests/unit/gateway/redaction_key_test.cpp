// The key of redacted values, where the configuration has none.
#include "gateway/redaction_key.hpp"

#include <sys/stat.h>

#include <fstream>

#include "core/model/result.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

using namespace phoenix;
using namespace phoenix::gateway;

namespace {
std::string key_of(const std::string& state_dir, const std::string& configured = "") {
  config::GatewayConfig section;
  section.state_dir = state_dir;
  section.redact.key = configured;
  return with_redaction_key(section).redact.key;
}
}  // namespace

TEST_CASE("a key is made once, kept for its owner alone, and differs between gateways") {
  const test::TempDir dir;
  const std::string state = dir.path() + "/a/state";
  CHECK(key_of(state, "a configured secret") == "a configured secret");
  struct stat status {};
  CHECK(stat((state + "/redaction.key").c_str(), &status) != 0);
  const std::string key = key_of(state);
  CHECK(key.size() == 64);
  CHECK(key_of(state) == key);
  REQUIRE(stat((state + "/redaction.key").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  CHECK(key_of(dir.path() + "/b") != key);
}

TEST_CASE("a damaged key is told, not used") {
  const test::TempDir dir;
  for (const char* damaged : {"", "abc", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdeX"}) {
    std::ofstream(dir.path() + "/redaction.key") << damaged;
    CHECK_THROWS_WITH(key_of(dir.path()), Catch::Contains("redaction.key") && Catch::Contains("remove the file"));
  }
}
