#include "arbiter/key_writers.hpp"

#include <algorithm>

namespace phoenix::arbiter {
namespace {

bool close_together(const KeyWriter& a, const KeyWriter& b) {
  return a.first_us <= b.last_us + kSplitWithinUs && b.first_us <= a.last_us + kSplitWithinUs;
}

void extend(KeyWriter& known, const KeyWriter& write) {
  if (write.last_us >= known.last_us) known.exchange_id = write.exchange_id;
  known.first_us = std::min(known.first_us, write.first_us);
  known.last_us = std::max(known.last_us, write.last_us);
}

}  // namespace

std::optional<KeyWriter> note_write(std::vector<KeyWriter>& writers, const KeyWriter& write) {
  std::optional<KeyWriter> other;
  KeyWriter* own = nullptr;
  for (auto& writer : writers) {
    if (writer.slice != write.slice || !close_together(writer, write)) continue;
    if (writer.gateway == write.gateway) {
      own = &writer;
    } else if (!other) {
      other = writer;
    }
  }
  if (own != nullptr) {
    extend(*own, write);
    return other;
  }
  writers.push_back(write);
  if (writers.size() > kWritersKept) {
    writers.erase(std::min_element(writers.begin(), writers.end(),
                                   [](const auto& a, const auto& b) { return a.last_us < b.last_us; }));
  }
  return other;
}

}  // namespace phoenix::arbiter
