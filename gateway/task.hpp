// Coroutines of the event loops. asio::awaitable serves any executor and any number of threads, at about 200
// instructions for each call of one coroutine by another; here a coroutine stays on the loop that it began on, such a
// call costs little more than that of a function, and frames are recycled by the thread.
//
//   Awaitable<int> f();  int x = co_await f();                          one coroutine calls another
//   auto [error, bytes] = co_await socket.async_read_some(b, kAwait);    waits for an operation of Asio
//   spawn(io, g());                                                      begins one that nobody waits for
//
// Where the loop is destroyed, what is suspended on it is destroyed with it.
#pragma once

#include <boost/asio/async_result.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/io_context.hpp>
#include <coroutine>
#include <exception>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

#include "gateway/recycled_memory.hpp"

namespace phoenix::gateway {

/// What all coroutines of this file have in common.
struct TaskPromise {
  std::coroutine_handle<> caller;   // goes on when this one ends
  std::coroutine_handle<> spawned;  // the outermost one, which owns all the others
  boost::asio::io_context* io = nullptr;
  std::exception_ptr thrown;
  bool starting = false;  // its caller's call has not returned

  static void* operator new(std::size_t bytes) { return RecycledMemory::take(bytes); }
  static void operator delete(void* frame, std::size_t bytes) { RecycledMemory::give_back(frame, bytes); }

  struct End {
    bool nobody_waits;  // then the frame goes at once
    [[nodiscard]] bool await_ready() const noexcept { return nobody_waits; }
    template <class Promise>
    static std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> ended) noexcept {
      const TaskPromise& promise = ended.promise();
      return promise.starting ? std::noop_coroutine() : promise.caller;
    }
    static void await_resume() noexcept {}
  };
  static std::suspend_always initial_suspend() noexcept { return {}; }
  [[nodiscard]] End final_suspend() const noexcept { return {caller == nullptr}; }
  void unhandled_exception() noexcept { thrown = std::current_exception(); }
};

/// A coroutine that begins when it is awaited, once, by another of this file, or spawned.
template <class T = void>
class [[nodiscard]] Task {
 public:
  struct promise_type : TaskPromise {
    std::optional<T> value;
    Task get_return_object() { return Task(std::coroutine_handle<promise_type>::from_promise(*this)); }
    template <class U>
    void return_value(U&& result) {
      value.emplace(std::forward<U>(result));
    }
    T result() { return std::move(*value); }
  };
  explicit Task(std::coroutine_handle<promise_type> frame) : frame_(frame) {}
  Task(Task&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  Task& operator=(Task&&) = delete;
  ~Task() {
    if (frame_) frame_.destroy();
  }

  /// For spawn(): the frame belongs to itself from here on.
  std::coroutine_handle<promise_type> release() { return std::exchange(frame_, nullptr); }

  static bool await_ready() noexcept { return false; }
  // Runs it up to its first suspension. False: there was none, and the caller goes on.
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> caller) {
    TaskPromise& promise = frame_.promise();
    promise.caller = caller;
    promise.spawned = caller.promise().spawned;
    promise.io = caller.promise().io;
    promise.starting = true;
    frame_.resume();
    promise.starting = false;
    return !frame_.done();
  }
  T await_resume() {
    if (frame_.promise().thrown) std::rethrow_exception(frame_.promise().thrown);
    return frame_.promise().result();
  }

 private:
  std::coroutine_handle<promise_type> frame_;
};

template <>
struct Task<void>::promise_type : TaskPromise {
  Task get_return_object() { return Task(std::coroutine_handle<promise_type>::from_promise(*this)); }
  static void return_void() noexcept {}
  static void result() noexcept {}
};

/// Goes on with a suspended coroutine, as a completion handler of Asio. One that is destroyed unused, because its loop
/// goes away, destroys all that hangs together with it.
class Resumption {
 public:
  Resumption() = default;
  template <class Promise>
  explicit Resumption(std::coroutine_handle<Promise> suspended)
      : suspended_(suspended), spawned_(suspended.promise().spawned) {}
  Resumption(Resumption&& other) noexcept
      : suspended_(std::exchange(other.suspended_, nullptr)), spawned_(std::exchange(other.spawned_, nullptr)) {}
  Resumption& operator=(Resumption&& other) noexcept {
    std::swap(suspended_, other.suspended_);
    std::swap(spawned_, other.spawned_);
    return *this;
  }
  ~Resumption() {
    if (spawned_) spawned_.destroy();
  }
  explicit operator bool() const { return static_cast<bool>(suspended_); }
  void operator()() {
    spawned_ = nullptr;
    std::exchange(suspended_, nullptr).resume();
  }

 private:
  std::coroutine_handle<> suspended_;
  std::coroutine_handle<> spawned_;
};

/// The loop that the coroutine runs on: `asio::io_context& io = co_await this_loop();`
struct this_loop {
  boost::asio::io_context* io = nullptr;
  static bool await_ready() noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> asking) noexcept {
    io = asking.promise().io;
    return false;
  }
  [[nodiscard]] boost::asio::io_context& await_resume() const noexcept { return *io; }
};

/// Begins a coroutine on the loop: at once when called from there. An exception ends it, and nobody is told.
inline void spawn(boost::asio::io_context& io, Task<void> task) {
  const auto frame = task.release();
  frame.promise().spawned = frame;
  frame.promise().io = &io;
  boost::asio::dispatch(io, Resumption(frame));
}

/// The completion token for coroutines of this file: what the operation comes to is returned as a tuple.
struct AwaitToken {};

/// An operation of Asio, begun when it is awaited.
template <class Initiation, class Arguments, class... Results>
class AwaitedOperation {
 public:
  AwaitedOperation(Initiation initiation, Arguments arguments)
      : initiation_(std::move(initiation)), arguments_(std::move(arguments)) {}
  static bool await_ready() noexcept { return false; }
  template <class Promise>
  void await_suspend(std::coroutine_handle<Promise> caller) {
    std::apply(
        [&](auto&... arguments) {
          std::move(initiation_)(Done{Resumption(caller), &results_}, std::move(arguments)...);
        },
        arguments_);
  }
  std::tuple<Results...> await_resume() { return std::move(*results_); }

 private:
  struct Done {
    Resumption resume;
    std::optional<std::tuple<Results...>>* results;
    template <class... Given>
    void operator()(Given&&... given) {
      results->emplace(std::forward<Given>(given)...);
      resume();
    }
  };
  Initiation initiation_;
  Arguments arguments_;
  std::optional<std::tuple<Results...>> results_;
};

}  // namespace phoenix::gateway

template <class... Results>
class boost::asio::async_result<phoenix::gateway::AwaitToken, void(Results...)> {
 public:
  template <class Initiation, class... Arguments>
  static auto initiate(Initiation&& initiation, phoenix::gateway::AwaitToken, Arguments&&... arguments) {
    using Kept = std::tuple<std::decay_t<Arguments>...>;
    return phoenix::gateway::AwaitedOperation<std::decay_t<Initiation>, Kept, std::decay_t<Results>...>(
        std::forward<Initiation>(initiation), Kept(std::forward<Arguments>(arguments)...));
  }
};
