// Names of endpoints: asked for again when they are old, kept when nobody knows better.
#include "gateway/dialer.hpp"
#include "tests/support/catch.hpp"

using namespace phoenix;
using namespace phoenix::gateway;
using std::chrono::milliseconds;

namespace {

using Addresses = std::vector<AddressCache::Address>;

Addresses at(const char* address) {
  return {Tcp::endpoint(asio::ip::make_address(address), 80)};
}

/// A name service that the test plays.
struct Names {
  asio::io_context io{1};
  Addresses answer;
  int asked = 0;
  bool silent = false;
  Timer never{io.get_executor(), SteadyTime::max()};

  Awaitable<Addresses> look_up() {
    ++asked;
    co_await asio::post(io, kAwait);  // an answer never comes at once
    if (silent) co_await never.async_wait(kAwait);
    co_return answer;
  }
  AddressCache cache(const std::string& host, milliseconds keep) {
    return {io, {{host, 80}, "", false, 1}, keep, [this](const std::string&, std::uint16_t) { return look_up(); }};
  }
  static Awaitable<void> keep(Awaitable<Addresses> asked, Addresses& out, bool& done) {
    out = co_await std::move(asked);
    done = true;
  }
  /// Runs until there is an answer and everything that was begun has ended.
  Addresses get(AddressCache& cache, milliseconds patience = milliseconds(10'000)) {
    Addresses out;
    bool done = false;
    spawn(io, keep(cache.get(patience), out, done));
    io.restart();
    while (!done && io.run_one() > 0) {
    }
    if (!silent) io.run();
    REQUIRE(done);
    return out;
  }
};

}  // namespace

TEST_CASE("an address is never looked up") {
  Names names;
  AddressCache cache = names.cache("10.0.0.7", milliseconds(0));
  CHECK(names.get(cache) == at("10.0.0.7"));
  AddressCache six = names.cache("::1", milliseconds(0));
  CHECK(names.get(six) == at("::1"));
  CHECK(names.asked == 0);
}

TEST_CASE("a name is looked up once while it is fresh") {
  Names names;
  AddressCache cache = names.cache("core.bank.test", milliseconds(3'600'000));
  names.answer = at("10.0.0.1");
  for (int i = 0; i < 3; ++i) CHECK(names.get(cache) == at("10.0.0.1"));
  CHECK(names.asked == 1);
}

TEST_CASE("an old name is looked up behind the request's back; a failure keeps what is known") {
  Names names;
  AddressCache cache = names.cache("core.bank.test", milliseconds(0));
  names.answer = at("10.0.0.1");
  CHECK(names.get(cache) == at("10.0.0.1"));
  names.answer = at("10.0.0.2");
  CHECK(names.get(cache) == at("10.0.0.1"));
  names.answer = {};
  CHECK(names.get(cache) == at("10.0.0.2"));
  CHECK(names.get(cache) == at("10.0.0.2"));
  CHECK(names.asked == 4);
}

TEST_CASE("a name service that says nothing costs no more than the patience") {
  Names names;
  names.silent = true;
  AddressCache cache = names.cache("core.bank.test", milliseconds(1000));
  const auto started = std::chrono::steady_clock::now();
  CHECK(names.get(cache, milliseconds(30)).empty());
  CHECK(std::chrono::steady_clock::now() - started >= milliseconds(30));
  CHECK(names.asked == 1);
  CHECK(names.get(cache, milliseconds(10)).empty());
  CHECK(names.asked == 1);  // one question at a time
}
