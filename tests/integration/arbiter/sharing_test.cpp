// Arbiters of one group on real brokers (PHOENIX_TEST_KAFKA): they share the slices by their partitions, and what one
// leaves the others take over.
#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "arbiter/rebuild.hpp"
#include "child.hpp"
#include "core/runtime/clock.hpp"
#include "fixture.hpp"
#include "tests/support/catch.hpp"

using namespace phoenix;
using namespace phoenix::arbiter_test;
using namespace std::chrono_literals;

namespace {

constexpr int kSlices = 8;
constexpr std::uint64_t kEach = 400;  // exchanges of a slice in each round
constexpr int kWrongEvery = 40;

std::string slice_name(int slice) {
  return fmt::format("slice-{}", slice);
}

/// Two arbiters on topics of their own, and a gateway's part of the work: exchanges of several slices.
struct Fleet {
  Fleet() : database("sharing"), bench(database.url()) {
    bench.use_kafka(std::getenv("PHOENIX_TEST_KAFKA"), fmt::format("test-{:016x}.", random_seed()));
    bench.config.slices.clear();
    for (int slice = 0; slice < kSlices; ++slice) bench.config.slices.push_back({slice_name(slice), Stage::shadow, 0});
    yaml = bench.write_yaml();
  }

  /// The next exchanges of every slice, mixed.
  void publish_round() {
    std::vector<ExchangeEvent> events;
    for (std::uint64_t i = 0; i < kEach; ++i) {
      for (int slice = 0; slice < kSlices; ++slice) {
        const std::string account = fmt::format("{}/{}", slice_name(slice), i % 20);
        const bool wrong = ++number % kWrongEvery == 0;
        if (wrong) gaps[account] += 5;
        auto event = deposit(number, account, ++sequences[account], wrong ? "0.05" : "0.10", gaps[account]);
        event.slice = slice_name(slice);
        wrong_ids.insert(wrong ? event.exchange_id : "");
        events.push_back(std::move(event));
      }
    }
    wrong_ids.erase("");
    bench.publish(events);
  }

  [[nodiscard]] bool all_counted() const {
    return database.value("SELECT coalesce(sum(n), 0) FROM arbiter.counters WHERE verdict = 'received'") ==
           std::to_string(number);
  }

  ScratchDatabase database;
  Bench bench;
  std::string yaml;
  std::uint64_t number = 0;
  std::map<std::string, std::uint64_t> sequences;
  std::map<std::string, std::int64_t> gaps;
  std::set<std::string> wrong_ids;
};

std::set<int> shards_of(const Child& arbiter) {
  std::set<int> shards;
  const auto status = nlohmann::json::parse(get(arbiter.admin(), "/status"), nullptr, false);
  if (status.is_object()) {
    for (const auto& shard : status["shards"]) shards.insert(shard.get<int>());
  }
  return shards;
}

/// How many exchanges an arbiter has read, over its partitions.
std::uint64_t read_by(const Child& arbiter) {
  std::uint64_t sum = 0;
  const auto status = nlohmann::json::parse(get(arbiter.admin(), "/status"));
  for (const auto& position : status["positions"]) {
    if (position["topic"] == topics::kShadowRequests && position["next"] > 0)
      sum += position["next"].get<std::uint64_t>();
  }
  return sum;
}

/// As when retention has taken all that a topic had.
bool delete_records(const std::string& brokers, const std::string& topic, int partitions) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  rd_kafka_conf_set(conf, "bootstrap.servers", brokers.c_str(), nullptr, 0);
  rd_kafka_t* client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, nullptr, 0);
  rd_kafka_queue_t* queue = rd_kafka_queue_new(client);
  rd_kafka_topic_partition_list_t* before = rd_kafka_topic_partition_list_new(partitions);
  for (int i = 0; i < partitions; ++i)
    rd_kafka_topic_partition_list_add(before, topic.c_str(), i)->offset = RD_KAFKA_OFFSET_END;
  rd_kafka_DeleteRecords_t* request = rd_kafka_DeleteRecords_new(before);
  rd_kafka_DeleteRecords(client, &request, 1, nullptr, queue);
  rd_kafka_event_t* answer = rd_kafka_queue_poll(queue, 20'000);
  const bool done = answer != nullptr && rd_kafka_event_error(answer) == RD_KAFKA_RESP_ERR_NO_ERROR;
  if (answer != nullptr) rd_kafka_event_destroy(answer);
  rd_kafka_DeleteRecords_destroy(request);
  rd_kafka_topic_partition_list_destroy(before);
  rd_kafka_queue_destroy(queue);
  rd_kafka_destroy(client);
  return done;
}

}  // namespace

TEST_CASE("two arbiters share the slices; one is killed, and nothing is lost or counted twice") {
  if (std::getenv("PHOENIX_TEST_KAFKA") == nullptr) {
    std::puts("SKIPPED: set PHOENIX_TEST_KAFKA");
    return;
  }
  Fleet fleet;
  const auto partitions = static_cast<std::size_t>(fleet.bench.config.event_log.kafka.partitions);
  Child first(fleet.yaml);
  Child second(fleet.yaml);
  const auto shared = [&] {
    const auto one = shards_of(first);
    const auto two = shards_of(second);
    return !one.empty() && !two.empty() && one.size() + two.size() == partitions;
  };
  REQUIRE(eventually(shared, 60s));
  const auto of_first = shards_of(first);
  for (const int shard : shards_of(second)) CHECK_FALSE(of_first.contains(shard));

  fleet.publish_round();
  REQUIRE(eventually([&] { return fleet.all_counted(); }, 60s));
  // Both had a part of it, and together all.
  REQUIRE(eventually([&] { return read_by(first) + read_by(second) == kEach * kSlices; }));
  CHECK(read_by(first) > 0);
  CHECK(read_by(second) > 0);

  // Killed in the middle of what comes next; the group notices after its session time-out.
  fleet.publish_round();
  first.stop(SIGKILL);
  fleet.publish_round();
  REQUIRE(eventually([&] { return shards_of(second).size() == partitions; }, 60s));
  REQUIRE(eventually([&] { return fleet.all_counted(); }, 60s));

  // A third joins while there is work: partitions move again.
  Child third(fleet.yaml);
  fleet.publish_round();
  REQUIRE(eventually([&] { return !shards_of(third).empty(); }, 60s));
  fleet.publish_round();
  REQUIRE(eventually([&] { return fleet.all_counted(); }, 60s));

  const auto mismatches = fleet.database.rows("SELECT exchange_id FROM arbiter.verdicts WHERE verdict = 'mismatch'");
  CHECK(std::set<std::string>(mismatches.begin(), mismatches.end()) == fleet.wrong_ids);
  CHECK(fleet.database.rows(
            "SELECT verdict, sum(n) FROM arbiter.counters WHERE verdict NOT LIKE 'cause%' GROUP BY 1 ORDER BY 1") ==
        std::vector<std::string>{fmt::format("match|{}", fleet.number - fleet.wrong_ids.size()),
                                 fmt::format("mismatch|{}", fleet.wrong_ids.size()),
                                 fmt::format("received|{}", fleet.number)});
  CHECK(fleet.database.rows("SELECT count(*) FROM arbiter.scores") ==
        std::vector<std::string>{std::to_string(kSlices)});
  CHECK(WEXITSTATUS(second.stop(SIGTERM)) == 0);
  CHECK(WEXITSTATUS(third.stop(SIGTERM)) == 0);
}

TEST_CASE("another number of partitions than the state was built on is refused in one clear line") {
  if (std::getenv("PHOENIX_TEST_KAFKA") == nullptr) {
    std::puts("SKIPPED: set PHOENIX_TEST_KAFKA");
    return;
  }
  Fleet fleet;
  { const arbiter::ArbiterService service(fleet.bench.config); }
  fleet.bench.config.event_log.kafka.partitions = 2;
  CHECK_THROWS_WITH(
      arbiter::ArbiterService(fleet.bench.config),
      Catch::Matchers::Contains("spread over 4 partitions") && Catch::Matchers::Contains("is now 2: set it back"));
}

TEST_CASE("a topic that lost all its records, or ends too early, is told by a rebuild, and nothing is swapped") {
  if (std::getenv("PHOENIX_TEST_KAFKA") == nullptr) {
    std::puts("SKIPPED: set PHOENIX_TEST_KAFKA");
    return;
  }
  Fleet fleet;
  const auto& kafka = fleet.bench.config.event_log.kafka;
  {
    const arbiter::ArbiterService service(fleet.bench.config);
    fleet.publish_round();
    REQUIRE(eventually([&] { return fleet.all_counted(); }, 60s));
  }
  REQUIRE(delete_records(kafka.brokers, kafka.topic_prefix + topics::kShadowRequests, kafka.partitions));
  const auto lost = arbiter::rebuild(fleet.bench.config, true);
  CHECK_THAT(lost.incomplete, Catch::Matchers::Contains(" begins at offset "));
  CHECK(lost.kept.empty());
  REQUIRE_FALSE(
      fleet.database.rows("UPDATE arbiter.positions SET next = 99999 WHERE topic = 'shadow-requests' RETURNING 1")
          .empty());
  CHECK_THAT(arbiter::rebuild(fleet.bench.config, true).incomplete, Catch::Matchers::Contains(" up to 99999"));
}
