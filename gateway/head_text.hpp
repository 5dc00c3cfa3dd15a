// A head as it is being written: appended to a string that is made long enough once. Pure.
#pragma once

#include <cstring>
#include <string>
#include <string_view>

#include "core/model/text_cursor.hpp"
#include "gateway/message_head.hpp"

namespace phoenix::gateway {

class HeadText {
 public:
  /// At most `most_bytes` will be appended to `out`. The caller adds up kFieldBytes and the size of name and value for
  /// each field, and its other text.
  HeadText(std::string& out, std::size_t most_bytes) : out_(out) {
    const std::size_t before = out.size();
    out.resize(before + most_bytes);
    cursor_.at = out.data() + before;
  }
  ~HeadText() {
    flush();
    out_.resize(static_cast<std::size_t>(cursor_.at - out_.data()));
  }
  HeadText(const HeadText&) = delete;
  HeadText& operator=(const HeadText&) = delete;

  static constexpr std::size_t kFieldBytes = 4;  // ": " and the end of the line
  static std::size_t size_of(const MessageHead& head) {
    std::size_t size = 0;
    for (const auto& field : head.fields) size += field.name.size() + field.value.size() + kFieldBytes;
    return size;
  }

  HeadText& text(std::string_view piece) {
    flush();
    cursor_.text(piece);
    return *this;
  }
  HeadText& number(std::uint64_t value) {
    flush();
    cursor_.number(value);
    return *this;
  }
  /// `name` with its colon and space.
  HeadText& field(std::string_view name, std::string_view value) {
    flush();
    cursor_.text(name);
    cursor_.text(value);
    cursor_.text("\r\n");
    return *this;
  }
  /// As it stands in the head that was parsed. Neighbours are copied in one piece, unless there is other white space
  /// around a value than one space before it.
  void keep(const HeaderField& field) {
    const char* const line = field.name.data();
    const char* const line_end = field.value.data() + field.value.size();
    const bool plain = line + field.name.size() + 2 == field.value.data() && field.value.data()[-1] == ' ' &&
                       std::memcmp(line_end, "\r\n", 2) == 0;
    if (!plain) {
      text(field.name).text(": ").text(field.value).text("\r\n");
      return;
    }
    if (line != run_end_) {
      flush();
      run_ = line;
    }
    run_end_ = line_end + 2;
  }

 private:
  void flush() {
    if (run_ == nullptr) return;
    cursor_.text({run_, static_cast<std::size_t>(run_end_ - run_)});
    run_ = run_end_ = nullptr;
  }

  std::string& out_;
  TextCursor cursor_;
  const char* run_ = nullptr;  // lines that are to be copied, if any
  const char* run_end_ = nullptr;
};

}  // namespace phoenix::gateway
