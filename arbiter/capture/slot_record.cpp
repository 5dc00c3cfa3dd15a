#include "arbiter/capture/slot_record.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/model/result.hpp"

namespace phoenix::capture {
namespace {

using Json = nlohmann::json;
constexpr int kVersion = 1;

Failure cannot(const char* what, const std::string& path) {
  return {ErrorCode::unavailable, fmt::format("cannot {} {}; capture.state_dir must be writable", what, path)};
}

}  // namespace

std::string difference(const SlotRecord& before, const SlotRecord& now) {
  const auto changed = [](const char* what, const std::string& from, const std::string& to) {
    return from == to ? std::string() : fmt::format("{}: {}, not {}", what, to, from);
  };
  for (const auto& reason : {changed("another Postgres cluster answers", before.cluster, now.cluster),
                             changed("another database is read", before.database, now.database),
                             changed("another slot is read", before.slot, now.slot),
                             changed("records go elsewhere", before.destination, now.destination)}) {
    if (!reason.empty()) return reason;
  }
  return {};
}

SlotRecordFile::SlotRecordFile(const std::string& directory, const std::string& side)
    : path_(directory + "/" + side + ".json") {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) throw cannot("create", directory);
}

std::optional<SlotRecord> SlotRecordFile::load() const {
  std::ifstream file(path_);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf())) return std::nullopt;
  try {
    const Json json = Json::parse(text.str());
    if (json.at("v") != kVersion) return std::nullopt;
    SlotRecord record;
    json.at("slot").get_to(record.slot);
    json.at("cluster").get_to(record.cluster);
    json.at("database").get_to(record.database);
    json.at("destination").get_to(record.destination);
    json.at("confirmed").get_to(record.confirmed);
    json.at("shapes").get_to(record.shapes);
    return record;
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

void SlotRecordFile::save(const SlotRecord& record) {
  if (saved_ == record) return;
  const Json json{{"v", kVersion},
                  {"slot", record.slot},
                  {"cluster", record.cluster},
                  {"database", record.database},
                  {"destination", record.destination},
                  {"confirmed", record.confirmed},
                  {"shapes", record.shapes}};
  const std::string temporary = path_ + ".new";
  {
    std::ofstream file(temporary, std::ios::trunc);
    file << json.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
    if (!file.flush()) throw cannot("write", temporary);
  }
  if (std::rename(temporary.c_str(), path_.c_str()) != 0) throw cannot("replace", path_);
  saved_ = record;
}

}  // namespace phoenix::capture
