// What one line of the access log says. Written by hand: a JSON document per exchange would cost more than the
// exchange.
#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>

#include "gateway/access_log.hpp"
#include "gateway/exchange.hpp"
#include "gateway/http_date.hpp"

namespace phoenix::gateway {
namespace {

// Any bytes in, ASCII out: whoever reads the file never meets broken UTF-8. Bytes above 0x7f become \u0080 … \u00ff.
void append_escaped(std::string& out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte > 0x7e) {
      out.append("\\u00");
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += c;
    }
  }
}

class Line {
 public:
  explicit Line(std::int64_t at_us) {
    text_.reserve(512);
    text_.append(R"({"time":")");
    append_rfc3339_ms(text_, at_us);
    text_ += '"';
  }
  /// Nothing for an empty text: a field that is absent does not apply.
  Line& add(std::string_view name, std::string_view text) {
    if (text.empty()) return *this;
    key(name);
    text_ += '"';
    append_escaped(text_, text);
    text_ += '"';
    return *this;
  }
  Line& add(std::string_view name, std::uint64_t number) {
    key(name);
    fmt::format_to(std::back_inserter(text_), "{}", number);
    return *this;
  }
  Line& add_ms(std::string_view name, std::int64_t us) {
    key(name);
    fmt::format_to(std::back_inserter(text_), "{}.{:03}", us / 1000, us % 1000);
    return *this;
  }
  std::string done() { return std::move(text_.append("}\n")); }

 private:
  void key(std::string_view name) { text_.append(",\"").append(name).append("\":"); }
  std::string text_;
};

// The query may hold secrets: only its length is told. What an attacker makes long is cut.
void add_request(Line& line, const RequestHead& request) {
  constexpr std::size_t kMostMethod = 32;
  constexpr std::size_t kMostPath = 2048;
  const std::string_view target = request.target;
  const std::size_t mark = target.find('?');
  line.add("method", request.method.substr(0, kMostMethod)).add("path", target.substr(0, std::min(mark, kMostPath)));
  if (mark != std::string_view::npos) line.add("query_bytes", target.size() - mark - 1);
}

}  // namespace

bool wants_access_line(const config::GatewayConfig::AccessLog& config, std::string_view exchange_id) {
  if (config.path.empty()) return false;
  if (config.sample >= 1) return true;
  constexpr double kHashes = 18446744073709551616.0;  // 2^64
  return XXH3_64bits(exchange_id.data(), exchange_id.size()) < static_cast<std::uint64_t>(config.sample * kHashes);
}

std::string access_line(const Exchange& exchange, std::string_view slice_name) {
  const Leg& serving = exchange.serving;
  const Leg& shadow = exchange.shadow;
  const bool was_sent = serving.outcome != LegOutcome::none;
  Line line(exchange.received_at_us);
  line.add("exchange_id", exchange.id_text)
      .add("request_id", exchange.request_id)
      .add("client", exchange.client_address);
  add_request(line, exchange.request);
  line.add("route", exchange.route->name).add("slice", slice_name);
  line.add("stage", to_string(exchange.slice.stage));
  if (was_sent || exchange.excluded == "gate_wait") line.add("target_side", to_string(exchange.choice.target));
  if (was_sent) line.add("serving_side", to_string(exchange.serving_side()));
  if (serving.head.status > 0) line.add("status", static_cast<std::uint64_t>(serving.head.status));
  line.add("request_bytes", exchange.body_bytes);
  if (was_sent) {
    line.add("serving_outcome", to_string(serving.outcome));
    line.add("response_bytes", serving.body_bytes).add_ms("serving_ms", serving.duration_us);
  }
  if (shadow.outcome != LegOutcome::none) {
    line.add("shadow_outcome", to_string(shadow.outcome));
    if (shadow.status() > 0) line.add("shadow_status", static_cast<std::uint64_t>(shadow.status()));
    if (shadow.sent_at_us > 0) line.add_ms("shadow_ms", shadow.duration_us);
  }
  return line.add("excluded", exchange.excluded).add("dropped", exchange.dropped).done();
}

std::string refusal_line(const Exchange& exchange, std::string_view client_address, std::int64_t at_us, int status,
                         std::string_view reason) {
  Line line(at_us);
  line.add("client", client_address);
  // A target that is no path may be a URL with credentials in it.
  const std::string_view target = exchange.request.target;
  if (target.starts_with('/') || target == "*") add_request(line, exchange.request);
  return line.add("status", static_cast<std::uint64_t>(status)).add("refused", reason).done();
}

}  // namespace phoenix::gateway
