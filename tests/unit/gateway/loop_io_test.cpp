// What the event loops' input and output are made of: coroutines, buffers, and reads that wait in the reactor.
#include <sys/socket.h>

#include <array>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <stdexcept>

#include "gateway/event_loop.hpp"
#include "gateway/stream.hpp"
#include "tests/support/catch.hpp"

using namespace phoenix::gateway;
using std::chrono::milliseconds;

namespace {

Awaitable<int> at_once(int value) {
  co_return value;
}

Awaitable<int> later(int value) {
  Timer timer((co_await this_loop()).get_executor());
  timer.expires_after(milliseconds(1));
  co_await timer.async_wait(kAwait);
  co_return value;
}

Awaitable<int> failing() {
  co_await later(0);
  throw std::runtime_error("no");
}

/// Notes that it was destroyed.
struct Witness {
  bool& gone;
  explicit Witness(bool& note) : gone(note) {}
  Witness(const Witness&) = delete;
  Witness& operator=(const Witness&) = delete;
  ~Witness() { gone = true; }
};

/// Two ends of one connection; this side's is read by the gateway's code.
struct Pair {
  explicit Pair(asio::io_context& io, bool unix_socket = false) {
    if (unix_socket) {
      asio::local::stream_protocol::socket a(io), b(io);
      asio::local::connect_pair(a, b);
      ours = std::make_unique<Stream>(adopt(io, a.release(), AF_UNIX));
      theirs = b.release();
      return;
    }
    asio::ip::tcp::acceptor acceptor(io, Tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    asio::ip::tcp::socket client(io);
    client.connect(acceptor.local_endpoint());
    theirs = acceptor.accept().release();
    ours = std::make_unique<Stream>(adopt(io, client.release(), AF_INET));
  }
  ~Pair() { close(); }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;
  static Socket adopt(asio::io_context& io, int fd, int family) {
    return Socket(io.get_executor(), asio::generic::stream_protocol(family, 0), fd);
  }
  void say(std::string_view bytes) const {
    REQUIRE(::send(theirs, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()));
  }
  void close() {
    if (theirs >= 0) ::close(std::exchange(theirs, -1));
  }
  void reset() {
    const linger at_once{1, 0};
    ::setsockopt(theirs, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close();
  }

  InputBuffer buffer;
  std::unique_ptr<Stream> ours;
  int theirs = -1;
};

Awaitable<void> read_once(Pair& pair, boost::system::error_code& error, bool& done) {
  error = co_await pair.ours->read(pair.buffer, SocketReader::Place::between_messages);
  done = true;
}

/// One read; the loop runs until it is over.
boost::system::error_code read(asio::io_context& io, Pair& pair) {
  boost::system::error_code error;
  bool done = false;
  spawn(io, read_once(pair, error, done));
  io.restart();
  while (!done && io.run_one_for(milliseconds(5'000)) > 0) {
  }
  REQUIRE(done);
  return error;
}

/// Whatever has come is handled.
void settle(asio::io_context& io) {
  io.restart();
  while (io.poll() > 0) {
  }
}

}  // namespace

TEST_CASE("coroutines of a loop: values, exceptions, and long rows of calls that need not wait") {
  LoopContext io{1};
  std::uint64_t sum = 0;
  bool caught = false;
  const auto work = [](std::uint64_t& total, bool& failed) -> Awaitable<void> {
    for (int i = 0; i < 200'000; ++i) total += static_cast<std::uint64_t>(co_await at_once(1));
    total += static_cast<std::uint64_t>(co_await later(5));
    try {
      co_await failing();
    } catch (const std::runtime_error&) {
      failed = true;
    }
  };
  spawn(io, work(sum, caught));
  io.run();
  CHECK(sum == 200'005);
  CHECK(caught);
}

TEST_CASE("a coroutine that nobody waits for is gone when it ends, by an exception, too") {
  LoopContext io{1};
  std::array<bool, 3> gone{};
  const auto end = [](bool& note, bool waits, bool fails) -> Awaitable<void> {
    const Witness witness(note);
    if (waits) co_await later(1);
    if (fails) co_await failing();
  };
  spawn(io, end(gone[0], false, false));
  spawn(io, end(gone[1], false, true));
  spawn(io, end(gone[2], true, true));
  io.run();
  CHECK(gone == std::array{true, true, true});
}

TEST_CASE("coroutines that wait when their loop goes away are destroyed with all they hold") {
  bool timer_gone = false;
  bool reader_gone = false;
  bool unstarted_gone = false;
  {
    LoopContext io{1};
    Pair pair(io);
    const auto wait = [](bool& gone) -> Awaitable<void> {
      const Witness witness(gone);
      Timer timer((co_await this_loop()).get_executor(), SteadyTime::max());
      co_await timer.async_wait(kAwait);
    };
    const auto read_on = [](Pair& from, bool& gone) -> Awaitable<void> {
      const Witness witness(gone);
      co_await from.ours->read(from.buffer, SocketReader::Place::within_message);
    };
    const auto outer = [](Awaitable<void> inner) -> Awaitable<void> { co_await std::move(inner); };
    spawn(io, outer(wait(timer_gone)));
    spawn(io, outer(read_on(pair, reader_gone)));
    settle(io);
    spawn(io, wait(unstarted_gone));  // it never runs, and has nothing yet
    CHECK_FALSE(timer_gone);
    CHECK_FALSE(reader_gone);
    io.destroy_suspended();
  }
  CHECK(timer_gone);
  CHECK(reader_gone);
  CHECK_FALSE(unstarted_gone);
}

TEST_CASE("an input buffer grows with what it holds, and holds nothing when all is used") {
  InputBuffer buffer;
  std::string expected;
  for (char letter = 'a'; letter <= 'z'; ++letter) {
    const auto room = buffer.prepare();
    REQUIRE(room.size() >= 4096);
    const std::size_t bytes = std::min<std::size_t>(room.size(), 5'000);
    std::memset(room.data(), letter, bytes);
    buffer.commit(bytes);
    expected.append(bytes, letter);
    if (letter % 5 != 0) continue;
    buffer.consume(1'234);
    expected.erase(0, 1'234);
  }
  CHECK(buffer.view() == expected);
  buffer.consume(expected.size());
  CHECK(buffer.empty());
  CHECK(buffer.view().data() == nullptr);
  buffer.prepare();
  buffer.commit(0);  // a read that found nothing
  CHECK(buffer.view().data() == nullptr);
}

TEST_CASE("reads: what came before, between and together with the end is all seen") {
  const bool unix_socket = GENERATE(false, true);
  LoopContext io{1};
  Pair pair(io, unix_socket);
  pair.say("before");
  CHECK_FALSE(read(io, pair));
  CHECK(pair.buffer.take() == "before");
  // While nobody reads, an event of the exhausted socket is not lost.
  pair.say("between");
  settle(io);
  CHECK_FALSE(read(io, pair));
  CHECK(pair.buffer.take() == "between");
  // The end comes with the last bytes, in one event.
  pair.say("last");
  pair.close();
  CHECK_FALSE(read(io, pair));
  CHECK(pair.buffer.take() == "last");
  CHECK(read(io, pair) == asio::error::eof);
  CHECK(pair.buffer.empty());
}

TEST_CASE("reads: more than a buffer takes at once is read on") {
  LoopContext io{1};
  Pair pair(io);
  const std::string much(100'000, 'm');
  pair.say(much);
  std::string all;
  while (all.size() < much.size()) {
    REQUIRE_FALSE(read(io, pair));
    all += pair.buffer.take();
  }
  CHECK(all == much);
}

TEST_CASE("a pooled connection that listens knows what its peer does, and holds no memory") {
  LoopContext io{1};
  Pair pair(io);
  pair.ours->listen(pair.buffer);
  settle(io);
  CHECK(pair.ours->is_quiet(false));
  CHECK(pair.ours->is_quiet(true));
  CHECK(pair.buffer.view().data() == nullptr);
  SECTION("the answer to the next request arrives at the read that waits already") {
    pair.say("answer");
    CHECK_FALSE(read(io, pair));
    CHECK(pair.buffer.view() == "answer");
  }
  SECTION("unasked bytes") {
    pair.say("?");
    settle(io);
    CHECK_FALSE(pair.ours->is_quiet(false));
  }
  SECTION("the end") {
    pair.close();
    settle(io);
    CHECK_FALSE(pair.ours->is_quiet(false));
  }
  SECTION("a reset") {
    pair.reset();
    settle(io);
    CHECK_FALSE(pair.ours->is_quiet(false));
  }
  SECTION("the end, before the loop has looked") {
    pair.close();
    CHECK_FALSE(pair.ours->is_quiet(true));
  }
}

TEST_CASE("a read that is cancelled ends as aborted, and the next one reads") {
  LoopContext io{1};
  Pair pair(io);
  boost::system::error_code error;
  bool done = false;
  spawn(io, read_once(pair, error, done));
  settle(io);
  REQUIRE_FALSE(done);
  pair.ours->cancel();
  settle(io);
  CHECK(done);
  CHECK(error == asio::error::operation_aborted);
  pair.say("more");
  CHECK_FALSE(read(io, pair));
  CHECK(pair.buffer.view() == "more");
}

TEST_CASE("sends: what the kernel takes at once, then the rest, then the peer's absence") {
  LoopContext io{1};
  Pair pair(io);
  boost::system::error_code error;
  std::array<asio::const_buffer, 2> parts{asio::buffer(std::string_view("head")),
                                          asio::buffer(std::string_view("body"))};
  CHECK(pair.ours->send_now(parts, error) == 8);
  CHECK_FALSE(error);
  drop_front(parts, 6);
  CHECK(parts[0].size() == 0);
  CHECK(std::string_view(static_cast<const char*>(parts[1].data()), parts[1].size()) == "dy");
  const std::string much(8 << 20, 'm');
  const std::size_t sent = pair.ours->send_now(std::array{asio::const_buffer(much.data(), much.size())}, error);
  CHECK_FALSE(error);
  CHECK(sent > 0);
  CHECK(sent < much.size());
  pair.reset();
  while (!error) pair.ours->send_now(std::array{asio::const_buffer(much.data(), 1)}, error);
  CHECK(error);
}
