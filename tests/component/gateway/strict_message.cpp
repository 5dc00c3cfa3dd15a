#include "strict_message.hpp"

#include <strings.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace phoenix::test {
namespace {

bool is_token(std::string_view text) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
           kMarks.find(c) != std::string_view::npos;
  });
}

bool is_text(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

// A line without its CR LF; nullopt when it has not all come.
std::optional<std::string_view> take_line(std::string_view& rest) {
  const std::size_t end = rest.find('\n');
  const std::string_view seen = rest.substr(0, end);
  const std::string_view line = seen.substr(0, seen.find('\r'));
  if (!is_text(line) || line.size() + 1 < seen.size() || (end != std::string_view::npos && line.size() == seen.size()))
    throw MalformedMessage("line '" + std::string(seen.substr(0, 80)) + "'");
  if (end == std::string_view::npos) return std::nullopt;
  rest.remove_prefix(end + 1);
  return line;
}

void take_field(StrictMessage& message, std::string_view line) {
  const std::size_t colon = line.find(": ");
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon)))
    throw MalformedMessage("field line '" + std::string(line) + "'");
  message.fields.emplace_back(line.substr(0, colon), line.substr(colon + 2));
}

std::size_t number(std::string_view text, int base) {
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (text.empty() || text.size() > 15 || error != std::errc() || end != text.data() + text.size())
    throw MalformedMessage("number '" + std::string(text) + "'");
  return value;
}

// True once the last chunk and the empty line behind it have come.
bool take_chunks(StrictMessage& message, std::string_view& rest) {
  while (true) {
    const auto line = take_line(rest);
    if (!line) return false;
    const std::size_t size = number(*line, 16);
    if (size == 0) {
      const auto last = take_line(rest);
      if (last && !last->empty()) throw MalformedMessage("trailers that nobody asked for");
      return last.has_value();
    }
    message.body.append(rest.substr(0, size));
    if (rest.size() < size + 2) return false;
    if (rest.substr(size, 2) != "\r\n") throw MalformedMessage("chunk data does not end in CR LF");
    rest.remove_prefix(size + 2);
  }
}

bool take_body(StrictMessage& message, std::string_view& rest, bool bodiless, bool is_response, bool at_end) {
  using Framing = StrictMessage::Framing;
  std::size_t lengths = 0;
  for (const auto& [name, value] : message.fields) {
    if (strcasecmp(name.c_str(), "content-length") == 0) ++lengths, message.framing = Framing::length;
    if (strcasecmp(name.c_str(), "transfer-encoding") == 0) ++lengths, message.framing = Framing::chunked;
  }
  if (lengths > 1) throw MalformedMessage("two framing fields");
  if (bodiless || (lengths == 0 && !is_response)) return true;
  switch (message.framing) {
    case Framing::chunked:
      if (message.value("transfer-encoding") != "chunked") throw MalformedMessage("transfer coding");
      return take_chunks(message, rest);
    case Framing::length: {
      const std::size_t length = number(message.value("content-length"), 10);
      message.body = rest.substr(0, length);
      rest.remove_prefix(message.body.size());
      return message.body.size() == length;
    }
    case Framing::none:
    case Framing::close:
      message.framing = Framing::close;
      message.body = rest;
      rest = {};
      return at_end;
  }
  return false;
}

bool take_head(StrictMessage& message, std::string_view& rest) {
  const auto start = take_line(rest);
  if (!start) return false;
  message.start = *start;
  while (true) {
    const auto line = take_line(rest);
    if (!line) return false;
    if (line->empty()) return message.head_complete = true;
    take_field(message, *line);
  }
}

}  // namespace

std::string StrictMessage::value(std::string_view name) const {
  for (const auto& field : fields) {
    if (field.first.size() == name.size() && strncasecmp(field.first.data(), name.data(), name.size()) == 0)
      return field.second;
  }
  return {};
}

std::string StrictMessage::target() const {
  const std::size_t from = start.find(' ') + 1;
  return start.substr(from, start.find(' ', from) - from);
}

StrictMessage read_strict_request(std::string_view bytes) {
  StrictMessage message;
  std::string_view rest = bytes;
  if (!take_head(message, rest)) return message;
  if (!is_token(message.method()) || !message.start.ends_with(" HTTP/1.1"))
    throw MalformedMessage("request line '" + message.start + "'");
  message.complete = take_body(message, rest, false, false, false);
  message.size = bytes.size() - rest.size();
  return message;
}

StrictMessage read_strict_response(std::string_view bytes, std::string_view request_method, bool at_end) {
  constexpr std::string_view kVersion = "HTTP/1.1 ";
  if (bytes.substr(0, kVersion.size()) != kVersion.substr(0, bytes.size())) throw MalformedMessage("status line");
  StrictMessage message;
  std::string_view rest = bytes;
  if (!take_head(message, rest)) return message;
  if (number(message.start.substr(9, 3), 10) < 100 || message.start.substr(12, 1) != " ")
    throw MalformedMessage("status line '" + message.start + "'");
  const int status = message.status();
  const bool bodiless = request_method == "HEAD" || status < 200 || status == 204 || status == 304;
  message.complete = take_body(message, rest, bodiless, true, at_end);
  message.size = bytes.size() - rest.size();
  return message;
}

}  // namespace phoenix::test
