#include "gateway/account_file.hpp"

#include <fstream>

#include "core/model/result.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

using namespace phoenix;
using namespace phoenix::gateway;

namespace {
const std::vector<RouteLabel> kRoutes{{"unmatched", ""}, {"deposits", "s"}, {"transfers", "s"}};
}

TEST_CASE("accounts go on where the last process left them, by the names of their routes") {
  const phoenix::test::TempDir dir;
  const std::string path = dir.path() + "/accounts";
  {
    const auto none = AccountFile::read(path);
    CHECK(none.generation == 0);
    AccountFile file(path, 2, kRoutes, none);
    CHECK(file.generation() != 0);
    file.accounts_of_loop(0)[1]->received = 5;
    file.accounts_of_loop(1)[1]->received = 7;
    file.accounts_of_loop(1)[1]->excluded.count("overlap");
    file.accounts_of_loop(1)[2]->dropped.count("shutdown");
    file.set_events_delivered(4711);
    file.set_keys_unknown(1, true);
  }
  const auto earlier = AccountFile::read(path);
  CHECK(earlier.generation != 0);
  CHECK(earlier.events_delivered == 4711);
  CHECK_FALSE(earlier.keys_unknown[0]);
  CHECK(earlier.keys_unknown[1]);
  REQUIRE(earlier.routes.size() == 3);
  CHECK(earlier.routes[1].slice == "s");
  CHECK(earlier.total(1).received == 12);
  AccountFile file(path, 3, {{"unmatched", ""}, {"transfers", "s"}, {"deposits", "s"}, {"new", "s"}}, earlier);
  CHECK(file.generation() == earlier.generation + 1);
  CHECK(file.accounts_of_loop(0)[2]->received == 12);
  CHECK(file.accounts_of_loop(0)[2]->excluded.nonzero().at("overlap") == 1);
  CHECK(file.accounts_of_loop(0)[1]->dropped.total() == 1);
  CHECK(file.accounts_of_loop(1)[2]->received == 0);
  CHECK(file.accounts_of_loop(0)[3]->received == 0);
}

TEST_CASE("a reload adds routes, and rows stay where they are") {
  const phoenix::test::TempDir dir;
  AccountFile file(dir.path() + "/accounts", 1, kRoutes, {});
  Account* const first = file.accounts_of_loop(0)[1];
  auto more = kRoutes;
  more.push_back({"added", "s"});
  file.name_routes(more);
  CHECK(file.accounts_of_loop(0).size() == 4);
  CHECK(file.accounts_of_loop(0)[1] == first);
  CHECK(AccountFile::read(dir.path() + "/accounts").routes.back().name == "added");
  for (int i = 0; i < 200; ++i) more.push_back({"r" + std::to_string(i), "s"});
  CHECK_THROWS_AS(file.name_routes(more), Failure);
}

TEST_CASE("what is no account file is refused by name") {
  const phoenix::test::TempDir dir;
  const std::string path = dir.path() + "/accounts";
  std::ofstream(path) << "PHXACCT1 and then too little";
  CHECK_THROWS_WITH(AccountFile::read(path), Catch::Matchers::Contains(path));
}
