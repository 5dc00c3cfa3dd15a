#include "gateway/mapped_log.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "core/model/result.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/poll_until.hpp"
#include "tests/support/temp_dir.hpp"

using namespace phoenix;
using namespace phoenix::gateway;
using Priority = MappedLog::Priority;

namespace {

MappedLog::Options options(const phoenix::test::TempDir& dir, std::uint64_t segment = 64 << 10,
                           std::uint64_t most = 1 << 20) {
  return {dir.path() + "/log", segment, most};
}

std::vector<std::string> all(const MappedLog& log) {
  std::vector<std::string> records;
  log.for_each([&](LogPosition, std::string_view record) { records.emplace_back(record); });
  return records;
}

std::size_t files(const phoenix::test::TempDir& dir) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(dir.path() + "/log")) ++count;
  return count;
}

}  // namespace

TEST_CASE("a log of the release before, whose checks do not know their segment's number, is read and continued") {
  const phoenix::test::TempDir dir;
  {
    MappedLog log(options(dir));
    REQUIRE(log.append({"first", ""}));
  }
  const auto path = std::filesystem::directory_iterator(dir.path() + "/log")->path();
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(7).put('1');
    char low = 0;
    file.seekg(12).get(low);
    file.seekp(12).put(static_cast<char>(low ^ 1));  // the number of the first segment
  }
  {
    MappedLog log(options(dir));
    CHECK(all(log) == std::vector<std::string>{"first"});
    REQUIRE(log.append({"second", ""}));
  }
  CHECK(all(MappedLog(options(dir))) == std::vector<std::string>{"first", "second"});
}

TEST_CASE("records come back in order, across segments and reopening") {
  const phoenix::test::TempDir dir;
  std::vector<std::string> expected;
  LogPosition last;
  for (int round = 0; round < 3; ++round) {
    MappedLog log(options(dir));
    CHECK(all(log) == expected);
    for (int i = 0; i < 200; ++i) {
      expected.push_back(std::string(static_cast<std::size_t>(i % 97) * 13 + 1, static_cast<char>('a' + i % 26)));
      const LogPosition at = log.append({expected.back().substr(0, 1), expected.back().substr(1)});
      REQUIRE(at);
      CHECK(at > last);
      CHECK(log.read(at).bytes == expected.back());
      last = at;
    }
    CHECK(all(log) == expected);
  }
  CHECK(files(dir) > 3);
}

TEST_CASE("what a process appended survives its SIGKILL") {
  const phoenix::test::TempDir dir;
  int pipe_ends[2];
  REQUIRE(::pipe(pipe_ends) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    MappedLog log(options(dir));
    for (std::uint32_t i = 1;; ++i) {
      if (!log.append({std::string_view(reinterpret_cast<const char*>(&i), sizeof i)}))
        log.drop_segments_before(UINT32_MAX);
      if (::write(pipe_ends[1], &i, sizeof i) != sizeof i) ::_exit(1);
    }
  }
  ::close(pipe_ends[1]);
  std::uint32_t told = 0;
  for (int i = 0; i < 5'000; ++i) REQUIRE(::read(pipe_ends[0], &told, sizeof told) == sizeof told);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  while (::read(pipe_ends[0], &told, sizeof told) == sizeof told) {
  }
  ::close(pipe_ends[0]);
  MappedLog log(options(dir));
  const auto records = all(log);
  REQUIRE_FALSE(records.empty());
  std::uint32_t latest = 0;
  records.back().copy(reinterpret_cast<char*>(&latest), sizeof latest);
  CHECK(latest >= told);
  CHECK(latest <= told + 1);
}

TEST_CASE("a torn end is left out, and nothing that stood behind it comes back") {
  const phoenix::test::TempDir dir;
  LogPosition second;
  {
    MappedLog log(options(dir));
    log.append({"first"});
    second = log.append({std::string(100, 's')});
    log.append({std::string(100, 't')});
  }
  const std::string path = dir.path() + "/log/00000001.log";
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(second.offset() + 50);
  file.put('X');
  file.close();
  MappedLog log(options(dir));
  CHECK(all(log) == std::vector<std::string>{"first"});
  log.append({std::string(100, 'n')});
  CHECK(all(log).size() == 2);
}

TEST_CASE("the bound is kept: new work is refused first, and what follows it up still finds room") {
  const phoenix::test::TempDir dir;
  MappedLog log(options(dir, 64 << 10, 256 << 10));
  const std::string record(1000, 'r');
  int taken = 0;
  while (log.append({record}, Priority::new_work)) ++taken;
  CHECK(taken > 150);
  CHECK(log.bytes() <= 256 << 10);
  CHECK_THAT(log.problem(), Catch::Matchers::Contains("limit of 262144 bytes"));
  for (int i = 0; i < 25; ++i) CHECK(log.append({record}));
  CHECK_FALSE(log.append({record}, Priority::new_work));
  int followed = 25;
  while (log.append({record})) ++followed;
  CHECK(followed > 60);  // half a segment, and the eighth that is kept
  log.drop_segments_before(log.end().segment());
  CHECK(log.append({record}, Priority::new_work));
  CHECK(log.bytes() <= 256 << 10);
}

TEST_CASE("a disk that takes no more is an answer, and is tried again") {
  const phoenix::test::TempDir dir;
  MappedLog log(options(dir, 64 << 10, 64 << 20));
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{4096, before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &small);
  const std::string record(1000, 'r');
  int taken = 0;
  while (log.append({record})) ++taken;
  log.maintain();
  const std::string problem = log.problem();
  ::setrlimit(RLIMIT_FSIZE, &before);
  CHECK(taken < 70);
  CHECK_THAT(problem, Catch::Matchers::Contains("cannot allocate"));
  // Not at once: a full disk must not cost a system call for each record.
  CHECK(test::poll_until([&] { return static_cast<bool>(log.append({record})); }, std::chrono::seconds(5)));
  CHECK(log.problem().empty());
}

TEST_CASE("maintain() prepares the next segment; a record larger than a segment gets one of its own") {
  const phoenix::test::TempDir dir;
  MappedLog log(options(dir));
  log.append({std::string(40 << 10, 'x')});
  CHECK(files(dir) == 1);
  log.maintain();
  CHECK(files(dir) == 2);
  const LogPosition large = log.append({std::string(300 << 10, 'y')});
  REQUIRE(large);
  CHECK(log.read(large).bytes.size() == 300 << 10);
  CHECK_FALSE(log.append({""}));
}

TEST_CASE("a segment that was dropped becomes the next one, and nothing that stood in it comes back") {
  const phoenix::test::TempDir dir;
  std::vector<std::string> expected;
  {
    MappedLog log(options(dir));
    const auto inode = [&] {
      struct stat about {};
      REQUIRE(::stat(fmt::format("{}/log/{:08x}.log", dir.path(), log.end().segment()).c_str(), &about) == 0);
      return about.st_ino;
    };
    const auto first = inode();
    while (log.end().segment() < 2) log.append({std::string(1000, 'o')});
    log.drop_segments_before(2);
    CHECK(files(dir) == 2);
    const auto bytes = log.bytes();
    while (log.end().segment() < 3) log.append({std::string(1000, 'p')});
    CHECK(inode() == first);
    CHECK(log.bytes() == bytes);
    log.drop_segments_before(3);
    // Of the same length as the old ones: what stands behind them begins as a record does.
    expected = all(log);
    for (int i = 0; i < 3; ++i) expected.emplace_back(1000, 'n'), log.append({expected.back()});
    CHECK(all(log) == expected);
  }
  {
    MappedLog again(options(dir));
    CHECK(all(again) == expected);
  }
  // As a loss of power may leave it: the zero behind the last record never reached the disk.
  const std::string path = dir.path() + "/log/00000003.log";
  const std::uint32_t length = 1000;
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(8 + expected.size() * 1008));
  file.write(reinterpret_cast<const char*>(&length), sizeof length);
  file.close();
  MappedLog log(options(dir));
  CHECK(all(log) == expected);
}

TEST_CASE("a log at rest gives its memory back, once, and loses nothing by it") {
  const phoenix::test::TempDir dir;
  MappedLog::Options brief = options(dir);
  brief.rest_after = std::chrono::milliseconds(20);
  MappedLog log(brief);
  log.append({"kept"});
  CHECK_FALSE(log.maintain());
  REQUIRE(test::poll_until([&] { return log.maintain(); }, std::chrono::seconds(10)));
  CHECK(all(log) == std::vector<std::string>{"kept"});
  log.append({"and more"});
  CHECK(all(log).size() == 2);
  CHECK_FALSE(log.maintain());
}

TEST_CASE("a record that is being read stays mapped when its segment goes") {
  const phoenix::test::TempDir dir;
  MappedLog log(options(dir));
  const LogPosition first = log.append({"kept"});
  const LogRecordView view = log.read(first);
  while (log.end().segment() < 3) log.append({std::string(30 << 10, 'x')});
  log.drop_segments_before(3);
  CHECK(view.bytes == "kept");
  CHECK(log.read(first).bytes.empty());
}

TEST_CASE("a reader follows several writers and misses nothing") {
  const phoenix::test::TempDir dir;
  MappedLog log(options(dir, 64 << 10, 64 << 20));
  constexpr int kWriters = 3, kEach = 20'000;
  std::vector<std::thread> writers;
  for (int w = 0; w < kWriters; ++w) {
    writers.emplace_back([&log, w] {
      for (int i = 0; i < kEach; ++i) {
        const int record[2] = {w, i};
        log.append({std::string_view(reinterpret_cast<const char*>(record), sizeof record)});
      }
    });
  }
  int next[kWriters] = {0, 0, 0};
  LogPosition at;
  for (int seen = 0; seen < kWriters * kEach;) {
    const auto record = log.next(at);
    if (!record) continue;
    int value[2];
    record->bytes.copy(reinterpret_cast<char*>(value), sizeof value);
    if (next[value[0]]++ != value[1]) FAIL("out of order");
    at = MappedLog::after(at, record->bytes.size());
    log.drop_segments_before(at.segment());
    ++seen;
  }
  for (auto& writer : writers) writer.join();
  CHECK_FALSE(log.next(at));
}

TEST_CASE("a file that is no log is refused by name") {
  const phoenix::test::TempDir dir;
  std::filesystem::create_directories(dir.path() + "/log");
  std::ofstream(dir.path() + "/log/00000001.log") << "something else entirely";
  try {
    MappedLog log(options(dir));
    FAIL("was opened");
  } catch (const Failure& failure) {
    CHECK_THAT(failure.what(), Catch::Matchers::Contains("00000001.log"));
  }
}
