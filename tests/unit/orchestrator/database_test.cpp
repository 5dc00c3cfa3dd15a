#include "orchestrator/database.hpp"

#include "tests/support/catch.hpp"

using namespace phoenix::orchestrator;

TEST_CASE("the database in a connection string is read and replaced") {
  CHECK(database_name("postgresql:///phoenix") == "phoenix");
  CHECK(database_name("postgresql://u:p@h:5432/bank?sslmode=require") == "bank");
  CHECK(database_name("postgresql://h").empty());
  CHECK(database_name("host=h dbname=bank user=u") == "bank");
  CHECK(database_name("host=h dbname='my bank'") == "my bank");
  CHECK(database_name("host=h").empty());
  CHECK(with_database("postgresql:///phoenix", "postgres") == "postgresql:///postgres");
  CHECK(with_database("postgresql://u:p@h:5432/bank?sslmode=require", "postgres") ==
        "postgresql://u:p@h:5432/postgres?sslmode=require");
  CHECK(with_database("postgresql://h?x=1", "postgres") == "postgresql://h/postgres?x=1");
  CHECK(with_database("host=h dbname='my bank' user=u", "postgres") == "host=h dbname=postgres user=u");
  CHECK(with_database("host=h", "postgres") == "host=h dbname=postgres");
}

TEST_CASE("timeouts are added unless given, passwords are not shown") {
  CHECK(with_timeouts("postgresql:///x") == "postgresql:///x?connect_timeout=3&tcp_user_timeout=5000");
  CHECK(with_timeouts("postgresql:///x?connect_timeout=9&tcp_user_timeout=1") ==
        "postgresql:///x?connect_timeout=9&tcp_user_timeout=1");
  CHECK(with_timeouts("dbname=x") == "dbname=x connect_timeout=3 tcp_user_timeout=5000");
  CHECK(without_password("postgresql://u:secret@h/x") == "postgresql://u:***@h/x");
  CHECK(without_password("postgresql://u@h/x") == "postgresql://u@h/x");
  CHECK(without_password("host=h password='s e' dbname=x") == "host=h password=*** dbname=x");
}
