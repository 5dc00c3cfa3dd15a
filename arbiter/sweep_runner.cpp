#include "arbiter/sweep_runner.hpp"

#include <condition_variable>
#include <mutex>
#include <thread>

#include "arbiter/sweep_run.hpp"
#include "core/runtime/log.hpp"

namespace phoenix::arbiter {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLook{1'000};  // for sweeps that were asked for
constexpr milliseconds kFirstRetry{1'000};
constexpr milliseconds kLongestRetry{30'000};
constexpr milliseconds kFlush{5'000};  // a shard that is handed over waits for it

}  // namespace

struct SweepRunner::Impl {
  Impl(const config::ArbiterConfig& configuration, std::string database, Producer& out, int to_partition)
      : config(configuration), store(std::move(database)), producer(out), partition(to_partition) {
    current.slice = config.sweep.slice;
  }

  void run() {
    milliseconds retry = kFirstRetry;
    milliseconds wait{0};
    while (rest(wait)) {
      try {
        wait = kLook;
        ask_when_due();
        if (auto sweep = store.take_up(config.sweep.slice)) work(std::move(*sweep));
        note_finish();
        retry = kFirstRetry;
      } catch (const Failure& failure) {
        note_problem(failure.what());
        if (failure.code() == ErrorCode::conflict) continue;
        wait = retry;
        retry = std::min(retry * 2, kLongestRetry);
      } catch (const std::exception& error) {  // must not end the program
        note_problem(error.what());
        wait = retry;
        retry = std::min(retry * 2, kLongestRetry);
      }
    }
  }

  void ask_when_due() {
    if (config.sweep.every.count() == 0) return;
    const auto age_s = store.age_of_latest_s(config.sweep.slice);
    if (age_s && *age_s < std::chrono::duration<double>(config.sweep.every).count()) return;
    bool opened = false;
    store.request(config.sweep.slice, "schedule", opened);
  }

  void work(StoredSweep stored) {
    log::info("sweep {} of slice {}: {}", stored.id, config.sweep.slice,
              stored.progress.chunks == 0 ? "begins" : "goes on");
    const auto begin = std::chrono::steady_clock::now();
    const std::int64_t rows_before = most_rows(stored.progress);
    SweepRun run(config, store, std::move(stored),
                 {answers, [this](const auto& comparisons) { return publish(comparisons); },
                  [this](std::chrono::microseconds time) { return rest(time); }});
    bool more = true;
    while (more) {
      show(run, true, begin, rows_before);
      more = run.step();
    }
    show(run, false, begin, rows_before);
    if (!run.finished()) return;
    const auto& progress = run.sweep().progress;
    log::info("sweep {}: {} rows of legacy and {} of modern in {} chunks, {:.1f} s of work", run.sweep().id,
              progress.rows[0], progress.rows[1], progress.chunks, static_cast<double>(progress.busy_us) / 1e6);
  }

  static std::int64_t most_rows(const SweepProgress& progress) { return std::max(progress.rows[0], progress.rows[1]); }

  void show(const SweepRun& run, bool running, std::chrono::steady_clock::time_point begin, std::int64_t rows_before) {
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    const std::lock_guard lock(mutex);
    current.id = run.sweep().id;
    current.running = running;
    current.progress = run.sweep().progress;
    // The rate of the chunks; while candidates are read again it stays.
    if (!current.progress.scanned && seconds.count() > 0)
      current.rows_per_second = static_cast<double>(most_rows(current.progress) - rows_before) / seconds.count();
    current.problem.clear();
  }

  void note_problem(const std::string& problem) {
    const std::lock_guard lock(mutex);
    if (current.problem != problem) log::warn("{}", problem);
    current.problem = problem;
    current.running = false;
  }

  void note_finish() {
    const double at = store.last_finished_unix(config.sweep.slice);
    const std::lock_guard lock(mutex);
    current.last_finished_unix = at;
  }

  bool publish(const std::vector<LedgerComparison>& comparisons) {
    for (const auto& comparison : comparisons) {
      if (!producer.publish_to(partition, topics::kDbStateUpdates, comparison.account, encode(comparison)))
        return false;
    }
    return producer.flush(kFlush);
  }

  bool rest(std::chrono::microseconds time) {
    std::unique_lock lock(mutex);
    return !wake.wait_for(lock, time, [this] { return stopping; });
  }

  const config::ArbiterConfig config;
  SweepStore store;
  Producer& producer;
  const int partition;
  CoreFacts answers;

  mutable std::mutex mutex;
  std::condition_variable wake;
  bool stopping = false;
  SweepStatus current;
  std::thread thread;
};

SweepRunner::SweepRunner(const config::ArbiterConfig& config, std::string database, Producer& producer, int partition)
    : impl_(std::make_unique<Impl>(config, std::move(database), producer, partition)) {
  impl_->thread = std::thread([this] { impl_->run(); });
}

SweepRunner::~SweepRunner() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->wake.notify_all();
  impl_->answers.stop();
  impl_->thread.join();
}

CoreFacts& SweepRunner::facts() {
  return impl_->answers;
}

SweepStatus SweepRunner::status() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->current;
}

}  // namespace phoenix::arbiter
