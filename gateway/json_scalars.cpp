// Reads single values out of a JSON body by pointer in one pass over it. All of the body is looked at: where it is not
// one well-formed text, readers may differ in any of it.
#include <algorithm>
#include <charconv>
#include <cstdint>
#include <utility>

#include "gateway/json_scanner.hpp"
#include "gateway/json_text.hpp"
#include "gateway/route_table.hpp"

namespace phoenix::gateway {
namespace {

constexpr std::size_t kMaxDepth = 64;

// As a JSON pointer writes it (RFC 6901, section 3).
std::string pointer_segment(std::string_view name) {
  std::string out;
  for (const char c : name) out += c == '~' ? std::string("~0") : c == '/' ? std::string("~1") : std::string(1, c);
  return out;
}

// One pointer on its way down. Its segment at `depth` is sought among the members of the container at that depth, which
// the segments before it name.
struct Search {
  explicit Search(std::string_view of) : pointer(of), met(of.empty() || of.front() == '/') {}

  std::string_view pointer;
  std::size_t depth = 0;     // of containers; 0: the text itself
  std::size_t begin = 0;     // of the segment with its slash
  std::size_t end = 0;       // also where the search goes on
  std::string_view segment;  // between the two
  bool plain = true;         // it has no escapes
  std::size_t deepest = 0;   // depth of the deepest one that was met
  bool met;                  // the value that comes next is the one that the pointer names up to `end`
  bool repeated = false;     // a value on the way stands twice: it hides the other, and readers differ in which
  std::optional<std::string> found;

  void descend() {
    ++depth;
    begin = end;
    end = std::min(pointer.find('/', begin + 1), pointer.size());
    note_segment();
  }
  void ascend() {
    --depth;
    end = begin;
    begin = depth == 0 ? 0 : pointer.rfind('/', end - 1);
    if (depth > 0) note_segment();
  }
  void note_segment() {
    segment = pointer.substr(begin + 1, end - begin - 1);
    plain = segment.find('~') == std::string_view::npos;
  }
  void meet() {
    met = true;
    repeated = repeated || depth <= deepest;
    deepest = std::max(deepest, depth);
  }
  [[nodiscard]] bool is_whole() const { return end == pointer.size(); }
};

class ScalarFinder {
 public:
  ScalarFinder(std::string_view body, const std::vector<std::string>& pointers)
      : scan_(body), searches_(pointers.begin(), pointers.end()) {}

  std::vector<std::optional<std::string>> find() {
    const bool valid = value(0) && scan_.at_end();
    std::vector<std::optional<std::string>> out(searches_.size());
    for (std::size_t i = 0; valid && i < out.size(); ++i) {
      if (!searches_[i].repeated) out[i] = std::move(searches_[i].found);
    }
    return out;
  }

 private:
  // `depth` of the container that it stands in.
  bool value(std::size_t depth) {
    const bool met = std::exchange(any_met_, false);
    const char first = scan_.peek();
    if (first == '"') return string(met);
    if (first == '-' || (first >= '0' && first <= '9')) return number(met);
    if (first != '{' && first != '[') {
      if (met) settle([] { return std::nullopt; });
      return scan_.literal();
    }
    if (depth == kMaxDepth) return false;
    scan_.skip();
    const bool sought = met && enter();
    if (!(first == '{' ? object(depth + 1, sought) : array(depth + 1, sought))) return false;
    if (sought) leave(depth + 1);
    return true;
  }

  bool object(std::size_t depth, bool sought) {
    if (scan_.take('}')) return true;
    do {
      JsonScanner::String name;
      if (scan_.peek() != '"' || !scan_.string(name)) return false;
      if (sought) meet(depth, name);
      if (!scan_.take(':') || !value(depth)) return false;
    } while (scan_.take(','));
    return scan_.take('}');
  }

  bool array(std::size_t depth, bool sought) {
    if (scan_.take(']')) return true;
    std::size_t index = 0;
    do {
      if (sought) meet(depth, {std::to_string(index++), false});
      if (!value(depth)) return false;
    } while (scan_.take(','));
    return scan_.take(']');
  }

  bool string(bool met) {
    JsonScanner::String text;
    if (!scan_.string(text)) return false;
    if (met) settle([&] { return std::optional(text.escaped ? unescaped(text.text) : std::string(text.text)); });
    return true;
  }

  bool number(bool met) {
    JsonScanner::Number number;
    if (!scan_.number(number)) return false;
    if (met) settle([&] { return number.integer ? integer(number.text) : std::nullopt; });
    return true;
  }

  // 1.0 and 1e0 would be other keys than 1: a fraction is no identity. Nor is what many readers could not tell from its
  // neighbours.
  static std::optional<std::string> integer(std::string_view text) {
    const char* const end = text.data() + text.size();
    std::int64_t negative = 0;
    std::uint64_t positive = 0;
    const auto read =
        text.front() == '-' ? std::from_chars(text.data(), end, negative) : std::from_chars(text.data(), end, positive);
    if (read.ec != std::errc()) return std::nullopt;
    return text == "-0" ? "0" : std::string(text);
  }

  // What is sought in the container that begins here; false: nothing.
  bool enter() {
    bool sought = false;
    for (Search& search : searches_) {
      if (!std::exchange(search.met, false) || search.is_whole()) continue;
      search.descend();
      sought = true;
    }
    return sought;
  }
  void leave(std::size_t depth) {
    for (Search& search : searches_) {
      if (search.depth == depth) search.ascend();
    }
  }

  void meet(std::size_t depth, const JsonScanner::String& name) {
    for (Search& search : searches_) {
      if (search.depth != depth) continue;
      const bool same =
          search.plain && !name.escaped
              ? name.text == search.segment
              : pointer_segment(name.escaped ? unescaped(name.text) : std::string(name.text)) == search.segment;
      if (!same) continue;
      search.meet();
      any_met_ = true;
    }
  }

  template <class Text>
  void settle(Text text) {
    for (Search& search : searches_) {
      if (std::exchange(search.met, false) && search.is_whole()) search.found = text();
    }
  }

  JsonScanner scan_;
  std::vector<Search> searches_;
  bool any_met_ = true;
};

}  // namespace

std::vector<std::optional<std::string>> json_scalars_at(std::string_view body,
                                                        const std::vector<std::string>& pointers) {
  return ScalarFinder(body, pointers).find();
}

}  // namespace phoenix::gateway
