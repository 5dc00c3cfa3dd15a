// The strict check of a message head before anything is forwarded, and the spans that forwarding needs. Bytes that two
// parsers could read differently (RFC 9112, sections 2.2, 3, 5, 6, 11) are refused here, never passed on. Pure.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/field_id.hpp"

namespace phoenix::gateway {

struct HeaderField {
  std::string_view name;
  std::string_view value;  // without surrounding white space
  FieldId id = FieldId::other;
};

namespace detail {
bool same_ignoring_case(const char* a, const char* b, std::size_t size);
}
inline bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && detail::same_ignoring_case(a.data(), b.data(), a.size());
}

/// Why a head was refused: the status for the client and one line for people. For a response, always a 502.
struct HeadError {
  int status = 400;
  std::string_view reason;
};

/// How far the first head reaches in `buffered`; looks only at bytes from `scanned` on, which it advances.
struct HeadEnd {
  enum class State { incomplete, complete, bare_line_feed } state = State::incomplete;
  std::size_t length = 0;  // including the empty line
};
HeadEnd find_head_end(std::string_view buffered, std::size_t& scanned);

struct Framing {
  std::optional<std::uint64_t> content_length;
  bool chunked = false;
  bool unknown_coding = false;  // never in a head that was accepted
};

/// Fields common to both directions. Views point into the text that was parsed.
struct MessageHead {
  std::vector<HeaderField> fields;
  FieldSet present;                         // ids of `fields`, and of those that were taken out since
  std::vector<std::string_view> nominated;  // by Connection: hop-by-hop for this message
  Framing framing;
  int minor_version = 1;
  bool connection_close = false;
  bool connection_keep_alive = false;

  [[nodiscard]] std::string_view find(FieldId id) const;             // first value, empty when absent
  [[nodiscard]] std::string_view find(std::string_view name) const;  // the same, of a token in any case
  [[nodiscard]] bool nominates(std::string_view name) const {        // by Connection
    return !nominated.empty() && is_nominated(name);
  }
  void clear();

 private:
  [[nodiscard]] bool is_nominated(std::string_view name) const;
};

struct RequestHead : MessageHead {
  std::string_view method;
  std::string_view target;     // as sent; for absolute-form the part from the path on
  std::string rooted_target;   // holds `target` where absolute-form had a query but no path
  std::string_view authority;  // of absolute-form: replaces Host
  std::string_view host;
  bool expects_continue = false;
  std::string_view upgrade;  // the one protocol that Upgrade and Connection ask for (RFC 9110, 7.8); empty: none
  std::optional<std::uint64_t> max_forwards;  // of OPTIONS and TRACE, for which alone it counts (RFC 9110, 7.6.2)

  /// GET, HEAD, OPTIONS, TRACE (RFC 9110, 9.2.1).
  [[nodiscard]] bool is_safe() const {
    switch (method.size()) {
      case 3:
        return std::memcmp(method.data(), "GET", 3) == 0;
      case 4:
        return std::memcmp(method.data(), "HEAD", 4) == 0;
      case 5:
        return std::memcmp(method.data(), "TRACE", 5) == 0;
      case 7:
        return std::memcmp(method.data(), "OPTIONS", 7) == 0;
      default:
        return false;
    }
  }
  [[nodiscard]] bool has_body() const { return framing.chunked || framing.content_length.value_or(0) > 0; }
};

struct ResponseHead : MessageHead {
  int status = 0;
  std::string_view reason;
  bool close_delimited = false;  // neither length nor chunked, and a body is allowed

  /// `request_method` decides whether a body may follow.
  [[nodiscard]] bool allows_body(std::string_view request_method) const;
  /// Server-sent events: each must reach the client as it comes, and the end may never come.
  [[nodiscard]] bool is_event_stream() const {
    return equals_ignoring_case(find(FieldId::content_type).substr(0, 17), "text/event-stream");
  }
};

/// Parses one complete head (ending in an empty line). `out` is overwritten; its views point into `text`.
std::optional<HeadError> parse_request_head(std::string_view text, RequestHead& out);
std::optional<HeadError> parse_response_head(std::string_view text, std::string_view request_method, ResponseHead& out);

/// Whether a 101 switches to `protocol`, as it was asked to.
[[nodiscard]] bool is_upgrade_to(const ResponseHead& head, std::string_view protocol);

/// By kHopByHop. `name` is a token.
inline bool is_hop_by_hop(std::string_view name) {
  return kHopByHop.has(field_id(name));
}

}  // namespace phoenix::gateway
