#include "gateway/chunked_body.hpp"

#include "tests/support/catch.hpp"

using phoenix::gateway::ChunkedDecoder;

namespace {
ChunkedDecoder::State decode(const std::string& text, std::size_t step, std::string& body, std::string& left) {
  ChunkedDecoder decoder;
  auto state = ChunkedDecoder::State::more;
  std::size_t position = 0;
  while (position < text.size() && state == ChunkedDecoder::State::more) {
    std::string_view piece = std::string_view(text).substr(position, step);
    const std::size_t size = piece.size();
    state = decoder.feed(piece, body);
    position += size - piece.size();
  }
  left = text.substr(position);
  return state;
}
}  // namespace

TEST_CASE("chunks are decoded however they arrive, and what follows stays") {
  const std::string text = "4\r\nWiki\r\n5 \t;ext=\"x\"\r\npedia\r\n0\r\nTrailer: x\r\n\r\nNEXT";
  for (std::size_t step = 1; step <= text.size(); ++step) {
    std::string body, left;
    CHECK(decode(text, step, body, left) == ChunkedDecoder::State::done);
    CHECK(body == "Wikipedia");
    CHECK(left == "NEXT");
  }
}

TEST_CASE("bad chunks are refused") {
  for (const char* text : {"x\r\n",
                           "\r\n",
                           "4\nWiki",
                           "4\r\nWikiX\r\n",
                           "4\r\nWiki\rX",
                           "-4\r\n",
                           "+4\r\n",
                           "0x4\r\n",
                           " 4\r\n",
                           "4 \r\n",
                           "fffffffffffffffff\r\n",
                           "4;\x01\r\n",
                           "0\r\n X: 1\r\n\r\n",
                           "0\r\n\rX",
                           "0\r\nX: 1\r\r",
                           "4 4\r\n",
                           "0\r\nX\r\n\r\n",
                           "0\r\nX : 1\r\n\r\n",
                           "0\r\n: 1\r\n\r\n",
                           "0\r\nX(: 1\r\n\r\n",
                           "0\r\nGET / HTTP/1.1\r\n\r\n"}) {
    std::string body, left;
    INFO(text);
    CHECK(decode(text, 100, body, left) == ChunkedDecoder::State::malformed);
  }
  std::string body, left;
  CHECK(decode("1;" + std::string(10'000, 'a'), 100'000, body, left) == ChunkedDecoder::State::malformed);
  std::string trailers = "0\r\n";
  for (int i = 0; i < 4097; ++i) trailers += "a:\r\n";
  CHECK(decode(trailers, 100'000, body, left) == ChunkedDecoder::State::malformed);
}

TEST_CASE("what is encoded decodes") {
  std::string out;
  phoenix::gateway::append_chunk(out, "hello");
  phoenix::gateway::append_chunk(out, "");
  phoenix::gateway::append_last_chunk(out);
  std::string body, left;
  CHECK(decode(out, 3, body, left) == ChunkedDecoder::State::done);
  CHECK(body == "hello");
}
