#include "gateway/reload.hpp"

#include <fmt/format.h>

#include <array>
#include <utility>

namespace phoenix::gateway {

std::optional<Error> needs_restart(const config::Config& running, bool has_modern, const config::Config& next) {
  const auto refuse = [&](const char* what) {
    return invalid_input(fmt::format("{}: {}; restart the gateway for that", next.path, what));
  };
  if (!next.has_gateway) return invalid_input(next.path + ": the section 'gateway' is missing");
  const auto& before = running.gateway;
  const auto& after = next.gateway;
  const std::array<std::pair<const char*, bool>, 12> fixed{{
      {"mode cannot be changed by a reload", running.mode == next.mode},
      {"migration.name cannot be changed by a reload", running.migration_name == next.migration_name},
      {"migration.salt cannot be changed by a reload", running.salt == next.salt},
      {"event_log cannot be changed by a reload", running.event_log == next.event_log},
      {"slices cannot be changed by a reload", running.slices == next.slices},
      {"gateway.id cannot be changed by a reload", before.id == after.id},
      {"gateway.state_dir cannot be changed by a reload", before.state_dir == after.state_dir},
      {"gateway.listen cannot be changed by a reload", before.listen == after.listen},
      {"gateway.admin_listen cannot be changed by a reload", before.admin_listen == after.admin_listen},
      {"gateway.limits.spool_bytes cannot be changed by a reload",
       before.limits.spool_bytes == after.limits.spool_bytes},
      {"gateway.limits.event_spool_bytes cannot be changed by a reload",
       before.limits.event_spool_bytes == after.limits.event_spool_bytes},
      {"gateway.threads cannot be changed by a reload", before.threads == after.threads},
  }};
  for (const auto& [what, same] : fixed) {
    if (!same) return refuse(what);
  }
  if (has_modern && after.modern.empty()) return refuse("gateway.modern cannot be removed by a reload");
  return std::nullopt;
}

}  // namespace phoenix::gateway
