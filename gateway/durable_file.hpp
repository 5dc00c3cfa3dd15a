// A small file that is replaced as a whole and survives a crash at any instant.
#pragma once

#include <optional>
#include <string>

namespace phoenix::gateway {

/// Writes beside, fsyncs, renames, fsyncs the directory. Throws Failure naming the path. Blocks on the disk.
void write_durably(const std::string& path, const std::string& content);
/// nullopt when the file does not exist; Failure when it cannot be read.
std::optional<std::string> read_file(const std::string& path);

/// A directory that one process alone may use. Created where it is missing; throws Failure naming it when another
/// process has it. Ends with the process, however that dies.
class DirectoryLock {
 public:
  explicit DirectoryLock(const std::string& directory);
  ~DirectoryLock();
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

 private:
  int fd_;
};

}  // namespace phoenix::gateway
