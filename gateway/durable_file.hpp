// A small file that is replaced as a whole and survives a crash at any instant.
#pragma once

#include <optional>
#include <string>

namespace phoenix::gateway {

/// Writes beside, fsyncs, renames, fsyncs the directory. Throws Failure naming the path. Blocks on the disk.
void write_durably(const std::string& path, const std::string& content);
/// nullopt when the file does not exist; Failure when it cannot be read.
std::optional<std::string> read_file(const std::string& path);

}  // namespace phoenix::gateway
