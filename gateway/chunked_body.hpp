// The chunked transfer coding (RFC 9112, 7.1), read strictly and incrementally. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace phoenix::gateway {

/// Feed it bytes as they come; it appends the decoded body and says when the body has ended or cannot be trusted.
class ChunkedDecoder {
 public:
  enum class State { more, done, malformed };

  /// Consumes from `input` (what is left behind the body stays in it) and appends body bytes to `body`.
  State feed(std::string_view& input, std::string& body);
  void reset() { *this = ChunkedDecoder(); }

 private:
  enum class Expect {
    size,
    size_blank,
    size_extension,
    size_lf,
    data,
    data_cr,
    data_lf,
    trailer_start,
    trailer_name,
    trailer,
    trailer_lf,
    end_lf,
    done
  };
  State step(char c);
  std::size_t take_size_line(std::string_view input);

  static constexpr std::size_t kMaxLineBytes = 4096;  // chunk extensions and trailers together: bounded, then refused
  static constexpr std::size_t kMaxSizeDigits = 15;
  Expect expect_ = Expect::size;
  std::uint64_t left_ = 0;
  std::size_t size_digits_ = 0;
  std::size_t line_bytes_ = 0;
};

/// Appends `data` as one chunk; an empty one appends nothing (use append_last_chunk).
void append_chunk(std::string& out, std::string_view data);
void append_last_chunk(std::string& out);

}  // namespace phoenix::gateway
