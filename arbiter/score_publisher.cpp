#include "arbiter/score_publisher.hpp"

namespace phoenix::arbiter {

ScorePublisher::ScorePublisher(Producer& producer, const Clock& clock, std::chrono::milliseconds interval)
    : producer_(producer), clock_(clock), interval_(interval) {}

bool ScorePublisher::is_due(const Last& last, const ScoreEvent& score, const std::string& value) const {
  if (!last.published || score.trip_reason != last.trip_reason) return true;
  const auto age = clock_.monotonic() - last.at;
  return age >= kHeartbeat || (age >= interval_ && value != last.value);
}

void ScorePublisher::offer(const std::vector<ScoreEvent>& scores, const Positions& positions) {
  for (const auto& score : scores) {
    const std::string value = encode(score);
    Last& last = last_[score.slice];
    if (!is_due(last, score, value)) continue;
    ScoreEvent complete = score;
    for (const auto& [partition, next] : positions) {
      complete.positions[fmt::format("{}/{}", partition.first, partition.second)] = next;
    }
    if (!producer_.publish(topics::kConsistencyScores, score.slice, encode(complete))) continue;  // full: next time
    last = {clock_.monotonic(), value, score.trip_reason, true};
  }
}

}  // namespace phoenix::arbiter
