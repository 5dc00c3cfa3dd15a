#include "core/model/result.hpp"
#include "core/sim/database_setup.hpp"
#include "tests/support/catch.hpp"

using namespace phoenix::sim;

TEST_CASE("the database of a URL can be read and replaced") {
  CHECK(database_of("postgresql://u:p@h:1/bank?x=y") == "bank");
  CHECK(database_of("postgresql:///bank") == "bank");
  CHECK(database_of("postgresql://u:p@h:1/").empty());
  CHECK(database_of("postgresql://u:p@h:1").empty());
  CHECK(with_database("postgresql://u:p@h:1/bank?x=y", "postgres") == "postgresql://u:p@h:1/postgres?x=y");
  CHECK(with_database("postgresql:///bank", "postgres") == "postgresql:///postgres");
  CHECK(with_database("postgresql://h:1", "postgres") == "postgresql://h:1/postgres");
  CHECK(with_connect_timeout("postgresql:///bank") == "postgresql:///bank?connect_timeout=2");
  CHECK(with_connect_timeout("postgresql:///bank?x=y") == "postgresql:///bank?x=y&connect_timeout=2");
  CHECK(with_connect_timeout("postgresql:///bank?connect_timeout=9") == "postgresql:///bank?connect_timeout=9");
}

TEST_CASE("what is no URL, or names no database, is refused before anything is connected") {
  CHECK_THROWS_AS(set_up_database("dbname=bank", {}), phoenix::Failure);
  CHECK_THROWS_AS(set_up_database("postgresql://h:1/", {}), phoenix::Failure);
}
