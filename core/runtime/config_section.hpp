// Reads one mapping of the YAML file strictly: every key that is asked for is known, every other is an error that names
// the key, its line and the nearest valid key. Internal to core/runtime.
#pragma once

#include <yaml-cpp/yaml.h>

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/runtime/config.hpp"

namespace phoenix::config {

class Section {
 public:
  /// `where` is the dotted path for messages ("gateway.timeouts"); a null or absent node is an empty section.
  Section(YAML::Node node, std::string file, std::string where);

  [[nodiscard]] bool has(const char* key);
  [[nodiscard]] Section section(const char* key);
  /// Elements of a sequence, each as a section (mappings).
  [[nodiscard]] std::vector<Section> list(const char* key);
  /// Elements of a list, each a single value or a mapping; one value may stand without the list.
  void read_each(const char* key, const std::function<std::optional<Error>(const std::string&)>& value,
                 const std::function<void(Section&)>& mapping);
  /// Members of a mapping whose names are the user's, each as a section.
  [[nodiscard]] std::vector<std::pair<std::string, Section>> entries(const char* key);

  void read(const char* key, std::string& out);
  void read(const char* key, bool& out);
  void read(const char* key, int& out, int least, int most);
  void read(const char* key, double& out, double least, double most);
  void read_count(const char* key, std::uint64_t& out);
  void read_bytes(const char* key, std::uint64_t& out);
  void read_share(const char* key, double& out);  ///< "0.1%" or 0.001, in (0, 1)
  void read(const char* key, milliseconds& out);
  void read(const char* key, Endpoint& out);
  void read(const char* key, std::vector<Endpoint>& out);
  /// One string or a list of strings.
  void read(const char* key, std::vector<std::string>& out);
  void read_weight(const char* key, std::uint32_t& basis_points);
  void read_weights(const char* key, std::vector<std::uint32_t>& basis_points);
  void read_map(const char* key, std::map<std::string, std::string>& out);
  /// Members of a mapping whose names are the user's, each once: `take_member` says what is wrong with one, or nothing.
  void read_members(const char* key,
                    const std::function<std::string(const std::string& name, const std::string& value)>& take_member);
  template <class Enum>
  void read_choice(const char* key, Enum& out, const std::vector<std::pair<std::string_view, Enum>>& choices) {
    const YAML::Node node = take(key);
    if (!node) return;
    const std::string text = scalar(node, key);
    std::string names;
    for (const auto& [name, value] : choices) {
      if (name == text) {
        out = value;
        return;
      }
      names += (names.empty() ? "" : ", ") + std::string(name);
    }
    fail(node, key, "'" + text + "' is none of " + names);
  }

  /// Call last: refuses keys that nobody asked for.
  void finish();
  [[nodiscard]] int line() const;
  [[noreturn]] void fail(const YAML::Node& at, const std::string& key, const std::string& problem) const;
  [[noreturn]] void fail(const std::string& problem) const { fail(node_, "", problem); }
  [[nodiscard]] const std::string& where() const { return where_; }

 private:
  YAML::Node take(const char* key);
  std::string scalar(const YAML::Node& node, const char* key) const;
  [[nodiscard]] std::string path_of(const std::string& key) const;
  template <class T>
  void assign(const YAML::Node& node, const char* key, Result<T> parsed, T& out);

  YAML::Node node_;
  std::string file_;
  std::string where_;
  std::set<std::string> known_;
};

/// config_gateway.cpp; `all` holds the slices already.
void read_gateway(Section gateway, GatewayConfig& out, const Config& all);
/// config_secrets.cpp
void read_redact(Section redact, GatewayConfig::Redact& out);
void read_override(Section override_section, GatewayConfig::Override& out);  // when it is there
void read_shadow_auth(Section auth, BackendConfig::ShadowAuth& out);
/// config_compare.cpp; the route's keys have been read.
void read_compare(Section compare, RouteConfig& route);
/// config_sweep.cpp
void read_ledger_table(Section table, SweepTableConfig& out);
void read_resync(Section resync, LedgerConfig& out);
void read_sweep(Section sweep, ArbiterConfig& out, const std::vector<SliceConfig>& slices);  // last of the arbiter's
/// config_capture.cpp
void read_capture(Section capture, CaptureConfig& out);
/// SCHEMA.TABLE of a name with or without its schema; fails for anything else.
std::string full_table_name(const Section& section, const std::string& name);
/// Kafka's rule; it holds in both modes so that a configuration can change its mode.
bool is_topic_name(const std::string& name);
/// config_state.cpp
void read_state(Section& arbiter, ArbiterConfig& out);
/// When everything else has been read: what the sections must have of each other.
void check_state(Section arbiter, Config& all);

}  // namespace phoenix::config
