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
}

TEST_CASE("Transfer-Encoding is chunked, once and last; 501 only where the body's end is certain") {
  const auto coded = [](const std::string& coding) { return "Transfer-Encoding: " + coding + "\r\n"; };
  for (const char* bad : {"xchunked", "gzip", "chunked, chunked", "chunked, gzip", "chunked;a", "identity", "", ",",
                          ", chunked", "chunked,", "\"chunked\"", "gzip; chunked"}) {
    INFO(bad);
    CHECK(request_status(request(coded(bad))) == 400);
  }
  CHECK(request_status(request(coded("chunked") + coded("gzip"))) == 400);
  CHECK(request_status(request(coded("gzip, chunked") + "Content-Length: 1\r\n")) == 400);
  CHECK(request_status(request(coded("gzip, chunked"))) == 501);
  CHECK(request_status(request(coded("gzip") + coded("chunked"))) == 501);
  CHECK(request_status(request(coded("\tCHUNKED "))) == 200);
}

TEST_CASE("Host is a name or an address, with a port or without") {
  const auto status = [](const std::string& host) {
    return request_status("GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n");
  };
  for (const char* good :
       {"", "a", "a:", "a.b-c_d~:80", "192.0.2.1", "[::1]", "[::ffff:192.0.2.1]:8", "a%20b", "!$&'()*+,;="}) {
    INFO(good);
    CHECK(status(good) == 200);
  }
  for (const char* bad :
       {"a b",   "a/b",  "a?b", "a#b",  "u@a", "a|b", "a^b", "a`b", "a%",     "a%2",     "a%zz",     "a:b",
        "a:1:2", "a:-1", "::1", "[::1", "[",   "[]",  "]",   "[a]", "[::1]a", "[::1]:x", "\xc3\xa9", "a\\b"}) {
    INFO(bad);
    CHECK(status(bad) == 400);
  }
}

TEST_CASE("Max-Forwards counts for OPTIONS and TRACE alone") {
  const auto read = [](const std::string& method, const std::string& fields) {
    static std::string text;
    static RequestHead head;
    text = method + " /x HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
    REQUIRE_FALSE(parse_request_head(text, head));
    return head.max_forwards;
  };
  CHECK(read("OPTIONS", "max-forwards: 007\r\n") == 7);
  CHECK(read("TRACE", "Max-Forwards: 0\r\n") == 0);
  CHECK_FALSE(read("TRACE", ""));
  CHECK_FALSE(read("GET", "Max-Forwards: x\r\n"));
  for (const char* bad : {"-1", "", "1, 1", "x", "1\r\nMax-Forwards: 1"}) {
    INFO(bad);
    CHECK(request_status(std::string("TRACE /x HTTP/1.1\r\nHost: a\r\nMax-Forwards: ") + bad + "\r\n\r\n") == 400);
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
        "GET ftp://h/ HTTP/1.1", "GET /\x01 HTTP/1.1", "", "GET http:// HTTP/1.1", "GET /x#y HTTP/1.1",
        "GET http://:80/ HTTP/1.1", "GET http://h:x/ HTTP/1.1", "GET http://u@h/ HTTP/1.1"}) {
    INFO(bad);
    CHECK(line(bad) == 400);
  }
  CHECK(line("GET / HTTP/2.0") == 505);
  CHECK(line("GET / HTTP/1.2") == 505);
  CHECK(line("CONNECT a:443 HTTP/1.1") == 501);
  CHECK(line("CONNECT / HTTP/1.1") == 501);
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
  REQUIRE_FALSE(parse_request_head("OPTIONS http://bank HTTP/1.1\r\nHost: bank\r\n\r\n", head));
  CHECK(head.target == "*");
}

TEST_CASE("responses") {
  CHECK(response_status("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n") == 200);
  CHECK(response_status("HTTP/1.1 200\r\n\r\n") == 200);
  for (const char* bad :
       {"HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 600 OK\r\n\r\n", "HTTP/2 200 OK\r\n\r\n",
        "200 OK\r\n\r\n", "HTTP/1.1  200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "HTTP/1.1 200 OK\r\nX : 1\r\n\r\n",
        "HTTP/1.1 200 O\x01K\r\n\r\n", "HTTP/1.1 103 Hints\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 103 Hints\r\nContent-Length: 1\r\n\r\n"}) {
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
