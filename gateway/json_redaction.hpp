// Replaces values of a JSON text in place, by JSON pointer; every other byte stays as it is. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/keyed_hash.hpp"

namespace phoenix::gateway {

/// JSON pointers (RFC 6901), in which a segment `*` stands for any element or member.
class RedactionPaths {
 public:
  static constexpr std::size_t kMost = 64;  // config_gateway.cpp refuses more
  using Set = std::uint64_t;                // of pointers, by bit

  explicit RedactionPaths(const std::vector<std::string>& pointers);

  [[nodiscard]] bool empty() const { return paths_.empty(); }
  [[nodiscard]] Set all() const { return paths_.empty() ? 0 : ~Set{0} >> (kMost - paths_.size()); }
  /// Those of `here`, whose first `depth` segments led to a value, that lead on to its member or element.
  [[nodiscard]] Set into_member(Set here, std::size_t depth, std::string_view name) const;
  [[nodiscard]] Set into_element(Set here, std::size_t depth, std::size_t index) const;
  [[nodiscard]] bool any_ends(Set here, std::size_t depth) const;

 private:
  struct Segment {
    std::string name;
    std::optional<std::size_t> index;  // what the name says of an array
    bool any = false;
  };
  template <class Matches>
  Set step(Set here, std::size_t depth, Matches matches) const;
  std::vector<std::vector<Segment>> paths_;
};

enum class JsonRedaction {
  unchanged,  ///< nothing stands at any of the pointers
  changed,
  not_json,  ///< or too deep (128 levels); `text` is untouched
};

/// `cut`: `text` is only the beginning of a document. A value that the end cuts is dropped where a pointer names it.
/// A value is an element of equality: strings hash their decoded text, so that the same text has the same hash in a
/// header or a query; other values hash a canonical text, in which white space, the order of members and the notation
/// of numbers do not count.
JsonRedaction redact_json(std::string& text, bool cut, const RedactionPaths& paths, const KeyedHash& hash);

}  // namespace phoenix::gateway
