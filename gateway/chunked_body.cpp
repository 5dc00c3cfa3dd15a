#include "gateway/chunked_body.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "gateway/field_syntax.hpp"

namespace phoenix::gateway {
namespace {
int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}
bool is_text(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte >= 0x20 && byte != 0x7f) || c == '\t';
}
}  // namespace

// One byte of the framing (everything but data). Trailers are read and thrown away: they are hop-by-hop here.
ChunkedDecoder::State ChunkedDecoder::step(char c) {
  const auto go = [&](Expect next) {
    expect_ = next;
    return State::more;
  };
  switch (expect_) {
    case Expect::size:
      if (const int digit = hex_value(c); digit >= 0) {
        if (++size_digits_ > kMaxSizeDigits) return State::malformed;
        left_ = left_ * 16 + static_cast<std::uint64_t>(digit);
        return State::more;
      }
      if (size_digits_ == 0) return State::malformed;
      if (c == '\r') return go(Expect::size_lf);
      [[fallthrough]];
    case Expect::size_blank:  // "bad" white space is to be read before an extension (RFC 9112, 7.1.1), nowhere else
      if (c == ' ' || c == '\t') return ++line_bytes_ <= kMaxLineBytes ? go(Expect::size_blank) : State::malformed;
      return c == ';' ? go(Expect::size_extension) : State::malformed;
    case Expect::size_extension:
      if (c == '\r') return go(Expect::size_lf);
      return is_text(c) && ++line_bytes_ <= kMaxLineBytes ? State::more : State::malformed;
    case Expect::size_lf:
      if (c != '\n') return State::malformed;
      size_digits_ = 0;
      return go(left_ == 0 ? Expect::trailer_start : Expect::data);
    case Expect::data_cr:
      return c == '\r' ? go(Expect::data_lf) : State::malformed;
    case Expect::data_lf:
      return c == '\n' ? go(Expect::size) : State::malformed;
    case Expect::trailer_start:
      if (c == '\r') return go(Expect::end_lf);
      if (!is_token_character(c) || ++line_bytes_ > kMaxLineBytes) return State::malformed;
      return go(Expect::trailer_name);
    case Expect::trailer_name:
      if ((c != ':' && !is_token_character(c)) || ++line_bytes_ > kMaxLineBytes) return State::malformed;
      return c == ':' ? go(Expect::trailer) : State::more;
    case Expect::trailer:
      if (c == '\r') return go(Expect::trailer_lf);
      return is_text(c) && ++line_bytes_ <= kMaxLineBytes ? State::more : State::malformed;
    case Expect::trailer_lf:
      return c == '\n' ? go(Expect::trailer_start) : State::malformed;
    case Expect::end_lf:
      if (c != '\n') return State::malformed;
      expect_ = Expect::done;
      return State::done;
    case Expect::data:
    case Expect::done:
      break;
  }
  return State::done;
}

// A size line as nearly all are: whole, and without an extension. How long it is; 0: it is read byte by byte.
std::size_t ChunkedDecoder::take_size_line(std::string_view input) {
  std::uint64_t size = 0;
  std::size_t at = 0;
  for (; at < input.size(); ++at) {
    const int digit = hex_value(input[at]);
    if (digit < 0) break;
    if (at == kMaxSizeDigits) return 0;
    size = size * 16 + static_cast<std::uint64_t>(digit);
  }
  if (at == 0 || input.substr(at, 2) != "\r\n") return 0;
  left_ = size;
  expect_ = size == 0 ? Expect::trailer_start : Expect::data;
  return at + 2;
}

ChunkedDecoder::State ChunkedDecoder::feed(std::string_view& input, std::string& body) {
  body.reserve(body.size() + input.size());
  while (!input.empty() && expect_ != Expect::done) {
    if (expect_ == Expect::data) {
      const std::size_t take = std::min<std::uint64_t>(left_, input.size());
      body.append(input.data(), take);
      input.remove_prefix(take);
      left_ -= take;
      if (left_ > 0) break;
      expect_ = Expect::data_cr;
      if (!input.starts_with("\r\n")) continue;
      input.remove_prefix(2);
      expect_ = Expect::size;
    }
    if (expect_ == Expect::size && size_digits_ == 0) {
      if (const std::size_t line = take_size_line(input); line > 0) {
        input.remove_prefix(line);
        continue;
      }
      if (input.empty()) break;
    }
    const State state = step(input.front());
    if (state == State::malformed) return state;
    input.remove_prefix(1);
  }
  return expect_ == Expect::done ? State::done : State::more;
}

void append_chunk(std::string& out, std::string_view data) {
  if (data.empty()) return;
  std::array<char, 16> size{};
  char* const end = std::to_chars(size.data(), size.data() + size.size(), data.size(), 16).ptr;
  out.append(size.data(), end).append("\r\n").append(data).append("\r\n");
}

void append_last_chunk(std::string& out) {
  out.append("0\r\n\r\n");
}

}  // namespace phoenix::gateway
