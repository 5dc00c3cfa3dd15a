#include "gateway/sequencer.hpp"

#include <algorithm>

#include "tests/support/catch.hpp"

using namespace phoenix;
using namespace phoenix::gateway;

namespace {
struct Probe {
  Ticket ticket;
  int resumed = 0;
  int shadows = 0;
  Probe(std::vector<BusinessKey> keys, bool write, Side target = Side::legacy, bool other_allowed = true) {
    ticket.keys = std::move(keys);
    ticket.write = write;
    ticket.target = target;
    ticket.other_side_allowed = other_allowed;
    ticket.owner = this;
    ticket.resume = [](Ticket& t) { ++static_cast<Probe*>(t.owner)->resumed; };
    ticket.run_shadow = [](Ticket& t) { ++static_cast<Probe*>(t.owner)->shadows; };
  }
};
}  // namespace

TEST_CASE("shadow writes of one key leave in the order in which they completed") {
  Sequencer sequencer;
  Probe a({"1"}, true), b({"1"}, true), c({"2"}, true);
  sequencer.admit(a.ticket);
  sequencer.admit(b.ticket);
  sequencer.admit(c.ticket);
  CHECK(sequencer.complete(b.ticket, ShadowNeed::send));  // completed first: goes first
  CHECK_FALSE(sequencer.complete(a.ticket, ShadowNeed::send));
  CHECK(sequencer.complete(c.ticket, ShadowNeed::send));  // another key does not wait
  CHECK(a.shadows == 0);
  sequencer.shadow_done(b.ticket, ShadowResult::applied);
  CHECK(a.shadows == 1);
  CHECK(a.ticket.overlap);
  CHECK(b.ticket.overlap);
  CHECK_FALSE(c.ticket.overlap);
  CHECK(b.ticket.sequences == std::vector<std::uint64_t>{1});
  CHECK(a.ticket.sequences == std::vector<std::uint64_t>{2});
}

TEST_CASE("tickets for several keys cannot wait for each other") {
  Sequencer sequencer;
  Probe ab({"a", "b"}, true), ba({"b", "a"}, true), b({"b"}, true);
  for (Probe* probe : {&ab, &ba, &b}) sequencer.admit(probe->ticket);
  CHECK(sequencer.complete(ab.ticket, ShadowNeed::send));
  CHECK_FALSE(sequencer.complete(ba.ticket, ShadowNeed::send));
  CHECK_FALSE(sequencer.complete(b.ticket, ShadowNeed::send));
  sequencer.shadow_done(ab.ticket, ShadowResult::applied);
  CHECK(ba.shadows == 1);
  CHECK(b.shadows == 0);
  sequencer.shadow_done(ba.ticket, ShadowResult::applied);
  CHECK(b.shadows == 1);
}

TEST_CASE(
    "a read between writes is shadowed between them; reads run side by side; a read that overlapped a write is not "
    "shadowed") {
  Sequencer sequencer;
  Probe first({"1"}, true), r1({"1"}, false), r2({"1"}, false), second({"1"}, true), overlapping({"1"}, false);
  sequencer.admit(first.ticket);
  CHECK(sequencer.complete(first.ticket, ShadowNeed::send));
  for (Probe* probe : {&r1, &r2}) {
    sequencer.admit(probe->ticket);
    CHECK_FALSE(sequencer.complete(probe->ticket, ShadowNeed::send));
  }
  sequencer.admit(overlapping.ticket);
  sequencer.admit(second.ticket);
  CHECK_FALSE(sequencer.complete(overlapping.ticket, ShadowNeed::send));
  CHECK_FALSE(Sequencer::is_queued(overlapping.ticket));
  CHECK(overlapping.ticket.overlap);
  CHECK_FALSE(sequencer.complete(second.ticket, ShadowNeed::send));
  sequencer.shadow_done(first.ticket, ShadowResult::applied);
  CHECK(r1.shadows == 1);
  CHECK(r2.shadows == 1);
  CHECK(second.shadows == 0);
  sequencer.shadow_done(r2.ticket, ShadowResult::applied);
  CHECK(second.shadows == 0);
  sequencer.shadow_done(r1.ticket, ShadowResult::applied);
  CHECK(second.shadows == 1);
}

TEST_CASE("a key is served only by a side that is current") {
  Sequencer sequencer;
  Probe write({"1"}, true, Side::legacy);
  sequencer.admit(write.ticket);
  // In flight on legacy: modern must not serve, legacy may.
  Probe during({"1"}, false, Side::modern);
  CHECK(sequencer.admit(during.ticket) == Admission::granted);
  CHECK(during.ticket.side == Side::legacy);
  sequencer.complete(during.ticket, ShadowNeed::none);
  sequencer.complete(write.ticket, ShadowNeed::send);
  // The client knows, modern does not yet.
  Probe after({"1"}, false, Side::modern), strict_modern({"1"}, false, Side::modern, false);
  sequencer.admit(after.ticket);
  CHECK(after.ticket.side == Side::legacy);
  sequencer.complete(after.ticket, ShadowNeed::none);
  CHECK(sequencer.admit(strict_modern.ticket) == Admission::waiting);
  sequencer.shadow_done(write.ticket, ShadowResult::applied);
  CHECK(strict_modern.resumed == 1);
  CHECK(strict_modern.ticket.side == Side::modern);
  sequencer.complete(strict_modern.ticket, ShadowNeed::none);
}

TEST_CASE("a lost shadow write keeps its key on the side that is complete; so does a disagreement") {
  for (const ShadowResult result : {ShadowResult::lost, ShadowResult::disagreed}) {
    Sequencer sequencer;
    Probe write({"1"}, true, Side::legacy);
    sequencer.admit(write.ticket);
    sequencer.complete(write.ticket, ShadowNeed::send);
    sequencer.shadow_done(write.ticket, result);
    Probe read({"1"}, false, Side::modern), other_key({"2"}, false, Side::modern), both({"1", "2"}, true, Side::modern);
    sequencer.admit(read.ticket);
    sequencer.admit(other_key.ticket);
    sequencer.complete(other_key.ticket, ShadowNeed::none);
    sequencer.admit(both.ticket);
    CHECK(read.ticket.side == Side::legacy);
    CHECK(other_key.ticket.side == Side::modern);
    CHECK(both.ticket.side == Side::legacy);
    CHECK(sequencer.summary().incomplete_keys[index(Side::modern)] == 1);
    sequencer.abandon(both.ticket);
    sequencer.complete(read.ticket, ShadowNeed::none);
    sequencer.mark_complete({BusinessKey(kUnknownKey)}, Side::modern);
    Probe again({"1"}, false, Side::modern);
    sequencer.admit(again.ticket);
    CHECK(again.ticket.side == Side::modern);
    sequencer.abandon(again.ticket);
  }
}

TEST_CASE("after a rollback a key that legacy lacks waits, or gives up") {
  Sequencer sequencer;
  Probe served_by_modern({"1"}, true, Side::modern);
  sequencer.admit(served_by_modern.ticket);
  sequencer.complete(served_by_modern.ticket, ShadowNeed::send);
  Probe waits({"1"}, false, Side::legacy, false), gives_up({"1"}, false, Side::legacy, false);
  CHECK(sequencer.admit(waits.ticket) == Admission::waiting);
  CHECK(sequencer.admit(gives_up.ticket) == Admission::waiting);
  CHECK(sequencer.cancel_wait(gives_up.ticket));
  sequencer.shadow_done(served_by_modern.ticket, ShadowResult::applied);
  CHECK(waits.resumed == 1);
  CHECK(gives_up.resumed == 0);
  CHECK_FALSE(sequencer.cancel_wait(waits.ticket));
  sequencer.abandon(waits.ticket);
}

TEST_CASE("strict: one write per key in flight, in order of arrival") {
  Sequencer sequencer;
  Probe first({"1"}, true), second({"1"}, true), third({"1", "2"}, true), apart({"3"}, true);
  for (Probe* probe : {&first, &second, &third, &apart}) probe->ticket.strict = true;
  CHECK(sequencer.admit(first.ticket) == Admission::granted);
  CHECK(sequencer.admit(second.ticket) == Admission::waiting);
  CHECK(sequencer.admit(third.ticket) == Admission::waiting);
  CHECK(sequencer.admit(apart.ticket) == Admission::granted);
  sequencer.complete(first.ticket, ShadowNeed::none);
  CHECK(second.resumed == 1);
  CHECK(third.resumed == 0);
  sequencer.abandon(second.ticket);
  CHECK(third.resumed == 1);
  CHECK_FALSE(third.ticket.overlap);
  sequencer.abandon(third.ticket);
  sequencer.abandon(apart.ticket);
}

TEST_CASE("an exchange whose keys could not be had stands for every key") {
  Sequencer sequencer;
  Probe write({"1"}, true, Side::legacy);
  sequencer.admit(write.ticket);
  Probe unknown({}, true, Side::modern, false);
  unknown.ticket.any_key = true;
  CHECK(sequencer.admit(unknown.ticket) == Admission::waiting);
  sequencer.complete(write.ticket, ShadowNeed::send);
  CHECK(unknown.resumed == 0);
  sequencer.shadow_done(write.ticket, ShadowResult::applied);
  CHECK(unknown.resumed == 1);
  sequencer.complete(unknown.ticket,
                     ShadowNeed::forfeit);  // took effect on modern alone: legacy is complete for no key
  Probe any({"9"}, false, Side::legacy);
  sequencer.admit(any.ticket);
  CHECK(any.ticket.side == Side::modern);
  sequencer.abandon(any.ticket);
}

TEST_CASE("a read whose shadow leg may see a write that the other side serves meanwhile says so") {
  Sequencer sequencer;
  Probe read({"8"}, false, Side::modern), behind({"8"}, false, Side::modern), write({"8", "2"}, true, Side::legacy);
  sequencer.admit(read.ticket);
  CHECK(sequencer.complete(read.ticket, ShadowNeed::send));
  CHECK(sequencer.admit(write.ticket) == Admission::granted);
  CHECK(read.ticket.overlapped());
  sequencer.complete(write.ticket, ShadowNeed::send);
  sequencer.shadow_done(read.ticket, ShadowResult::applied);
  sequencer.shadow_done(write.ticket, ShadowResult::applied);
  sequencer.admit(behind.ticket);
  CHECK(sequencer.complete(behind.ticket, ShadowNeed::send));
  CHECK_FALSE(behind.ticket.overlapped());
}

TEST_CASE("a queued ticket may be moved, and keeps its place") {
  Sequencer sequencer;
  Probe a({"1"}, true), b({"1", "2"}, true), c({"2"}, true);
  for (Probe* probe : {&a, &b, &c}) sequencer.admit(probe->ticket);
  for (Probe* probe : {&a, &b, &c}) sequencer.complete(probe->ticket, ShadowNeed::send);
  Probe moved({}, false);
  CHECK_FALSE(sequencer.relocate(a.ticket, moved.ticket, false));  // its turn has come: the notice is under way
  REQUIRE(sequencer.relocate(b.ticket, moved.ticket, false));
  CHECK_FALSE(Sequencer::is_queued(b.ticket));
  CHECK(Sequencer::is_queued(moved.ticket));
  CHECK(moved.ticket.write);
  sequencer.shadow_done(a.ticket, ShadowResult::applied);
  CHECK(b.shadows == 0);
  CHECK(moved.shadows == 1);
  CHECK(c.shadows == 0);
  Probe again({}, false);
  CHECK_FALSE(sequencer.relocate(moved.ticket, again.ticket, false));
  REQUIRE(sequencer.relocate(moved.ticket, again.ticket, true));
  sequencer.shadow_done(again.ticket, ShadowResult::applied);
  CHECK(c.shadows == 1);
  sequencer.shadow_done(c.ticket, ShadowResult::applied);
  CHECK(sequencer.summary().behind_keys[1] == 0);
}

TEST_CASE("shadow legs of an earlier process are restored in their order, before anything new") {
  Sequencer sequencer;
  Probe first({"1"}, true), second({"1"}, true), later({"1"}, true);
  first.ticket.completion = 7;
  second.ticket.completion = 9;
  CHECK(sequencer.restore(first.ticket));
  CHECK_FALSE(sequencer.restore(second.ticket));
  CHECK(sequencer.summary().behind_keys[1] == 1);
  Probe on_modern({"1"}, false, Side::modern, false);
  CHECK(sequencer.admit(on_modern.ticket) == Admission::waiting);
  CHECK(sequencer.cancel_wait(on_modern.ticket));
  CHECK(sequencer.admit(later.ticket) == Admission::granted);
  CHECK_FALSE(sequencer.complete(later.ticket, ShadowNeed::send));
  CHECK(later.ticket.completion == 10);
  CHECK(later.ticket.sequences == std::vector<std::uint64_t>{3});
  sequencer.shadow_done(first.ticket, ShadowResult::applied);
  CHECK(second.shadows == 1);
  CHECK(later.shadows == 0);
  sequencer.shadow_done(second.ticket, ShadowResult::applied);
  CHECK(later.shadows == 1);
}

TEST_CASE("keys can be named incomplete, listed, and said to be complete again") {
  Sequencer sequencer;
  sequencer.mark_incomplete({"1", "2"}, Side::modern);
  sequencer.mark_incomplete({"2"}, Side::legacy);  // never both: the first word counts
  Probe probe({"2"}, false, Side::modern);
  CHECK(sequencer.admit(probe.ticket) == Admission::granted);
  CHECK(probe.ticket.side == Side::legacy);
  auto keys = sequencer.lagging_keys(10);
  std::sort(keys.incomplete[1].begin(), keys.incomplete[1].end());
  CHECK(keys.incomplete[1] == std::vector<std::string>{"1", "2"});
  CHECK(keys.incomplete[0].empty());
  CHECK(sequencer.lagging_keys(1).incomplete[1].size() == 1);
  sequencer.mark_complete({"2"}, Side::modern);
  CHECK(sequencer.summary().incomplete_keys[1] == 1);
  Probe now({"2"}, false, Side::modern);
  CHECK(sequencer.admit(now.ticket) == Admission::granted);
  CHECK(now.ticket.side == Side::modern);
  sequencer.mark_incomplete({BusinessKey(kUnknownKey)}, Side::modern);
  CHECK(sequencer.lagging_keys(10).incomplete[1].front() == kUnknownKey);
  sequencer.mark_complete({BusinessKey(kUnknownKey)}, Side::modern);
  CHECK(sequencer.summary().incomplete_keys[1] == 0);
}

TEST_CASE("what is under way of one key can be asked, also where it is incomplete") {
  Sequencer sequencer;
  CHECK(sequencer.state_of_key("1").in_flight[0] == 0);
  Probe write({"1"}, true), any({}, true);
  CHECK(sequencer.admit(write.ticket) == Admission::granted);
  CHECK(sequencer.state_of_key("1").in_flight[0] == 1);
  sequencer.complete(write.ticket, ShadowNeed::send);
  sequencer.mark_incomplete({"1"}, Side::modern);
  const auto behind = sequencer.state_of_key("1");
  CHECK(behind.in_flight[0] == 0);
  CHECK(behind.behind[1] == 1);
  CHECK(behind.incomplete[1]);
  sequencer.shadow_done(write.ticket, ShadowResult::applied);
  CHECK(sequencer.state_of_key("1").behind[1] == 0);
  any.ticket.any_key = true;
  CHECK(sequencer.admit(any.ticket) == Admission::granted);
  CHECK(sequencer.state_of_key("1").in_flight[0] == 1);
  sequencer.abandon(any.ticket);
  sequencer.mark_incomplete(kEveryKey, Side::legacy);
  CHECK(sequencer.state_of_key("2").incomplete[0]);
  CHECK_FALSE(sequencer.state_of_key("1").incomplete[0]);
}

TEST_CASE("a write of unknown keys overlaps everything that is in flight with it") {
  Sequencer sequencer;
  Probe before({"1"}, false), any({}, true), during({"2"}, false), after({"1"}, false);
  any.ticket.any_key = true;
  sequencer.admit(before.ticket);
  sequencer.admit(any.ticket);
  sequencer.admit(during.ticket);
  sequencer.complete(before.ticket, ShadowNeed::none);
  sequencer.complete(any.ticket, ShadowNeed::none);
  sequencer.complete(during.ticket, ShadowNeed::none);
  sequencer.admit(after.ticket);
  sequencer.complete(after.ticket, ShadowNeed::none);
  CHECK(before.ticket.overlap);
  CHECK(during.ticket.overlap);
  CHECK_FALSE(after.ticket.overlap);
}

TEST_CASE("where all keys count as incomplete on a side, it still serves those that only it has") {
  Sequencer sequencer;
  sequencer.mark_incomplete({"1"}, Side::legacy);
  sequencer.mark_incomplete(kEveryKey, Side::modern);
  Probe one({"1"}, false, Side::legacy), two({"2"}, false, Side::modern);
  CHECK(sequencer.admit(one.ticket) == Admission::granted);
  CHECK(one.ticket.side == Side::modern);
  CHECK(sequencer.admit(two.ticket) == Admission::granted);
  CHECK(two.ticket.side == Side::legacy);
}
