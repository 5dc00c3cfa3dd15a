// One-dimensional arrays as parameters of a statement, in Postgres's binary form (array_recv in
// src/backend/utils/adt/arrayfuncs.c): nothing is escaped here nor parsed there. Pure.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace phoenix::arbiter {

class PgArray {
 public:
  /// OIDs of types, which never change (src/include/catalog/pg_type.dat).
  enum class Type : std::uint32_t { boolean = 16, bytea = 17, bigint = 20, text = 25 };
  explicit PgArray(Type type);

  /// Bytes, or text in UTF-8 without NUL.
  void add(std::string_view value);
  void add(bool value);
  void add(std::int64_t value);
  [[nodiscard]] bool empty() const { return count_ == 0; }
  /// What is sent; nothing may be added afterwards.
  std::string take();

 private:
  std::string bytes_;
  std::uint32_t count_ = 0;
};

}  // namespace phoenix::arbiter
