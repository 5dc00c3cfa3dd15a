// Takes secrets out of what leaves the gateway in events: values of headers, query parameters, members of JSON bodies
// and fields of forms, each replaced by a keyed hash, so that whoever reads the events can still compare them. Pure.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "core/events/exchange_event.hpp"
#include "core/runtime/config_gateway.hpp"
#include "gateway/json_redaction.hpp"
#include "gateway/keyed_hash.hpp"
#include "gateway/message_head.hpp"

namespace phoenix::gateway {

/// What stands in an event in the place of something else. Views of it stay valid as it grows.
using ReplacedTexts = std::deque<std::string>;

/// A body as it is to be published.
struct CapturedBody {
  std::string& text;
  bool& truncated;
  std::uint64_t& hash;  ///< of the whole body
};

/// Immutable, usable by all threads at once.
class Redactor {
 public:
  explicit Redactor(const config::GatewayConfig::Redact& config);

  /// Into `out`, as views of the head and of what stands in `replaced` in the place of secrets.
  void headers(const MessageHead& head, BasicHeaderList<std::string_view>& out, ReplacedTexts& replaced) const;
  /// A request target: the values of the named query parameters. Itself, or what stands in `replaced` in its place.
  [[nodiscard]] std::string_view target(std::string_view target, ReplacedTexts& replaced) const;
  /// With rules for JSON, of a body that is neither JSON nor a form with rules for its fields nothing is left, and it
  /// counts as truncated. A hash that would tell what was taken out, or cut off, becomes a keyed one.
  void body(CapturedBody body, std::string_view content_type) const;

 private:
  [[nodiscard]] bool is_secret(const HeaderField& field) const;
  [[nodiscard]] bool is_secret_field(std::string_view name) const;
  [[nodiscard]] std::size_t secret_value_in(std::string_view pair) const;
  bool redact_pairs(std::string_view pairs, bool cut, std::string& out) const;
  [[nodiscard]] bool redact_form(std::string& form, bool cut) const;

  const KeyedHash hash_;
  const std::vector<std::string> headers_;
  const RedactionPaths json_;
  const std::vector<std::string> fields_;  // of a query or a form
};

}  // namespace phoenix::gateway
