// The accounts of all routes, in a mapped file: exact at any instant, also after SIGKILL. Beside them the few numbers
// that must survive with them.
//
// Layout, little-endian: AccountFileHeader; the columns' names; the routes' names; for each event loop and route one
// row of kColumnCapacity integers. Names are fixed in size and padded with zeros.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "gateway/accounting.hpp"
#include "gateway/route_table.hpp"

namespace phoenix::gateway {

/// What earlier processes left. `rows` are those of the latest one, by event loop and route, for what knows them by
/// number.
struct EarlierAccounts {
  std::uint32_t generation = 0;        // of the process; 0: there was none
  std::uint64_t events_delivered = 0;  // position in the event spool up to which the log has everything
  bool keys_unknown[2] = {false, false};
  bool same_columns = true;  // as this version has them: counts in spooled events name them by number
  std::vector<RouteLabel> routes;
  std::vector<std::vector<Account>> rows;

  [[nodiscard]] Account total(std::size_t route) const;
};

class AccountFile {
 public:
  /// What stands at `path`; nothing when there is no file. Throws Failure on one that is no account file.
  static EarlierAccounts read(const std::string& path);

  /// Replaces the file. It begins with the totals of `earlier` for the routes it knew by the same name. `routes` may
  /// grow later by as many again.
  AccountFile(const std::string& path, std::size_t loops, const std::vector<RouteLabel>& routes,
              const EarlierAccounts& earlier);
  ~AccountFile();
  AccountFile(const AccountFile&) = delete;
  AccountFile& operator=(const AccountFile&) = delete;

  /// One for each route in order; they stay where they are.
  [[nodiscard]] std::vector<Account*> accounts_of_loop(std::size_t loop);
  /// Whether name_routes() can take routes that a reload adds; throws Failure when not.
  void check_room(const std::vector<RouteLabel>& routes) const;
  void name_routes(const std::vector<RouteLabel>& routes);

  [[nodiscard]] std::uint32_t generation() const;
  /// Written by one thread, the event spool's.
  void set_events_delivered(std::uint64_t position);
  /// A key that became incomplete could not be put on record: after a restart all keys count as incomplete on `side`.
  void set_keys_unknown(std::size_t side, bool unknown);

 private:
  struct Mapping;
  std::unique_ptr<Mapping> mapping_;
  std::size_t named_ = 0;
};

}  // namespace phoenix::gateway
