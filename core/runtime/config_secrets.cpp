// Of the section `gateway`, what has to do with secrets. No message quotes one.
#include <fmt/format.h>

#include <algorithm>
#include <boost/algorithm/string/predicate.hpp>

#include "core/runtime/config_section.hpp"

namespace phoenix::config {
namespace {

constexpr std::size_t kShortestSecret = 16;  // characters; shorter ones can be guessed from what they hash or guard

bool is_field_name(const std::string& name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

/// Fields that say where a message goes, how it is framed, or that the gateway writes itself.
bool is_gateways_own(const std::string& name) {
  for (const char* own : {"host", "content-length", "transfer-encoding", "connection", "keep-alive", "te", "trailer",
                          "upgrade", "expect", "via", "x-request-id", "max-forwards", "proxy-connection"}) {
    if (boost::algorithm::iequals(name, own)) return true;
  }
  return boost::algorithm::istarts_with(name, "x-forwarded-");
}

void check_field_name(Section& section, const char* key, const std::string& name) {
  if (!is_field_name(name)) section.fail(fmt::format("{}: '{}' is no name of a header", key, name));
  if (is_gateways_own(name)) section.fail(fmt::format("{}: the header {} has a meaning of its own", key, name));
}

void check_pointer(Section& redact, std::string_view pointer) {
  if (!pointer.starts_with('/')) redact.fail(fmt::format("json: pointer '{}' must start with '/'", pointer));
  for (std::size_t i = pointer.find('~'); i != std::string_view::npos; i = pointer.find('~', i + 1)) {
    if (pointer.substr(i, 2) != "~0" && pointer.substr(i, 2) != "~1")
      redact.fail(fmt::format("json: pointer '{}': write ~0 for '~' and ~1 for '/'", pointer));
  }
}

}  // namespace

void read_redact(Section redact, GatewayConfig::Redact& out) {
  constexpr std::size_t kMostPointers = 64;
  redact.read("key", out.key);
  redact.read("headers", out.headers);
  redact.read("json", out.json);
  redact.read("query", out.query);
  redact.finish();
  if (!out.key.empty() && out.key.size() < kShortestSecret)
    redact.fail(fmt::format("key: needs at least {} characters", kShortestSecret));
  for (const auto& name : out.headers) {
    if (!is_field_name(name)) redact.fail(fmt::format("headers: '{}' is no name of a header", name));
    if (boost::algorithm::iequals(name, "x-request-id"))
      redact.fail("headers: X-Request-Id is published as the request's id and must not hold a secret");
  }
  if (out.json.size() > kMostPointers) redact.fail(fmt::format("json: at most {} pointers", kMostPointers));
  for (const auto& pointer : out.json) check_pointer(redact, pointer);
  for (const auto& name : out.query) {
    if (name.empty()) redact.fail("query: a parameter has a name");
  }
}

void read_override(Section override_section, GatewayConfig::Override& out) {
  override_section.read("header", out.header);
  override_section.read("token_header", out.token_header);
  override_section.read("token", out.token);
  override_section.finish();
  for (const auto& [key, name] : {std::pair{"header", out.header}, std::pair{"token_header", out.token_header}}) {
    check_field_name(override_section, key, name);
    // Every request that has the header would count as one that asks for a side.
    for (const char* common : {"authorization", "cookie", "accept", "content-type", "user-agent"}) {
      if (boost::algorithm::iequals(name, common))
        override_section.fail(fmt::format("{}: clients send {} anyway; choose a header of your own", key, name));
    }
  }
  if (boost::algorithm::iequals(out.header, out.token_header))
    override_section.fail("header and token_header must be two headers");
  if (out.token.size() < kShortestSecret)
    override_section.fail(fmt::format("token: needs at least {} characters", kShortestSecret));
}

void read_shadow_auth(Section auth, BackendConfig::ShadowAuth& out) {
  auth.read("header", out.header);
  auth.read("value", out.value);
  auth.read("after", out.after);
  auth.finish();
  if (out.header.empty() != out.value.empty()) auth.fail("header and value belong together");
  if (!out.enabled()) return;
  check_field_name(auth, "header", out.header);
  if (boost::algorithm::istarts_with(out.header, "x-phoenix-"))
    auth.fail("header: X-Phoenix-… is written by the gateway alone");
  const bool printable =
      std::all_of(out.value.begin(), out.value.end(), [](char c) { return c == '\t' || (c >= ' ' && c != 0x7f); });
  const auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
  if (!printable || is_blank(out.value.front()) || is_blank(out.value.back()))
    auth.fail("value: is no value of a header: printable ASCII, no blanks around it");
}

}  // namespace phoenix::config
