// Which requests the simulated users make: a seeded stream of operations over accounts of unequal popularity. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/result.hpp"
#include "core/runtime/clock.hpp"

namespace phoenix::traffic {

enum class Kind : std::uint8_t { read, statement, deposit, withdrawal, transfer, interest };
inline constexpr std::size_t kKinds = 6;
std::string_view to_string(Kind kind);
[[nodiscard]] constexpr std::size_t index(Kind kind) {
  return static_cast<std::size_t>(kind);
}
[[nodiscard]] constexpr bool is_write(Kind kind) {
  return kind >= Kind::deposit;
}

struct Operation {
  Kind kind = Kind::read;
  std::int64_t account = 0;       ///< whose balance the answer shows; the payer of a transfer
  std::int64_t to_account = 0;    ///< transfers only
  std::int64_t amount_minor = 0;  ///< deposits, withdrawals and transfers
  int days = 0;                   ///< interest only
};

/// Relative weights by kind.
using Mix = std::array<std::uint32_t, kKinds>;
/// "read=40,statement=10,…"; kinds not named get 0.
Result<Mix> parse_mix(std::string_view text);

class Workload {
 public:
  /// Accounts 1..accounts; popularity falls with rank^-zipf, ranks are dealt by the seed. zipf 0: all alike.
  Workload(std::uint64_t seed, std::int64_t accounts, double zipf, const Mix& mix);
  Operation next();

 private:
  std::int64_t pick_account();
  std::int64_t pick_amount(std::int64_t least, std::int64_t most);
  double uniform();

  RandomSource random_;
  std::vector<double> cumulative_;        // by rank, ends at 1
  std::vector<std::int64_t> account_of_;  // by rank
  Mix mix_;
  std::uint64_t mix_total_ = 0;
};

}  // namespace phoenix::traffic
