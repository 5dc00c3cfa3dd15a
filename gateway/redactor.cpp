#include "gateway/redactor.hpp"

#include <algorithm>
#include <utility>

namespace phoenix::gateway {
namespace {

constexpr std::size_t kNone = std::string_view::npos;

bool is_form(std::string_view content_type) {
  const std::string_view type = content_type.substr(0, content_type.find_first_of("; \t"));
  return equals_ignoring_case(type, "application/x-www-form-urlencoded");
}

// What calls itself a form may be anything: some clients say so of every body. A form has none of these characters.
bool looks_like_form(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return c > ' ' && c < 0x7f && std::string_view("\"<>[]\\{}").find(c) == kNone; });
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// As lenient servers read it: a broken escape stands for itself.
std::string form_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape =
        text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0;
    if (escape) {
      out += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

}  // namespace

Redactor::Redactor(const config::GatewayConfig::Redact& config)
    : hash_(config.key), headers_(config.headers), json_(config.json), fields_(config.query) {}

bool Redactor::is_secret(const HeaderField& field) const {
  constexpr FieldSet kSecret(FieldId::authorization, FieldId::proxy_authorization, FieldId::cookie,
                             FieldId::set_cookie);
  if (kSecret.has(field.id)) return true;
  for (const auto& name : headers_) {
    if (equals_ignoring_case(field.name, name)) return true;
  }
  return false;
}

void Redactor::headers(const MessageHead& head, BasicHeaderList<std::string_view>& out, ReplacedTexts& replaced) const {
  out.clear();
  for (const auto& field : head.fields) {
    out.emplace_back(field.name, is_secret(field) ? replaced.emplace_back(hash_.redacted(field.value)) : field.value);
  }
}

std::string_view Redactor::target(std::string_view target, ReplacedTexts& replaced) const {
  const std::size_t mark = fields_.empty() ? kNone : target.find('?');
  if (mark == kNone) return target;
  std::string& out = replaced.emplace_back(target.substr(0, mark + 1));
  redact_pairs(target.substr(mark + 1), false, out);
  return out;
}

void Redactor::body(CapturedBody body, std::string_view content_type) const {
  const bool form_rules = !fields_.empty() && is_form(content_type);
  if ((json_.empty() && !form_rules) || (body.text.empty() && !body.truncated)) return;
  bool changed = body.truncated;  // the hash knows what was cut off
  const JsonRedaction as_json =
      json_.empty() ? JsonRedaction::not_json : redact_json(body.text, body.truncated, json_, hash_);
  if (as_json == JsonRedaction::changed) {
    changed = true;
  } else if (as_json == JsonRedaction::not_json) {
    if (form_rules && (json_.empty() || looks_like_form(body.text))) {
      changed = redact_form(body.text, body.truncated) || changed;
    } else if (!body.text.empty()) {
      body.text.clear();
      body.truncated = changed = true;
    }
  }
  if (changed) body.hash = hash_.rehashed(body.hash);
}

bool Redactor::is_secret_field(std::string_view name) const {
  const bool plain = name.find_first_of("%+") == kNone;
  const std::string decoded = plain ? std::string() : form_decoded(name);
  const std::string_view read = plain ? name : std::string_view(decoded);
  return std::find(fields_.begin(), fields_.end(), read) != fields_.end();
}

// Where in `name=value` a secret begins. Some servers split at ';' as well: a name behind one counts too, and then the
// rest is the secret.
std::size_t Redactor::secret_value_in(std::string_view pair) const {
  for (std::size_t start = 0;;) {
    const std::size_t semicolon = pair.find(';', start);
    const std::size_t equals = pair.find('=', start);
    if (equals == kNone) return kNone;
    if (equals < semicolon && is_secret_field(pair.substr(start, equals - start))) return equals + 1;
    if (semicolon == kNone) return kNone;
    start = semicolon + 1;
  }
}

// Appends `pairs` to `out`; true: with changes. A secret that the end may have cut is dropped.
bool Redactor::redact_pairs(std::string_view pairs, bool cut, std::string& out) const {
  bool changed = false;
  for (std::size_t start = 0;;) {
    const std::size_t end = std::min(pairs.find('&', start), pairs.size());
    const std::string_view pair = pairs.substr(start, end - start);
    const std::size_t secret = secret_value_in(pair);
    changed = changed || secret != kNone;
    out.append(pair.substr(0, secret));
    if (secret != kNone && !(cut && end == pairs.size())) out.append(hash_.redacted(form_decoded(pair.substr(secret))));
    if (end == pairs.size()) return changed;
    out += '&';
    start = end + 1;
  }
}

bool Redactor::redact_form(std::string& form, bool cut) const {
  std::string out;
  const bool changed = redact_pairs(form, cut, out);
  if (changed) form = std::move(out);
  return changed;
}

}  // namespace phoenix::gateway
