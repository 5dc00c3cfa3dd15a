#include "arbiter/stream_progress.hpp"

#include "arbiter/compact_text.hpp"

namespace phoenix::arbiter {
namespace {
constexpr int kVersion = 1;
}

std::string encode(const StreamProgress& progress) {
  CompactWriter out;
  out.numbers(kVersion, progress.taken.size());
  for (const auto& [partition, taken] : progress.taken) {
    out.text(partition.first);
    out.numbers(partition.second, taken.until, taken.rows_until);
  }
  return out.take();
}

Result<StreamProgress> decode_stream_progress(const std::string& text) {
  StreamProgress progress;
  if (text.empty()) return progress;
  try {
    CompactReader in(text);
    int version = 0;
    in.numbers(version);
    if (version != kVersion) return invalid_input("stored state: progress of the change streams of another version");
    for (auto left = in.count(); left > 0; --left) {
      TopicPartition partition;
      partition.first = in.text();
      StreamProgress::Taken taken;
      in.numbers(partition.second, taken.until, taken.rows_until);
      progress.taken.emplace(std::move(partition), taken);
    }
  } catch (const Failure& failure) {
    return invalid_input(failure.what());
  }
  return progress;
}

}  // namespace phoenix::arbiter
