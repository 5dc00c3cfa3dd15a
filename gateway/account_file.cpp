#include "gateway/account_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <filesystem>

#include "core/model/result.hpp"
#include "gateway/durable_file.hpp"

namespace phoenix::gateway {
namespace {

constexpr char kMagic[8] = {'P', 'H', 'X', 'A', 'C', 'C', 'T', '1'};
constexpr std::size_t kColumnCapacity = 64;
constexpr std::size_t kColumnName = 32;
constexpr std::size_t kRouteName = 256;
static_assert(Account::kColumns <= kColumnCapacity);

struct Header {
  char magic[8];
  std::uint32_t generation;
  std::uint32_t loops;
  std::uint32_t columns;
  std::uint32_t routes;  // rows of one loop
  std::uint64_t events_delivered;
  std::uint8_t keys_unknown[2];
  std::uint8_t unused[30];
};
static_assert(sizeof(Header) == 64);

std::vector<std::string> column_names() {
  std::vector<std::string> names{"received", "handed_over", "lost"};
  for (const auto reason : kExcludedReasons) names.push_back(fmt::format("excluded {}", reason));
  for (const auto reason : kDroppedReasons) names.push_back(fmt::format("dropped {}", reason));
  return names;
}

struct Layout {
  std::size_t loops, routes;
  [[nodiscard]] std::size_t columns_at() const { return sizeof(Header); }
  [[nodiscard]] std::size_t routes_at() const { return columns_at() + kColumnCapacity * kColumnName; }
  [[nodiscard]] std::size_t row_at(std::size_t loop, std::size_t route) const {
    return routes_at() + routes * kRouteName + (loop * routes + route) * kColumnCapacity * sizeof(std::uint64_t);
  }
  [[nodiscard]] std::size_t bytes() const { return row_at(loops, 0); }
};

std::string text_at(const std::string& file, std::size_t at, std::size_t most) {
  return {file.data() + at, ::strnlen(file.data() + at, most)};
}

[[noreturn]] void not_ours(const std::string& path) {
  throw Failure(
      ErrorCode::invalid_input,
      fmt::format("'{}' is no account file, or of another version; move it away and start again (the gateway's "
                  "counts begin anew then)",
                  path));
}

Account account_at(const std::string& file, std::size_t at, const std::vector<std::size_t>& columns) {
  Account account;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (columns[i] == SIZE_MAX) continue;
    std::memcpy(account.columns() + columns[i], file.data() + at + i * sizeof(std::uint64_t), sizeof(std::uint64_t));
  }
  return account;
}

}  // namespace

struct AccountFile::Mapping {
  char* data;
  Layout layout;
  ~Mapping() { ::munmap(data, layout.bytes()); }
  [[nodiscard]] Header& header() const { return *reinterpret_cast<Header*>(data); }
  [[nodiscard]] Account& row(std::size_t loop, std::size_t route) const {
    return *reinterpret_cast<Account*>(data + layout.row_at(loop, route));
  }
};

Account EarlierAccounts::total(std::size_t route) const {
  Account sum;
  for (const auto& loop : rows) sum.add(loop[route]);
  return sum;
}

EarlierAccounts AccountFile::read(const std::string& path) {
  EarlierAccounts earlier;
  const auto file = read_file(path);
  if (!file) return earlier;
  Header header{};
  if (file->size() < sizeof header) not_ours(path);
  std::memcpy(&header, file->data(), sizeof header);
  const Layout layout{header.loops, header.routes};
  const bool fits = header.loops < 4096 && header.routes < 1'000'000 && header.columns <= kColumnCapacity &&
                    file->size() == layout.bytes();
  if (std::memcmp(header.magic, kMagic, sizeof kMagic) != 0 || !fits) not_ours(path);
  earlier.generation = header.generation;
  earlier.events_delivered = header.events_delivered;
  for (std::size_t side = 0; side < 2; ++side) earlier.keys_unknown[side] = header.keys_unknown[side] != 0;
  // Another version may have other reasons: columns are known by name.
  const auto names = column_names();
  std::vector<std::size_t> columns;
  for (std::size_t i = 0; i < header.columns; ++i) {
    const auto name = text_at(*file, layout.columns_at() + i * kColumnName, kColumnName);
    const auto found = std::find(names.begin(), names.end(), name);
    columns.push_back(found == names.end() ? SIZE_MAX : static_cast<std::size_t>(found - names.begin()));
  }
  for (std::size_t i = 0; i < names.size(); ++i)
    earlier.same_columns = earlier.same_columns && i < columns.size() && columns[i] == i;
  for (std::size_t i = 0; i < layout.routes; ++i) {
    const auto name = text_at(*file, layout.routes_at() + i * kRouteName, kRouteName);
    if (name.empty()) break;
    const auto blank = name.find('\n');
    if (blank == std::string::npos) not_ours(path);
    earlier.routes.push_back({name.substr(blank + 1), name.substr(0, blank)});
  }
  for (std::size_t loop = 0; loop < layout.loops; ++loop) {
    auto& rows = earlier.rows.emplace_back();
    for (std::size_t i = 0; i < earlier.routes.size(); ++i)
      rows.push_back(account_at(*file, layout.row_at(loop, i), columns));
  }
  return earlier;
}

AccountFile::AccountFile(const std::string& path, std::size_t loops, const std::vector<RouteLabel>& routes,
                         const EarlierAccounts& earlier) {
  const Layout layout{loops, routes.size() * 2 + 64};
  const std::string beside = path + ".new";
  const int fd = ::open(beside.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  int error = fd < 0 ? errno : ::posix_fallocate(fd, 0, static_cast<off_t>(layout.bytes()));
  void* at = MAP_FAILED;
  if (error == 0) {
    at = ::mmap(nullptr, layout.bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) error = errno;
  }
  if (fd >= 0) ::close(fd);
  if (error != 0)
    throw Failure(ErrorCode::unavailable, fmt::format("cannot create '{}': {}", beside, std::strerror(error)));
  mapping_.reset(new Mapping{static_cast<char*>(at), layout});
  Header& header = mapping_->header();
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  // Events in the spool may know an account by it: where the file was moved away, it must not come again.
  header.generation = earlier.generation != 0 ? earlier.generation + 1 : static_cast<std::uint32_t>(std::time(nullptr));
  header.loops = static_cast<std::uint32_t>(layout.loops);
  header.routes = static_cast<std::uint32_t>(layout.routes);
  header.columns = Account::kColumns;
  header.events_delivered = earlier.events_delivered;
  for (std::size_t side = 0; side < 2; ++side) header.keys_unknown[side] = earlier.keys_unknown[side] ? 1 : 0;
  const auto names = column_names();
  for (std::size_t i = 0; i < names.size(); ++i)
    names[i].copy(mapping_->data + layout.columns_at() + i * kColumnName, kColumnName - 1);
  name_routes(routes);
  for (std::size_t i = 0; i < routes.size(); ++i) {
    for (std::size_t known = 0; known < earlier.routes.size(); ++known) {
      if (earlier.routes[known].name == routes[i].name) mapping_->row(0, i) = earlier.total(known);
    }
  }
  // What stands there so far counts until all of this does.
  if (::rename(beside.c_str(), path.c_str()) != 0)
    throw Failure(ErrorCode::unavailable, fmt::format("cannot replace '{}': {}", path, std::strerror(errno)));
}

AccountFile::~AccountFile() = default;

std::vector<Account*> AccountFile::accounts_of_loop(std::size_t loop) {
  std::vector<Account*> accounts;
  for (std::size_t i = 0; i < named_; ++i) accounts.push_back(&mapping_->row(loop, i));
  return accounts;
}

void AccountFile::check_room(const std::vector<RouteLabel>& routes) const {
  if (routes.size() > mapping_->layout.routes)
    throw Failure(
        ErrorCode::conflict,
        fmt::format("{} routes were added since the start, and the account file has no place for more; restart "
                    "the gateway for that",
                    routes.size() - named_));
  for (const auto& route : routes) {
    if (route.slice.size() + 1 + route.name.size() >= kRouteName)
      throw Failure(ErrorCode::invalid_input,
                    fmt::format("the name of route '{}' is too long: at most {} bytes with its "
                                "slice's",
                                route.name, kRouteName - 2));
  }
}

void AccountFile::name_routes(const std::vector<RouteLabel>& routes) {
  check_room(routes);
  for (; named_ < routes.size(); ++named_) {
    const std::string name = routes[named_].slice + "\n" + routes[named_].name;
    name.copy(mapping_->data + mapping_->layout.routes_at() + named_ * kRouteName, kRouteName - 1);
  }
}

std::uint32_t AccountFile::generation() const {
  return mapping_->header().generation;
}

void AccountFile::set_events_delivered(std::uint64_t position) {
  std::atomic_ref<std::uint64_t>(mapping_->header().events_delivered).store(position, std::memory_order_release);
}

void AccountFile::set_keys_unknown(std::size_t side, bool unknown) {
  std::atomic_ref<std::uint8_t>(mapping_->header().keys_unknown[side]).store(unknown ? 1 : 0);
}

}  // namespace phoenix::gateway
