// What holds of every head that was accepted, and of finding its end.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "gateway/message_head.hpp"
#include "tests/fuzz/targets.hpp"

namespace phoenix::fuzz {

/// Bytes that would end a line or a string for another parser.
inline bool is_clean(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

inline int count(const gateway::MessageHead& head, std::string_view name) {
  return static_cast<int>(std::count_if(head.fields.begin(), head.fields.end(), [&](const gateway::HeaderField& field) {
    return gateway::equals_ignoring_case(field.name, name);
  }));
}

inline void check_accepted(const gateway::MessageHead& head) {
  for (const auto& field : head.fields) {
    check(!field.name.empty() && is_clean(field.name) && field.name.find_first_of(" \t:") == std::string_view::npos,
          "a field name is clean");
    check(is_clean(field.value), "a field value has no CR, LF or NUL");
    const auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
    check(field.value.empty() || (!is_blank(field.value.front()) && !is_blank(field.value.back())),
          "a field value has no surrounding white space");
  }
  check(!(head.framing.chunked && head.framing.content_length) && !head.framing.unknown_coding, "one known framing");
  check(count(head, "content-length") == (head.framing.content_length ? 1 : 0), "Content-Length counts, once");
  check(count(head, "transfer-encoding") == (head.framing.chunked ? 1 : 0), "Transfer-Encoding counts, once");
  check(head.minor_version == 0 || head.minor_version == 1, "version 1.0 or 1.1");
}

inline void check_same(const gateway::MessageHead& a, const gateway::MessageHead& b) {
  const auto equal = [](const gateway::HeaderField& x, const gateway::HeaderField& y) {
    return x.name == y.name && x.value == y.value;
  };
  check(std::equal(a.fields.begin(), a.fields.end(), b.fields.begin(), b.fields.end(), equal), "the same fields");
  check(a.nominated == b.nominated, "the same nominated fields");
  check(a.framing.content_length == b.framing.content_length && a.framing.chunked == b.framing.chunked,
        "the same framing");
  check(a.connection_close == b.connection_close && a.connection_keep_alive == b.connection_keep_alive &&
            a.minor_version == b.minor_version,
        "the same connection options and version");
}

inline std::string spelled_fields(const gateway::MessageHead& head) {
  std::string text;
  for (const auto& field : head.fields) text.append(field.name).append(": ").append(field.value).append("\r\n");
  return text + "\r\n";
}

/// Where the head ends by the definition: at the first empty line, unless a line feed without CR comes earlier.
inline gateway::HeadEnd slow_head_end(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\n') continue;
    if (i == 0 || text[i - 1] != '\r') return {gateway::HeadEnd::State::bare_line_feed, 0};
    if (text.substr(0, i + 1).ends_with("\r\n\r\n")) return {gateway::HeadEnd::State::complete, i + 1};
  }
  return {};
}

/// The end of the head in `input`, after checking that it is found wherever the input is cut in two and byte by byte.
inline gateway::HeadEnd checked_head_end(std::string_view input) {
  const gateway::HeadEnd expected = slow_head_end(input);
  const auto same = [&](const gateway::HeadEnd& end) {
    return end.state == expected.state && end.length == expected.length;
  };
  const std::size_t stride = 1 + input.size() / 256;  // all splits of a short input, 256 of a long one
  std::size_t dripped = 0;
  gateway::HeadEnd drip;
  for (std::size_t split = 0; split <= input.size(); ++split) {
    if (drip.state == gateway::HeadEnd::State::incomplete)
      drip = gateway::find_head_end(input.substr(0, split), dripped);
    if (split % stride != 0) continue;
    std::size_t scanned = 0;
    gateway::HeadEnd end = gateway::find_head_end(input.substr(0, split), scanned);
    if (end.state == gateway::HeadEnd::State::incomplete) end = gateway::find_head_end(input, scanned);
    check(same(end), "a head's end does not depend on where the input is cut");
  }
  check(same(drip), "a head's end is found byte by byte");
  return expected;
}

}  // namespace phoenix::fuzz
