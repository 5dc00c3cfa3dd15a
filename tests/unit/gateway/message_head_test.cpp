#include "gateway/message_head.hpp"

#include "tests/support/catch.hpp"

using namespace phoenix::gateway;

namespace {
int request_status(const std::string& text) {
  RequestHead head;
  const auto error = parse_request_head(text, head);
  return error ? error->status : 200;
}
int response_status(const std::string& text) {
  ResponseHead head;
  const auto error = parse_response_head(text, "GET", head);
  return error ? error->status : 200;
}
std::string request(const std::string& fields) {
  return "POST /x HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}
}  // namespace

TEST_CASE("a plain request is read") {
  RequestHead head;
  const std::string text =
      "GET /a%2e//?q=\xc3\xa9 HTTP/1.1\r\nHost: bank:80\r\nAccept: a\r\nAccept:  b \r\nConnection: close, "
      "X-Own\r\n\r\n";
  REQUIRE_FALSE(parse_request_head(text, head));
  CHECK(head.method == "GET");
  CHECK(head.target == "/a%2e//?q=\xc3\xa9");
  CHECK(head.host == "bank:80");
  CHECK(head.fields.size() == 4);
  CHECK(head.fields[2].value == "b");
  CHECK(head.connection_close);
  REQUIRE(head.nominated.size() == 1);
  CHECK(head.nominated[0] == "X-Own");
  CHECK(head.is_safe());
}

TEST_CASE("what two parsers could read differently is refused") {
  CHECK(request_status(request("Content-Length: 3\r\n")) == 200);
  CHECK(request_status(request("Transfer-Encoding: chunked\r\n")) == 200);
  for (const char* fields :
       {"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "Content-Length: 3\r\nContent-Length: 3\r\n",
        "Content-Length: 3\r\nContent-Length: 4\r\n", "Content-Length: 3, 3\r\n", "Content-Length: +3\r\n",
        "Content-Length: 0x3\r\n", "Content-Length:\r\n", "Content-Length: 99999999999999999999\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "X: a\r\n b\r\n", "X : a\r\n", " X: a\r\n",
        "X\r\n", ": a\r\n", "X: a\rb\r\n", "X: a\x01\r\n", "X\x80: a\r\n", "Host: b\r\n", "X: \x7f\r\n"}) {
    INFO(fields);
    CHECK(request_status(request(fields)) == 400);
  }
  CHECK(request_status(request(std::string("X: a\0b\r\n", 8))) == 400);
  for (const char* coding : {"xchunked", "gzip", "chunked, chunked", "gzip, chunked", "chunked;a", "identity"}) {
    INFO(coding);
    CHECK(request_status(request(std::string("Transfer-Encoding: ") + coding + "\r\n")) == 501);
  }
}

TEST_CASE("request lines") {
  const auto line = [](const std::string& first) { return request_status(first + "\r\nHost: a\r\n\r\n"); };
  CHECK(line("GET / HTTP/1.1") == 200);
  CHECK(line("OPTIONS * HTTP/1.1") == 200);
  CHECK(line("GET http://h/x HTTP/1.1") == 200);
  for (const char* bad :
       {"GET  / HTTP/1.1", "GET /  HTTP/1.1", "GET / HTTP/1.1 ", " GET / HTTP/1.1", "GET /", "GET / HTTP/11",
        "GET / http/1.1", "G@T / HTTP/1.1", "GET x HTTP/1.1", "GET * HTTP/1.1", "GET /a b HTTP/1.1",
        "GET ftp://h/ HTTP/1.1", "GET /\x01 HTTP/1.1", "", "GET http:// HTTP/1.1"}) {
    INFO(bad);
    CHECK(line(bad) == 400);
  }
  CHECK(line("GET / HTTP/2.0") == 505);
  CHECK(line("GET / HTTP/1.2") == 505);
  CHECK(line("CONNECT a:443 HTTP/1.1") == 501);
  CHECK(request_status("GET / HTTP/1.1\r\n\r\n") == 400);
  CHECK(request_status("GET / HTTP/1.0\r\n\r\n") == 200);
  CHECK(request_status("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n") == 400);
  CHECK(request_status("GET / HTTP/1.1\r\nHost: a b\r\n\r\n") == 400);
  CHECK(request_status(request("Expect: 200-ok\r\n")) == 417);
}

TEST_CASE("absolute-form goes on as origin-form and replaces Host") {
  RequestHead head;
  const std::string text = "GET HTTP://bank:8080/x?y HTTP/1.1\r\nHost: other\r\n\r\n";
  REQUIRE_FALSE(parse_request_head(text, head));
  CHECK(head.target == "/x?y");
  CHECK(head.authority == "bank:8080");
}

TEST_CASE("responses") {
  CHECK(response_status("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n") == 200);
  CHECK(response_status("HTTP/1.1 200\r\n\r\n") == 200);
  for (const char* bad : {"HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 600 OK\r\n\r\n",
                          "HTTP/2 200 OK\r\n\r\n", "200 OK\r\n\r\n", "HTTP/1.1  200 OK\r\n\r\n",
                          "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                          "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
                          "HTTP/1.1 200 OK\r\nX : 1\r\n\r\n", "HTTP/1.1 200 O\x01K\r\n\r\n"}) {
    INFO(bad);
    CHECK(response_status(bad) == 502);
  }
  ResponseHead head;
  const std::string to_end = "HTTP/1.1 200 OK\r\n\r\n";
  REQUIRE_FALSE(parse_response_head(to_end, "GET", head));
  CHECK(head.close_delimited);
  REQUIRE_FALSE(parse_response_head(to_end, "HEAD", head));
  CHECK_FALSE(head.close_delimited);
}

TEST_CASE("the end of a head is found across reads, and bare line feeds are seen at once") {
  const std::string text = "GET / HTTP/1.1\r\nHost: a\r\n\r\nrest";
  std::size_t scanned = 0;
  for (std::size_t size = 1; size < text.size() - 4; ++size)
    CHECK(find_head_end(text.substr(0, size), scanned).state == HeadEnd::State::incomplete);
  const auto end = find_head_end(text, scanned);
  CHECK(end.state == HeadEnd::State::complete);
  CHECK(end.length == text.size() - 4);
  scanned = 0;
  CHECK(find_head_end("GET / HTTP/1.1\n", scanned).state == HeadEnd::State::bare_line_feed);
}
