#include "arbiter/pg_array.hpp"

#include <utility>

namespace phoenix::arbiter {
namespace {

constexpr std::size_t kCountAt = 12;  // behind dimensions, flags and type

void append(std::string& out, std::uint32_t number) {  // in network order
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(number >> shift & 0xff);
}

}  // namespace

PgArray::PgArray(Type type) {
  append(bytes_, 1);  // dimension
  append(bytes_, 0);  // no NULL among them
  append(bytes_, static_cast<std::uint32_t>(type));
  append(bytes_, 0);  // the count, once it is known
  append(bytes_, 1);  // index of the first
}

void PgArray::add(std::string_view value) {
  append(bytes_, static_cast<std::uint32_t>(value.size()));
  bytes_ += value;
  ++count_;
}

void PgArray::add(bool value) {
  add(std::string_view(value ? "\1" : "\0", 1));
}

void PgArray::add(std::int64_t value) {
  append(bytes_, 8);
  append(bytes_, static_cast<std::uint32_t>(static_cast<std::uint64_t>(value) >> 32));
  append(bytes_, static_cast<std::uint32_t>(static_cast<std::uint64_t>(value) & 0xffff'ffff));
  ++count_;
}

std::string PgArray::take() {
  std::string count;
  append(count, count_);
  bytes_.replace(kCountAt, count.size(), count);
  return std::move(bytes_);
}

}  // namespace phoenix::arbiter
