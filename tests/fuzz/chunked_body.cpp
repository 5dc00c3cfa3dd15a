#include "gateway/chunked_body.hpp"

#include <optional>
#include <string>

#include "tests/fuzz/targets.hpp"

namespace phoenix::fuzz {
namespace {

using gateway::ChunkedDecoder;
using State = ChunkedDecoder::State;

struct Decoded {
  std::string body;
  std::size_t consumed = 0;
};

/// The grammar of RFC 9112, 7.1, a line at a time; nullopt for what is not a whole body.
class SlowReader {
 public:
  explicit SlowReader(std::string_view text) : text_(text) {}

  std::optional<Decoded> read() {
    Decoded result;
    while (true) {
      const auto line = take_line();
      if (!line) return std::nullopt;
      const std::size_t digits = line->find_first_not_of("0123456789abcdefABCDEF");
      const std::string number(line->substr(0, digits));
      if (number.empty() || number.size() > 15) return std::nullopt;
      if (digits != std::string_view::npos && !take_extension(line->substr(digits))) return std::nullopt;
      const std::uint64_t size = std::stoull(number, nullptr, 16);
      if (size == 0) break;
      if (size > text_.size() || !text_.substr(size).starts_with("\r\n")) return std::nullopt;
      result.body.append(take(size));
      take(2);
    }
    while (true) {
      const auto line = take_line();
      if (!line) return std::nullopt;
      if (line->empty()) break;
      const std::size_t colon = line->find(':');
      if (colon == std::string_view::npos || !is_name(line->substr(0, colon)) || !spend(*line)) return std::nullopt;
    }
    result.consumed = consumed_;
    return result;
  }

 private:
  static constexpr std::size_t kMaxLineBytes = 4096;

  std::string_view take(std::size_t size) {
    const std::string_view taken = text_.substr(0, size);
    text_.remove_prefix(size);
    consumed_ += size;
    return taken;
  }
  std::optional<std::string_view> take_line() {
    const std::size_t end = text_.find("\r\n");
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view line = take(end);
    take(2);
    return line;
  }
  // White space before the semicolon is read, and counts; the semicolon does not.
  bool take_extension(std::string_view text) {
    const std::size_t semicolon = text.find_first_not_of(" \t");
    return semicolon != std::string_view::npos && text[semicolon] == ';' && spend(text.substr(0, semicolon)) &&
           spend(text.substr(semicolon + 1));
  }
  static bool is_name(std::string_view text) {
    return !text.empty() && text.find_first_not_of(
                                "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == std::string_view::npos;
  }
  bool spend(std::string_view text) {  // on extensions and trailers, which are bounded together
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      if ((byte < 0x20 && c != '\t') || byte == 0x7f) return false;
    }
    spent_ += text.size();
    return spent_ <= kMaxLineBytes;
  }

  std::string_view text_;
  std::size_t consumed_ = 0;
  std::size_t spent_ = 0;
};

struct Outcome {
  State state = State::more;
  Decoded decoded;

  void check_same(const Outcome& other) const {
    check(state == other.state && decoded.body == other.decoded.body && decoded.consumed == other.decoded.consumed,
          "a chunked body is decoded alike however it arrives");
  }
};

class Feeder {
 public:
  void feed(std::string_view piece) {
    if (outcome_.state != State::more) return;
    const std::size_t before = piece.size();
    outcome_.state = decoder_.feed(piece, outcome_.decoded.body);
    check(outcome_.state != State::more || piece.empty(), "a decoder that wants more has taken all");
    outcome_.decoded.consumed += before - piece.size();
  }
  const Outcome& outcome() const { return outcome_; }

 private:
  ChunkedDecoder decoder_;
  Outcome outcome_;
};

Outcome decode(std::string_view input, std::size_t piece) {
  Feeder feeder;
  for (std::size_t at = 0; at < input.size(); at += piece) feeder.feed(input.substr(at, piece));
  return feeder.outcome();
}

}  // namespace

void chunked_body(std::string_view input) {
  const Outcome whole = decode(input, input.size() + 1);
  whole.check_same(decode(input, 1));
  whole.check_same(decode(input, 7));
  const std::size_t stride = 1 + input.size() / 128;
  for (std::size_t split = 0; split <= input.size(); split += stride) {
    Feeder feeder;
    feeder.feed(input.substr(0, split));
    feeder.feed(input.substr(split));
    whole.check_same(feeder.outcome());
  }

  const auto expected = SlowReader(input).read();
  check((whole.state == State::done) == expected.has_value(), "accepted by the grammar and by the decoder alike");
  if (!expected) return;
  check(whole.decoded.body == expected->body && whole.decoded.consumed == expected->consumed,
        "the chunks' data, and where the body ends");
  for (const std::size_t piece : {std::size_t{1}, std::size_t{16}, expected->body.size() + 1}) {
    std::string encoded;
    for (std::size_t at = 0; at < expected->body.size(); at += piece)
      gateway::append_chunk(encoded, std::string_view(expected->body).substr(at, piece));
    gateway::append_last_chunk(encoded);
    const Outcome again = decode(encoded, encoded.size());
    check(
        again.state == State::done && again.decoded.body == expected->body && again.decoded.consumed == encoded.size(),
        "what is encoded decodes to the same");
  }
}

}  // namespace phoenix::fuzz
