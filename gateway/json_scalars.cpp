// Reads single values out of a JSON body by pointer while scanning it once (nlohmann's SAX parser, no document).
#include <cstdint>
#include <nlohmann/json.hpp>

#include "gateway/route_table.hpp"

namespace phoenix::gateway {
namespace {

class ScalarFinder : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit ScalarFinder(const std::vector<std::string>& pointers)
      : pointers_(pointers), found_(pointers.size()), repeated_(pointers.size(), false), seen_(pointers.size(), 0) {}

  bool null() override { return value(nullptr); }
  bool boolean(bool) override { return value(nullptr); }
  bool number_integer(number_integer_t number) override { return value_text(std::to_string(number)); }
  bool number_unsigned(number_unsigned_t number) override { return value_text(std::to_string(number)); }
  // 1.0 and 1e0 would be other keys than 1: a fraction is no identity.
  bool number_float(number_float_t, const string_t&) override { return value(nullptr); }
  bool string(string_t& text) override { return value(&text); }
  bool binary(binary_t&) override { return value(nullptr); }
  bool start_object(std::size_t) override { return enter(false); }
  bool end_object() override { return leave(); }
  bool start_array(std::size_t) override { return enter(true); }
  bool end_array() override { return leave(); }
  bool key(string_t& name) override {
    path_.resize(levels_.back().path_length);
    path_ += '/';
    for (const char c : name) path_ += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override {
    failed_ = true;
    return false;
  }

  std::vector<std::optional<std::string>> take() {
    for (std::size_t i = 0; i < found_.size(); ++i) {
      if (failed_ || repeated_[i]) found_[i].reset();
    }
    return std::move(found_);
  }

 private:
  static constexpr std::size_t kMaxDepth = 64;
  struct Level {
    std::size_t path_length;
    bool array;
    std::size_t next_index;
  };

  void name_element() {
    if (levels_.empty() || !levels_.back().array) return;
    path_.resize(levels_.back().path_length);
    path_ += '/';
    path_ += std::to_string(levels_.back().next_index++);
  }
  bool value_text(std::string text) { return value(&text); }
  bool value(const std::string* text) {
    name_element();
    note(text);
    return true;
  }
  void note(const std::string* text) {
    for (std::size_t i = 0; i < pointers_.size(); ++i) {
      const std::string& pointer = pointers_[i];
      if (!pointer.starts_with(path_)) continue;
      const bool here = pointer.size() == path_.size();
      if (!here && pointer[path_.size()] != '/') continue;
      // A container on the way that is given twice hides one of the two, and readers differ in which.
      if (!levels_.empty()) {
        const std::uint64_t level = std::uint64_t{1} << (levels_.size() - 1);
        if ((seen_[i] & level) != 0) repeated_[i] = true;
        seen_[i] |= level;
      }
      if (here && text != nullptr) found_[i] = *text;
    }
  }
  bool enter(bool array) {
    name_element();
    note(nullptr);  // an object or array in a key's place counts when it is repeated
    if (levels_.size() >= kMaxDepth) {
      failed_ = true;
      return false;
    }
    levels_.push_back({path_.size(), array, 0});
    return true;
  }
  bool leave() {
    path_.resize(levels_.back().path_length);
    levels_.pop_back();
    return true;
  }

  const std::vector<std::string>& pointers_;
  std::vector<std::optional<std::string>> found_;
  std::vector<bool> repeated_;
  std::vector<std::uint64_t> seen_;  // by pointer: a bit for each level of it that was met
  std::vector<Level> levels_;
  std::string path_;
  bool failed_ = false;
};

}  // namespace

std::vector<std::optional<std::string>> json_scalars_at(std::string_view body,
                                                        const std::vector<std::string>& pointers) {
  // To this parser a NUL byte is the end of the input; to others what stands behind it belongs to the body.
  if (body.find('\0') != std::string_view::npos) return std::vector<std::optional<std::string>>(pointers.size());
  ScalarFinder finder(pointers);
  nlohmann::json::sax_parse(body.begin(), body.end(), &finder);
  return finder.take();
}

}  // namespace phoenix::gateway
