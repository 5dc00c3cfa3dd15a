// Telling field names by number.
#include "gateway/field_id.hpp"

#include <string>

#include "gateway/message_head.hpp"
#include "tests/support/catch.hpp"

using namespace phoenix::gateway;

TEST_CASE("names are told in any case of letters") {
  for (const auto& [name, id] : {std::pair<const char*, FieldId>{"te", FieldId::te},
                                 {"Via", FieldId::via},
                                 {"hOST", FieldId::host},
                                 {"DATE", FieldId::date},
                                 {"expect", FieldId::expect},
                                 {"Forwarded", FieldId::forwarded},
                                 {"CONNECTION", FieldId::connection},
                                 {"Set-Cookie", FieldId::set_cookie},
                                 {"X-REQUEST-ID", FieldId::x_request_id},
                                 {"HTTP2-Settings", FieldId::http2_settings},
                                 {"Transfer-Encoding", FieldId::transfer_encoding},
                                 {"Proxy-Authorization", FieldId::proxy_authorization},
                                 {"X-Forwarded-For", FieldId::x_forwarded_for},
                                 {"X-Forwarded-Port", FieldId::x_forwarded},
                                 {"x-forwarded-", FieldId::x_forwarded},
                                 {"X-Phoenix-Leg", FieldId::x_phoenix}}) {
    INFO(name);
    CHECK(field_id(name) == id);
  }
}

TEST_CASE("a name that is nearly another one is not that one") {
  for (const char* name : {"t", "tf", "e", "hos", "hosts", "host~", "Transfer_Encoding", "content-lengti",
                           "dontent-length", "content-lengthx", "x-phoenix-", "x-phoeniy-leg", "x-forwarded", "x", "X-",
                           "proxy-authorizations", "accept", "a-name-that-is-longer-than-all-that-are-known"}) {
    INFO(name);
    CHECK(field_id(name) == FieldId::other);
  }
}

TEST_CASE("a head finds fields by number and by name, and knows which it has not") {
  RequestHead head;
  const std::string text = "GET / HTTP/1.1\r\nHost: a\r\nX-Own: 1\r\nx-own: 2\r\ncontent-TYPE: text/plain\r\n\r\n";
  REQUIRE_FALSE(parse_request_head(text, head));
  CHECK(head.find(FieldId::content_type) == "text/plain");
  CHECK(head.find("Content-Type") == "text/plain");
  CHECK(head.find("x-OWN") == "1");
  CHECK(head.find("x-owm").empty());
  CHECK(head.find(FieldId::date).empty());
  CHECK((head.present.has(FieldId::host) && !head.present.has(FieldId::via)));
}
