#include "tests/traffic/runner.hpp"

#include <fmt/format.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>
#include <functional>
#include <memory>
#include <optional>
#include <set>

#include "core/sim/exact_json.hpp"
#include "tests/traffic/account_model.hpp"
#include "tests/traffic/answer_check.hpp"
#include "tests/traffic/client.hpp"

namespace phoenix::traffic {

namespace asio = boost::asio;

namespace {

using Clock = UserConnection::Clock;
constexpr auto kNoThrow = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::milliseconds kSweepInterval{50};
constexpr std::chrono::seconds kLiveInterval{1};
/// After a write without an answer the account is left alone this long before its balance is believed again.
constexpr std::chrono::milliseconds kSettle{2'000};
/// A user whose request failed rests, so that an outage is not met with a storm.
constexpr std::chrono::milliseconds kRestAfterError{20};

struct Job {
  Operation operation;
  Clock::time_point due;  // when it is sent, and what its latency counts from
};

/// Users take jobs until there are none. All in one thread; the phases run one after the other.
class Runner {
 public:
  explicit Runner(const TrafficOptions& options);
  Report run();

 private:
  using NextJob = std::function<std::optional<Job>()>;
  using Done = std::function<void(const Job&, const Result<Reply>&, AccountModel::Ticket)>;

  struct User {
    User(asio::io_context& io, const TrafficOptions& options)
        : connection(io.get_executor(), options.target, options.timeout), pause(io) {}
    UserConnection connection;
    asio::steady_timer pause;
  };

  void run_phase(const NextJob& next_job, const Done& done, bool modelled, bool live);
  asio::awaitable<void> user_loop(User& user, const NextJob& next_job, const Done& done, bool modelled);
  asio::awaitable<void> pause_until(User& user, Clock::time_point when);
  asio::awaitable<void> sweep();
  asio::awaitable<void> write_live();
  asio::awaitable<void> watch_signals();

  void read_opening_balances();
  void send_traffic();
  void check_final_balances();
  void judge(const Job& job, const Result<Reply>& reply, AccountModel::Ticket ticket);
  void fail(const std::string& reason, AccountModel::Ticket ticket);

  const TrafficOptions options_;
  asio::io_context io_{1};
  asio::steady_timer sweep_timer_{io_};
  asio::steady_timer live_timer_{io_};
  asio::signal_set signals_{io_, SIGTERM, SIGINT};
  std::vector<std::unique_ptr<User>> users_;
  std::size_t users_at_work_ = 0;
  bool stop_ = false;

  AccountModel model_;
  Workload workload_;
  Report report_;
  std::set<std::int64_t> touched_;
  Clock::time_point started_;
};

Runner::Runner(const TrafficOptions& options)
    : options_(options),
      model_(options.model, kSettle),
      workload_(options.seed, options.accounts, options.zipf, options.mix) {
  for (int i = 0; i < options.concurrency; ++i) users_.push_back(std::make_unique<User>(io_, options_));
}

Report Runner::run() {
  read_opening_balances();
  if (!stop_) send_traffic();
  report_.set_accounts(touched_.size(), model_.unknown_accounts());
  if (options_.final_check) check_final_balances();
  return std::move(report_);
}

void Runner::run_phase(const NextJob& next_job, const Done& done, bool modelled, bool live) {
  io_.restart();
  users_at_work_ = users_.size();
  for (auto& user : users_) asio::co_spawn(io_, user_loop(*user, next_job, done, modelled), asio::detached);
  asio::co_spawn(io_, sweep(), asio::detached);
  asio::co_spawn(io_, watch_signals(), asio::detached);
  if (live && !options_.live_file.empty()) asio::co_spawn(io_, write_live(), asio::detached);
  io_.run();
}

asio::awaitable<void> Runner::user_loop(User& user, const NextJob& next_job, const Done& done, bool modelled) {
  while (const auto job = next_job()) {
    co_await pause_until(user, job->due);
    if (stop_ && modelled) break;
    AccountModel::Ticket ticket = 0;
    if (modelled) ticket = model_.begin(job->operation, Clock::now());
    const Result<Reply> reply = co_await user.connection.exchange(request_bytes(job->operation, options_.target));
    done(*job, reply, ticket);
    if (!reply) co_await pause_until(user, Clock::now() + kRestAfterError);
  }
  if (--users_at_work_ > 0) co_return;
  sweep_timer_.cancel();
  live_timer_.cancel();
  signals_.cancel();
}

asio::awaitable<void> Runner::pause_until(User& user, Clock::time_point when) {
  if (when <= Clock::now() || stop_) co_return;
  user.pause.expires_at(when);
  co_await user.pause.async_wait(kNoThrow);
}

asio::awaitable<void> Runner::sweep() {
  while (users_at_work_ > 0) {
    for (auto& user : users_) user->connection.enforce_timeout(Clock::now());
    sweep_timer_.expires_after(kSweepInterval);
    co_await sweep_timer_.async_wait(kNoThrow);
  }
}

asio::awaitable<void> Runner::write_live() {
  auto last = started_;
  while (users_at_work_ > 0) {
    live_timer_.expires_at(last + kLiveInterval);
    co_await live_timer_.async_wait(kNoThrow);
    const auto now = Clock::now();
    replace_file(options_.live_file, report_.live_line(now - started_, now - last));
    last = now;
  }
}

asio::awaitable<void> Runner::watch_signals() {
  const auto [error, signal] = co_await signals_.async_wait(kNoThrow);
  if (error) co_return;  // the phase is over
  stop_ = true;
  for (auto& user : users_) user->pause.cancel();
}

void Runner::read_opening_balances() {
  std::int64_t next_account = 1;
  std::string failure;
  run_phase(
      [&]() -> std::optional<Job> {
        if (stop_ || !failure.empty() || next_account > options_.accounts) return std::nullopt;
        return Job{{Kind::read, next_account++, 0, 0}, Clock::now()};
      },
      [&](const Job& job, const Result<Reply>& reply, AccountModel::Ticket) {
        std::string why;
        if (!reply) {
          why = reply.error().message;
        } else {
          const ParsedAnswer answer = parse_answer(job.operation, reply->status, reply->body);
          if (answer.differences.empty()) return model_.open(job.operation.account, *answer.balance_minor);
          why = fmt::format("{} {}", answer.differences[0].what, answer.differences[0].got);
        }
        if (failure.empty()) failure = fmt::format("account {}: {}", job.operation.account, why);
      },
      false, false);
  if (!failure.empty())
    throw Failure(ErrorCode::unavailable,
                  fmt::format("cannot read the opening balances at {}: {}", options_.target.to_string(), failure));
}

void Runner::send_traffic() {
  started_ = Clock::now();
  const auto end = options_.duration.count() > 0 ? started_ + options_.duration : Clock::time_point::max();
  std::uint64_t sent = 0;
  run_phase(
      [&]() -> std::optional<Job> {
        auto due = Clock::now();
        // Open loop: the n-th request is due at n/rate, whether or not a user is free to send it then.
        if (options_.rate > 0)
          due = started_ + std::chrono::duration_cast<Clock::duration>(
                               std::chrono::duration<double>(static_cast<double>(sent) / options_.rate));
        if (stop_ || due >= end || (options_.requests > 0 && sent >= options_.requests)) return std::nullopt;
        ++sent;
        const Operation operation = workload_.next();
        touched_.insert(operation.account);
        if (operation.kind == Kind::transfer) touched_.insert(operation.to_account);
        return Job{operation, due};
      },
      [this](const Job& job, const Result<Reply>& reply, AccountModel::Ticket ticket) { judge(job, reply, ticket); },
      true, true);
  report_.set_elapsed(Clock::now() - started_);
}

void Runner::judge(const Job& job, const Result<Reply>& reply, AccountModel::Ticket ticket) {
  if (!reply) return fail(reply.error().message, ticket);
  if (reply->status >= 500) return fail(fmt::format("status {}", reply->status), ticket);
  const auto now = Clock::now();
  report_.answered(job.operation.kind, reply->status, now - job.due);
  const ParsedAnswer answer = parse_answer(job.operation, reply->status, reply->body);
  for (auto& difference : model_.complete(ticket, answer, now))
    report_.wrong_answer({job.operation.kind, reply->exchange_id, std::move(difference)});
}

void Runner::fail(const std::string& reason, AccountModel::Ticket ticket) {
  report_.error(reason);
  model_.fail(ticket, Clock::now());
}

void Runner::check_final_balances() {
  report_.final_check.done = true;
  auto next = touched_.begin();
  run_phase(
      [&]() -> std::optional<Job> {
        for (; next != touched_.end(); ++next) {
          if (model_.exact_balance(*next)) return Job{{Kind::read, *next++, 0, 0}, Clock::now()};
          ++report_.final_check.unknown;
        }
        return std::nullopt;
      },
      [&](const Job& job, const Result<Reply>& reply, AccountModel::Ticket) {
        const std::int64_t account = job.operation.account;
        ++report_.final_check.checked;
        if (!reply) return report_.error("final check: " + reply.error().message);
        if (reply->status >= 500) return report_.error(fmt::format("final check: status {}", reply->status));
        ParsedAnswer answer = parse_answer(job.operation, reply->status, reply->body);
        const std::int64_t expected = *model_.exact_balance(account);
        if (answer.balance_minor && *answer.balance_minor != expected)
          answer.differences.push_back(
              {account, "final balance", hundredths_to_text(expected), hundredths_to_text(*answer.balance_minor)});
        for (auto& difference : answer.differences)
          report_.wrong_answer({job.operation.kind, reply->exchange_id, std::move(difference)});
      },
      false, false);
}

}  // namespace

Report run_traffic(const TrafficOptions& options) {
  return Runner(options).run();
}

}  // namespace phoenix::traffic
