#include "gateway/redactor.hpp"

#include "tests/fuzz/json_reference.hpp"
#include "tests/fuzz/targets.hpp"

namespace phoenix::fuzz {
namespace {

using gateway::Redactor;

const std::vector<std::string> kPointers = {
    "/pan", "/card/number", "/items/*/pan", "/a~1b/~0", "/list/1", "/*/secret", "/0/pan", "/", "/deep/*/*"};
const std::vector<std::string> kNames = {"token", "a b"};
constexpr std::string_view kForm = "application/x-www-form-urlencoded";
constexpr std::uint64_t kBodyHash = 77;

struct Published {
  std::string text;
  bool truncated;
  std::uint64_t hash;
};
Published publish(const Redactor& redactor, std::string_view text, bool cut, std::string_view type) {
  Published out{std::string(text), cut, kBodyHash};
  redactor.body({out.text, out.truncated, out.hash}, type);
  return out;
}

/// How long a keyed hash stands at `at`, in quotes or not; 0: none does.
std::size_t redacted_at(std::string_view text, std::size_t at) {
  constexpr std::string_view kOpening = "(redacted:";
  constexpr std::size_t kDigits = 32;
  constexpr std::size_t kLength = kOpening.size() + kDigits + 1;
  if (text[at] == '"') {
    const std::size_t inside = at + 1 < text.size() ? redacted_at(text, at + 1) : 0;
    return inside == kLength && text.substr(at + 1 + inside, 1) == "\"" ? inside + 2 : 0;
  }
  const std::string_view found = text.substr(at, kLength);
  if (found.size() < kLength || !found.starts_with(kOpening) || found.back() != ')') return 0;
  const bool hex =
      found.substr(kOpening.size(), kDigits).find_first_not_of("0123456789abcdef") == std::string_view::npos;
  return hex ? kLength : 0;
}
bool is_redacted(std::string_view text) {
  return !text.empty() && redacted_at(text, 0) == text.size();
}

// What was not replaced is what was there, in order.
void check_rest_is_kept(std::string_view before, std::string_view after) {
  std::size_t at = 0;
  std::string_view rest = before;
  while (at < after.size()) {
    std::size_t end = at;
    while (end < after.size() && redacted_at(after, end) == 0) ++end;
    std::string_view piece = after.substr(at, end - at);
    const std::size_t found = rest.find(piece);
    check(found != std::string_view::npos && (at > 0 || found == 0), "what is not secret keeps its bytes and order");
    rest.remove_prefix(found + piece.size());
    at = end + (end < after.size() ? redacted_at(after, end) : 0);
  }
}

std::vector<std::string> segments_of(const std::string& pointer) {
  std::vector<std::string> segments;
  for (nlohmann::json::json_pointer rest(pointer); !rest.empty(); rest.pop_back()) segments.push_back(rest.back());
  std::reverse(segments.begin(), segments.end());
  return segments;
}

bool names(const std::vector<std::string>& segments, const std::vector<std::string>& path) {
  return std::equal(
      segments.begin(), segments.end(), path.begin(), path.end(),
      [](const std::string& segment, const std::string& name) { return segment == "*" || segment == name; });
}

// The same document, but for keyed hashes at the pointers. Returns how many there are.
int check_same(const JsonTree& before, const JsonTree& after, std::vector<std::string>& path) {
  static const std::vector<std::vector<std::string>> pointers = [] {
    std::vector<std::vector<std::string>> all;
    for (const auto& pointer : kPointers) all.push_back(segments_of(pointer));
    return all;
  }();
  for (const auto& segments : pointers) {
    if (!names(segments, path)) continue;
    check(after.kind == JsonTree::Kind::scalar && is_redacted(after.text), "what a pointer names is a keyed hash");
    return 1;
  }
  check(before.kind == after.kind && before.text == after.text && before.children.size() == after.children.size(),
        "what no pointer names stays");
  int hashes = 0;
  for (std::size_t i = 0; i < before.children.size(); ++i) {
    check(before.children[i].name == after.children[i].name, "members keep their names");
    path.push_back(before.children[i].name);
    hashes += check_same(before.children[i], after.children[i], path);
    path.pop_back();
  }
  return hashes;
}

void check_json(std::string_view text) {
  constexpr std::size_t kMaxDepth = 128;
  static const Redactor redactor({"0123456789abcdef", {}, kPointers, {}});
  const auto reference = read_json_tree(text);
  const Published whole = publish(redactor, text, false, {});
  check_rest_is_kept(text, whole.text);
  check((whole.text == text) == (whole.hash == kBodyHash) || text.empty(), "a body that was changed has a keyed hash");
  if (reference && reference->deepest <= kMaxDepth) {
    const auto after = read_json_tree(whole.text);
    check(after.has_value() && !whole.truncated, "what was JSON is JSON");
    std::vector<std::string> path;
    const int hashes = check_same(reference->root, after->root, path);
    check(hashes > 0 || whole.text == text, "without a field nothing changes");
  } else if (!text.empty() && (reference || !nlohmann::json::accept(text))) {
    // Some texts are JSON to us and not to the reference: half surrogate pairs, broken UTF-8, numbers beyond a double.
    check(whole.truncated == whole.text.empty(), "what is no JSON goes as a whole");
  }
  const std::size_t stride = 1 + text.size() / 16;
  for (std::size_t cut = 0; cut < text.size(); cut += stride) {
    const Published part = publish(redactor, text.substr(0, cut), true, {});
    check(part.truncated && part.hash != kBodyHash, "who cut a body keys its hash");
    if (!whole.truncated) check(whole.text.starts_with(part.text), "a cut shows no more than the whole does");
  }
}

void check_no_value_is_left(std::string_view pairs) {
  for (std::size_t start = 0; start <= pairs.size();) {
    const std::size_t end = std::min(pairs.find('&', start), pairs.size());
    const std::string_view pair = pairs.substr(start, end - start);
    if (pair.starts_with("token=")) check(pair.size() == 6 || is_redacted(pair.substr(6)), "a secret field is hashed");
    if (pair.starts_with("a+b=")) check(pair.size() == 4 || is_redacted(pair.substr(4)), "a secret field is hashed");
    start = end + 1;
  }
}

void check_pairs(std::string_view text) {
  static const Redactor redactor({"0123456789abcdef", {}, {}, kNames});
  static const Redactor with_json({"0123456789abcdef", {}, kPointers, kNames});
  gateway::ReplacedTexts replaced;
  const std::string asked = "/p?" + std::string(text);
  const std::string target(redactor.target(asked, replaced));
  check(target.starts_with("/p?"), "the path stays");
  check_rest_is_kept(text, target.substr(3));
  check_no_value_is_left(target.substr(3));
  const Published form = publish(redactor, text, false, kForm);
  check(form.text == target.substr(3), "a form is redacted as a query is");
  const Published strict = publish(with_json, text, false, kForm);
  if (!nlohmann::json::accept(text))
    check(strict.text.empty() || strict.text == form.text || strict.text.find_first_of("{[\"") != std::string::npos,
          "with rules for JSON, a form or nothing");
  const std::size_t stride = 1 + text.size() / 16;
  for (std::size_t cut = 0; cut < text.size(); cut += stride) {
    const Published part = publish(redactor, text.substr(0, cut), true, kForm);
    check_no_value_is_left(part.text);
    check_rest_is_kept(text, part.text);
  }
}

}  // namespace

void redactor(std::string_view input) {
  check_json(input);
  check_pairs(input);
}

}  // namespace phoenix::fuzz
