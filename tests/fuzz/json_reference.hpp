// A slow reference for what is read out of JSON: nlohmann's tokens, kept as a tree in which a member may stand twice.
#pragma once

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace phoenix::fuzz {

struct JsonTree {
  enum class Kind { other, scalar, array, object } kind = Kind::other;  // scalar: a string, or an integer's digits
  std::string text;
  std::string name;  // within the parent; an array's elements are named by their index
  std::vector<JsonTree> children;
};

class JsonTreeReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  JsonTree root;
  std::size_t deepest = 0;
  bool has_repeated_member = false;

  bool null() override { return put({}); }
  bool boolean(bool) override { return put({}); }
  bool number_integer(number_integer_t value) override { return put_scalar(std::to_string(value)); }
  bool number_unsigned(number_unsigned_t value) override { return put_scalar(std::to_string(value)); }
  bool number_float(number_float_t, const string_t&) override { return put({}); }
  bool string(string_t& value) override { return put_scalar(value); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(JsonTree::Kind::object); }
  bool start_array(std::size_t) override { return open(JsonTree::Kind::array); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    names_.back() = name;
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception&) override { return false; }

 private:
  bool put_scalar(std::string text) { return put({JsonTree::Kind::scalar, std::move(text), {}, {}}); }
  bool put(JsonTree value) {
    if (open_.empty()) {
      root = std::move(value);
      return true;
    }
    auto& parent = open_.back();
    value.name = parent.kind == JsonTree::Kind::array ? std::to_string(parent.children.size()) : names_.back();
    for (const auto& earlier : parent.children) has_repeated_member |= earlier.name == value.name;
    parent.children.push_back(std::move(value));
    return true;
  }
  bool open(JsonTree::Kind kind) {
    open_.push_back({kind, {}, {}, {}});
    names_.emplace_back();
    deepest = std::max(deepest, open_.size());
    return true;
  }
  bool close() {
    JsonTree value = std::move(open_.back());
    open_.pop_back();
    names_.pop_back();
    return put(std::move(value));
  }

  std::vector<JsonTree> open_;
  std::vector<std::string> names_;
};

/// nullopt for what is not one JSON text (RFC 8259). A NUL byte is no part of any, but ends the input for nlohmann.
inline std::optional<JsonTreeReader> read_json_tree(std::string_view text) {
  JsonTreeReader reader;
  const bool valid = text.find('\0') == std::string_view::npos && nlohmann::json::accept(text.begin(), text.end()) &&
                     nlohmann::json::sax_parse(text.begin(), text.end(), &reader);
  return valid ? std::optional(std::move(reader)) : std::nullopt;
}

/// The only string or integer that any reader could find at `pointer`, if there is one.
inline std::optional<std::string> slow_scalar_at(std::string_view body, const std::string& pointer) {
  constexpr std::size_t kMaxDepth = 64;
  const auto document = read_json_tree(body);
  if (!document || document->deepest > kMaxDepth) return std::nullopt;
  std::vector<std::string> segments;  // the last one first
  for (nlohmann::json::json_pointer rest(pointer); !rest.empty(); rest.pop_back()) segments.push_back(rest.back());
  const JsonTree* at = &document->root;
  for (; !segments.empty(); segments.pop_back()) {
    const JsonTree* next = nullptr;
    for (const auto& child : at->children) {
      if (child.name != segments.back()) continue;
      if (next != nullptr) return std::nullopt;
      next = &child;
    }
    if (next == nullptr) return std::nullopt;
    at = next;
  }
  return at->kind == JsonTree::Kind::scalar ? std::optional(at->text) : std::nullopt;
}

}  // namespace phoenix::fuzz
