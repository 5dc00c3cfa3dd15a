#include "gateway/http_date.hpp"

#include "tests/support/catch.hpp"

using namespace phoenix::gateway;

TEST_CASE("dates are written as RFC 9110, 5.6.7 shows") {
  CHECK(http_date(784'111'777) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(http_date(0) == "Thu, 01 Jan 1970 00:00:00 GMT");
  CHECK(http_date(951'782'399) == "Mon, 28 Feb 2000 23:59:59 GMT");
  CHECK(http_date(951'782'400) == "Tue, 29 Feb 2000 00:00:00 GMT");
}

TEST_CASE("now is the present second") {
  const std::time_t before = std::time(nullptr);
  const std::string now(http_date_now());
  const std::time_t after = std::time(nullptr);
  bool found = false;
  for (std::time_t at = before; at <= after; ++at) found = found || now == http_date(at);
  CHECK(found);
}
