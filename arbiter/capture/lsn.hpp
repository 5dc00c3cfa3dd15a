// Positions in Postgres' write-ahead log. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace phoenix::capture {

/// A byte position of the write-ahead log. 0: none.
using Lsn = std::uint64_t;

/// As Postgres writes it: both halves in upper-case hexadecimal, "16/B374D848".
std::string format_lsn(Lsn lsn);
/// The same back; nullopt for anything else.
std::optional<Lsn> parse_lsn(std::string_view text);

/// Postgres counts microseconds from 2000-01-01; everything here from 1970-01-01.
inline constexpr std::int64_t kPostgresEpochUs = 946'684'800'000'000;

}  // namespace phoenix::capture
