#include "gateway/json_redaction.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <utility>

#include "gateway/json_text.hpp"

namespace phoenix::gateway {
namespace {

constexpr std::size_t kMaxDepth = 128;  // as deep as the arbiter reads

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_hex_digit(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// Checks the grammar of RFC 8259 and rewrites on the way. Every function stands at the first byte of what it reads and
// says whether the text goes on behind it; if not, `state_` says why.
class Rewriter {
 public:
  Rewriter(std::string_view text, bool cut, const RedactionPaths& paths, const KeyedHash& hash)
      : text_(text), cut_(cut), paths_(paths), hash_(hash) {}

  JsonRedaction run() {
    if (text_.starts_with("\xef\xbb\xbf")) at_ = 3;  // a byte order mark, which most readers skip
    skip_space();
    if (value(paths_.all(), 0)) {
      skip_space();
      if (at_ != text_.size()) state_ = State::bad;
    }
    if (state_ == State::bad) return JsonRedaction::not_json;
    return changed_ ? JsonRedaction::changed : JsonRedaction::unchanged;
  }

  /// When changed.
  std::string take() {
    copy_up_to(text_.size());
    return std::move(out_);
  }

 private:
  using Set = RedactionPaths::Set;
  enum class State { good, bad, cut };

  bool bad() {
    state_ = State::bad;
    return false;
  }
  bool ended() {
    state_ = cut_ ? State::cut : State::bad;
    return false;
  }
  [[nodiscard]] bool at_end() const { return at_ == text_.size(); }
  void skip_space() { at_ = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size()); }
  bool expect(char c) {
    if (at_end()) return ended();
    return text_[at_] == c ? (++at_, true) : bad();
  }

  bool value(Set here, std::size_t depth) {
    if (at_end()) return ended();
    if (here != 0 && paths_.any_ends(here, depth)) return redact(depth);
    switch (text_[at_]) {
      case '{':
        return depth < kMaxDepth ? object(here, depth) : bad();
      case '[':
        return depth < kMaxDepth ? array(here, depth) : bad();
      case '"':
        return string();
      case 't':
        return literal("true");
      case 'f':
        return literal("false");
      case 'n':
        return literal("null");
      default:
        return number();
    }
  }

  bool redact(std::size_t depth) {
    const std::size_t start = at_;
    if (!value(0, depth)) {
      if (state_ == State::bad) return false;
      copy_up_to(start);  // what the end has cut cannot be hashed, and must not leave
      copied_ = text_.size();
      return false;
    }
    copy_up_to(start);
    const std::string_view found = text_.substr(start, at_ - start);
    out_ += '"';
    // A string and a number of the same digits are not equal.
    out_ += hash_.redacted(found.front() == '"' ? unescaped(found.substr(1, found.size() - 2))
                                                : std::string(1, '\0') + canonical_json(found));
    out_ += '"';
    copied_ = at_;
    return true;
  }

  void copy_up_to(std::size_t end) {
    out_.append(text_.substr(copied_, end - copied_));
    copied_ = end;
    changed_ = true;
  }

  bool object(Set here, std::size_t depth) {
    ++at_;
    skip_space();
    if (!at_end() && text_[at_] == '}') return ++at_, true;
    while (true) {
      skip_space();
      if (at_end()) return ended();
      const std::size_t start = at_ + 1;
      if (text_[at_] != '"') return bad();
      if (!string()) return false;
      const Set next = here == 0 ? 0 : member(here, depth, text_.substr(start, at_ - 1 - start));
      skip_space();
      if (!expect(':')) return false;
      skip_space();
      if (!value(next, depth + 1)) return false;
      skip_space();
      if (at_end()) return ended();
      if (text_[at_] == '}') return ++at_, true;
      if (!expect(',')) return false;
    }
  }

  [[nodiscard]] Set member(Set here, std::size_t depth, std::string_view name) const {
    if (name.find('\\') == std::string_view::npos) return paths_.into_member(here, depth, name);
    return paths_.into_member(here, depth, unescaped(name));
  }

  bool array(Set here, std::size_t depth) {
    ++at_;
    skip_space();
    if (!at_end() && text_[at_] == ']') return ++at_, true;
    for (std::size_t index = 0;; ++index) {
      skip_space();
      if (!value(here == 0 ? 0 : paths_.into_element(here, depth, index), depth + 1)) return false;
      skip_space();
      if (at_end()) return ended();
      if (text_[at_] == ']') return ++at_, true;
      if (!expect(',')) return false;
    }
  }

  bool string() {
    for (++at_; !at_end(); ++at_) {
      const char c = text_[at_];
      if (c == '"') return ++at_, true;
      if (static_cast<unsigned char>(c) < 0x20) return bad();
      if (c == '\\' && !escape()) return false;
    }
    return ended();
  }

  // Ends at its last byte.
  bool escape() {
    if (++at_ == text_.size()) return ended();
    if (text_[at_] != 'u') return std::string_view("\"\\/bfnrt").find(text_[at_]) != std::string_view::npos || bad();
    for (int i = 0; i < 4; ++i) {
      if (++at_ == text_.size()) return ended();
      if (!is_hex_digit(text_[at_])) return bad();
    }
    return true;
  }

  bool literal(std::string_view word) {
    const std::string_view found = text_.substr(at_, word.size());
    if (!word.starts_with(found)) return bad();
    at_ += found.size();
    return found.size() == word.size() || ended();
  }

  bool number() {
    if (text_[at_] == '-') ++at_;
    if (at_end()) return ended();
    if (text_[at_] == '0') {
      ++at_;
    } else if (!digits()) {
      return false;
    }
    if (!at_end() && text_[at_] == '.' && (++at_, !digits())) return false;
    if (!at_end() && (text_[at_] == 'e' || text_[at_] == 'E')) {
      ++at_;
      if (!at_end() && (text_[at_] == '+' || text_[at_] == '-')) ++at_;
      if (!digits()) return false;
    }
    return at_end() && cut_ ? ended() : true;  // more digits may have followed
  }

  bool digits() {
    if (at_end()) return ended();
    if (!is_digit(text_[at_])) return bad();
    while (!at_end() && is_digit(text_[at_])) ++at_;
    return true;
  }

  const std::string_view text_;
  const bool cut_;
  const RedactionPaths& paths_;
  const KeyedHash& hash_;
  State state_ = State::good;
  std::size_t at_ = 0;
  std::size_t copied_ = 0;  // so much of the text stands in `out_`, or has been replaced there
  bool changed_ = false;
  std::string out_;
};

std::string unescaped_segment(std::string_view segment) {
  std::string name;
  for (std::size_t i = 0; i < segment.size(); ++i) {
    const std::string_view pair = segment.substr(i, 2);
    const bool escaped = pair == "~0" || pair == "~1";
    name += escaped ? (pair == "~0" ? '~' : '/') : segment[i];
    if (escaped) ++i;
  }
  return name;
}

}  // namespace

RedactionPaths::RedactionPaths(const std::vector<std::string>& pointers) {
  for (std::string_view rest : pointers) {
    auto& path = paths_.emplace_back();
    while (!rest.empty()) {
      rest.remove_prefix(1);
      const std::size_t slash = std::min(rest.find('/'), rest.size());
      Segment segment{unescaped_segment(rest.substr(0, slash)), std::nullopt, rest.substr(0, slash) == "*"};
      std::size_t index = 0;
      const char* end = segment.name.data() + segment.name.size();
      const auto [stop, error] = std::from_chars(segment.name.data(), end, index);
      if (error == std::errc{} && stop == end && std::to_string(index) == segment.name) segment.index = index;
      path.push_back(std::move(segment));
      rest.remove_prefix(slash);
    }
  }
}

template <class Matches>
RedactionPaths::Set RedactionPaths::step(Set here, std::size_t depth, Matches matches) const {
  Set next = 0;
  for (; here != 0; here &= here - 1) {
    const auto i = static_cast<std::size_t>(std::countr_zero(here));
    if (depth < paths_[i].size() && (paths_[i][depth].any || matches(paths_[i][depth]))) next |= Set{1} << i;
  }
  return next;
}

RedactionPaths::Set RedactionPaths::into_member(Set here, std::size_t depth, std::string_view name) const {
  return step(here, depth, [&](const Segment& segment) { return segment.name == name; });
}

RedactionPaths::Set RedactionPaths::into_element(Set here, std::size_t depth, std::size_t index) const {
  return step(here, depth, [&](const Segment& segment) { return segment.index == index; });
}

bool RedactionPaths::any_ends(Set here, std::size_t depth) const {
  for (; here != 0; here &= here - 1) {
    if (paths_[static_cast<std::size_t>(std::countr_zero(here))].size() == depth) return true;
  }
  return false;
}

JsonRedaction redact_json(std::string& text, bool cut, const RedactionPaths& paths, const KeyedHash& hash) {
  Rewriter rewriter(text, cut, paths, hash);
  const JsonRedaction outcome = rewriter.run();
  if (outcome == JsonRedaction::changed) text = rewriter.take();
  return outcome;
}

}  // namespace phoenix::gateway
