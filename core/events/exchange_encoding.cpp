// Writes the frame of an exchange by hand: it is on the gateway's path, where building a document first would cost
// several times as much.
#include <algorithm>
#include <concepts>
#include <cstdint>

#include "core/events/exchange_event.hpp"
#include "core/model/byte_scan.hpp"
#include "core/model/text_cursor.hpp"

namespace phoenix {
namespace {

constexpr std::size_t kLengthBytes = 4;
constexpr unsigned char kSpace = ' ';
constexpr unsigned char kQuote = '"';
constexpr unsigned char kBackslash = '\\';
constexpr unsigned char kDelete = 0x7f;

// Strings are bytes: every byte from 0x80 on stands as the code point of the same number, so that any header value
// survives. Names, numbers and words of closed sets need no escapes; `names` are our own and short.
class JsonWriter {
 public:
  /// Behind `reserved` bytes of `out`, which is made longer as needed and not shortened.
  JsonWriter(std::string& out, std::size_t reserved) : out_(out) {
    out_.resize(std::max(out_.capacity(), kFirstBytes));
    cursor_.at = out_.data() + reserved;
    end_ = out_.data() + out_.size();
  }
  [[nodiscard]] std::size_t size() const { return static_cast<std::size_t>(cursor_.at - out_.data()); }

  void open(char bracket) {
    ensure(kPieceBytes);
    separate();
    begin(bracket);
  }
  // Names are literals: their sizes are known when they are copied.
  template <std::size_t N>
  void open(const char (&name)[N], char bracket) {
    key(name);
    begin(bracket);
  }
  void close(char bracket) {
    ensure(kPieceBytes);
    cursor_.character(bracket);
    first_ = false;
  }
  template <std::size_t N>
  void text(const char (&name)[N], std::string_view value) {
    ensure(escaped_bytes(value) + kPieceBytes);
    put_key(name);
    string(value);
  }
  template <std::size_t N>
  void optional_text(const char (&name)[N], std::string_view value) {
    if (!value.empty()) text(name, value);
  }
  /// Of a closed set.
  template <std::size_t N>
  void word(const char (&name)[N], std::string_view value) {
    key(name);
    cursor_.character('"');
    cursor_.text(value);
    cursor_.character('"');
  }
  template <std::size_t N, std::integral Number>
  void number(const char (&name)[N], Number value) {
    key(name);
    cursor_.number(value);
  }
  template <std::size_t N>
  void flag(const char (&name)[N], bool value) {
    if (!value) return;  // absent means false
    key(name);
    cursor_.text("true");
  }
  /// An array of two strings.
  void pair(std::string_view first, std::string_view second) {
    ensure(escaped_bytes(first) + escaped_bytes(second) + kPieceBytes);
    begin_pair(first);
    string(second);
    cursor_.character(']');
  }
  void pair(std::string_view first, std::uint64_t second) {
    ensure(escaped_bytes(first) + kPieceBytes);
    begin_pair(first);
    cursor_.number(second);
    cursor_.character(']');
  }

 private:
  static constexpr std::size_t kFirstBytes = 2048;
  static constexpr std::size_t kPieceBytes = 96;  // a name with its punctuation and a word or a number, brackets, and
                                                  // what copy_until() may overwrite
  static constexpr std::size_t kEscapeBytes = 6;  // \u00XX

  static std::size_t escaped_bytes(std::string_view value) { return kEscapeBytes * value.size(); }
  void ensure(std::size_t bytes) {
    if (static_cast<std::size_t>(end_ - cursor_.at) < bytes) grow(bytes);
  }
  void grow(std::size_t bytes) {
    const std::size_t used = size();
    out_.resize(std::max(used + bytes, 2 * out_.size()));
    cursor_.at = out_.data() + used;
    end_ = out_.data() + out_.size();
  }
  void separate() {
    if (!first_) cursor_.character(',');
    first_ = false;
  }
  void begin(char bracket) {
    cursor_.character(bracket);
    first_ = true;
  }
  void begin_pair(std::string_view first) {
    separate();
    cursor_.character('[');
    string(first);
    cursor_.character(',');
  }
  // Leaves room for a word or a number.
  template <std::size_t N>
  void key(const char (&name)[N]) {
    ensure(kPieceBytes);
    put_key(name);
  }
  template <std::size_t N>
  void put_key(const char (&name)[N]) {
    separate();
    cursor_.character('"');
    cursor_.text({name, N - 1});
    cursor_.text("\":");
  }
  // The caller has made room.
  void string(std::string_view value) {
    const auto is_escaped = [](auto byte) {
      return (byte < kSpace) | (byte >= kDelete) | (byte == kQuote) | (byte == kBackslash);
    };
    cursor_.character('"');
    const char* at = value.data();
    const char* const end = at + value.size();
    while (true) {
      const char* const clean_end = byte_scan::copy_until(at, end, cursor_.at, is_escaped);
      cursor_.at += clean_end - at;
      if (clean_end == end) break;
      escape(static_cast<unsigned char>(*clean_end));
      at = clean_end + 1;
    }
    cursor_.character('"');
  }
  void escape(unsigned char byte) {
    constexpr char kHex[] = "0123456789abcdef";
    cursor_.text("\\u00");
    cursor_.character(kHex[byte >> 4]);
    cursor_.character(kHex[byte & 15]);
  }

  std::string& out_;
  TextCursor cursor_;
  const char* end_ = nullptr;
  bool first_ = true;
};

template <class Text>
void write_headers(JsonWriter& json, const BasicHeaderList<Text>& headers) {
  if (headers.empty()) return;
  json.open("headers", '[');
  for (const auto& [name, value] : headers) json.pair(name, std::string_view(value));
  json.close(']');
}

template <class Text, std::size_t N>
void write_leg(JsonWriter& json, const char (&name)[N], const BasicLegRecord<Text>& leg) {
  json.open(name, '{');
  json.word("outcome", to_string(leg.outcome));
  if (leg.status != 0) json.number("status", leg.status);
  json.flag("uncertain", leg.uncertain);
  json.number("sent_at_us", leg.sent_at_us);
  json.number("duration_us", leg.duration_us);
  json.number("body_bytes", leg.body_bytes);
  json.number("body_hash", leg.body_hash);
  json.flag("truncated", leg.truncated);
  json.flag("cut", leg.cut);
  json.number("captured", leg.body.size());
  write_headers(json, leg.headers);
  json.close('}');
}

template <class Text>
void write_header(JsonWriter& json, const BasicExchangeEvent<Text>& event, bool same_body) {
  json.open('{');
  json.number("v", BasicExchangeEvent<Text>::kVersion);
  json.text("exchange_id", event.exchange_id);
  json.text("request_id", event.request_id);
  json.text("gateway", event.gateway);
  json.text("incarnation", event.incarnation);
  json.number("sequence", event.sequence);
  json.number("received_at_us", event.received_at_us);
  json.number("completed_at_us", event.completed_at_us);
  json.text("route", event.route);
  json.text("slice", event.slice);
  json.text("method", event.method);
  json.text("target", event.target);
  json.flag("write", event.write);
  json.open("keys", '[');
  for (const auto& key : event.keys) json.pair(key.key, key.sequence);
  json.close(']');
  json.word("target_side", to_string(event.target_side));
  json.word("serving_side", to_string(event.serving_side));
  json.word("stage", to_string(event.stage));
  json.number("policy_epoch", event.policy_epoch);
  json.number("rung", event.rung);
  json.flag("overlap", event.overlap);
  json.flag("parachute", event.parachute);
  json.flag("forced", event.forced);
  json.flag("calibration", event.calibration);
  json.optional_text("excluded", event.excluded);
  json.optional_text("dropped", event.dropped);
  json.open("request", '{');
  json.number("body_bytes", event.request_body_bytes);
  json.number("body_hash", event.request_body_hash);
  json.flag("truncated", event.request_truncated);
  json.number("captured", event.request_body.size());
  write_headers(json, event.request_headers);
  json.close('}');
  write_leg(json, "serving", event.serving);
  write_leg(json, "shadow", event.shadow);
  json.flag("bodies_equal", same_body);
  json.close('}');
}

template <class Text>
EventFrame encode_into(const BasicExchangeEvent<Text>& event, std::string& kept) {
  const bool same_body = event.serving.body_hash == event.shadow.body_hash && event.serving.body == event.shadow.body;
  JsonWriter json(kept, kLengthBytes);
  write_header(json, event, same_body);
  const std::size_t length = json.size() - kLengthBytes;
  for (std::size_t i = 0; i < kLengthBytes; ++i) kept[i] = static_cast<char>(length >> (24 - 8 * i));
  return {std::string_view(kept).substr(0, json.size()), event.request_body, event.serving.body,
          same_body ? std::string_view() : std::string_view(event.shadow.body)};
}

}  // namespace

EventFrame encode(const ExchangeEventView& event, std::string& kept) {
  return encode_into(event, kept);
}

std::string encode(const ExchangeEvent& event) {
  std::string out;
  const EventFrame frame = encode_into(event, out);
  out.resize(frame.header.size());
  return out.append(frame.request_body).append(frame.serving_body).append(frame.shadow_body);
}

}  // namespace phoenix
