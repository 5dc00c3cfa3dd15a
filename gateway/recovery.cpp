#include "gateway/recovery.hpp"

#include <xxhash.h>

#include <algorithm>
#include <map>
#include <set>

#include "gateway/admission.hpp"
#include "gateway/exchange_publisher.hpp"
#include "gateway/settlement.hpp"
#include "gateway/shadow_dispatcher.hpp"

namespace phoenix::gateway {
namespace {

// The count that belongs to an event was the dead process's next store.
void count_published(EarlierAccounts& earlier, const EventSpool& events) {
  if (!earlier.same_columns) return;  // another version's; what it had not counted is lost
  events.for_each([&](const ExchangeId&, std::uint32_t generation, const EventCount& count) {
    if (generation != earlier.generation || count.column >= Account::kColumns) return;
    if (count.loop >= earlier.rows.size() || count.route >= earlier.rows[count.loop].size()) return;
    std::uint64_t& counted = earlier.rows[count.loop][count.route].columns()[count.column];
    counted = std::max(counted, count.value);
  });
}

std::set<ExchangeId> published_among(const std::set<ExchangeId>& wanted, const EventSpool& events) {
  std::set<ExchangeId> found;
  if (wanted.empty()) return found;
  events.for_each([&](const ExchangeId& id, std::uint32_t, const EventCount&) {
    if (wanted.contains(id)) found.insert(id);
  });
  return found;
}

void add_route(EarlierAccounts& earlier, const RouteLabel& label) {
  for (const auto& known : earlier.routes) {
    if (known.name == label.name) return;
  }
  earlier.routes.push_back(label);
  for (auto& loop : earlier.rows) loop.emplace_back();
}

int slice_of(std::string_view name, const Settings& settings) {
  const auto& names = settings.routes.slice_names();
  const auto found = std::find(names.begin(), names.end(), name);
  return found == names.end() ? -1 : static_cast<int>(found - names.begin());
}

}  // namespace

Recovery::Recovery(EarlierAccounts& earlier, const EventSpool& events, Journal& journal, const Settings& settings)
    : keys_unknown_{earlier.keys_unknown[0], earlier.keys_unknown[1]} {
  count_published(earlier, events);
  const auto under_way = journal.open_exchanges();
  std::set<ExchangeId> ids;
  for (const auto& exchange : under_way) ids.insert(StoredExchange(journal, exchange.at).intent.id);
  const auto published = published_among(ids, events);
  std::map<std::string, std::pair<RouteLabel, std::uint64_t>, std::less<>> go_on;  // by route
  for (const auto& exchange : under_way) {
    const StoredExchange stored(journal, exchange.at);
    if (published.contains(stored.intent.id)) {  // it died before it could say `done`
      Journaled at = exchange.at;
      journal.done(at);
      continue;
    }
    const Fate fate = fate_of(stored, exchange.sending, settings);
    open_.push_back({exchange.at, fate, slice_of(stored.intent.slice, settings), stored.served.completion});
    if (fate != Fate::resume && fate != Fate::shadow_uncertain) continue;
    auto& [label, count] = go_on[std::string(stored.intent.route)];
    label = {std::string(stored.intent.route), std::string(stored.intent.slice)};
    ++count;
  }
  if (earlier.rows.empty()) earlier.rows.emplace_back();
  for (const auto& [name, kept] : go_on) add_route(earlier, kept.first);
  for (std::size_t i = 0; i < earlier.routes.size(); ++i) {
    const auto kept = go_on.find(earlier.routes[i].name);
    const std::uint64_t in_flight = earlier.total(i).in_flight();
    const std::uint64_t still = kept == go_on.end() ? 0 : kept->second.second;
    Account& account = earlier.rows[0][i];
    if (in_flight >= still) {
      account.lost += in_flight - still;
      summary_.lost += in_flight - still;
    } else {  // the accounts were moved away, the journal was not
      account.received += still - in_flight;
    }
  }
  summary_.incomplete_keys = journal.incomplete_keys().size();
}

Recovery::Fate Recovery::fate_of(const StoredExchange& stored, bool sending, const Settings& settings) {
  const Route* route = settings.routes.find(stored.intent.route, stored.intent.slice);
  if (route == nullptr) return Fate::cannot_go_on;
  if (stored.served_record() == nullptr) return Fate::serving_uncertain;
  if (other(stored.intent.serving) == Side::modern && !settings.has_modern()) return Fate::cannot_go_on;
  return sending && !route->config.idempotent ? Fate::shadow_uncertain : Fate::resume;
}

void Recovery::carry_out(GatewayContext& context, std::vector<std::unique_ptr<EventLoop>>& loops) {
  adopt_unknown_keys(context);
  for (const auto& known : context.journal.incomplete_keys()) {
    const int slice = slice_of(known.slice, *loops.front()->settings);
    if (slice >= 0) context.sequencers[static_cast<std::size_t>(slice)]->mark_incomplete({known.key}, known.side);
  }
  // Shadow legs go in the order in which their serving legs had ended.
  std::stable_sort(open_.begin(), open_.end(),
                   [](const Open& a, const Open& b) { return a.completion < b.completion; });
  for (const Open& open : open_) {
    if (open.fate == Fate::resume) {
      resume(open, context, loops);
      ++summary_.resumed;
    } else {
      settle_uncertain(open, context, *loops.front());
      ++summary_.uncertain;
    }
  }
  open_.clear();
  std::sort(unsettled_.begin(), unsettled_.end(),
            [](const auto& a, const auto& b) { return a.first->received_at_us < b.first->received_at_us; });
  for (const auto& [leg, loop] : unsettled_) loop->unsettled.add(*leg);
  unsettled_.clear();
}

// Keys became incomplete and could not be named: all of them are, until somebody says otherwise. Where that happened to
// both sides, legacy is believed.
void Recovery::adopt_unknown_keys(GatewayContext& context) {
  for (const Side side : {Side::modern, Side::legacy}) {
    if (!keys_unknown_[index(side)]) continue;
    if (side == Side::legacy && keys_unknown_[index(Side::modern)]) {
      context.accounts.set_keys_unknown(static_cast<std::size_t>(index(side)), false);
      continue;
    }
    bool on_record = true;
    for (std::size_t i = 0; i < context.slice_names.size(); ++i) {
      context.sequencers[i]->mark_incomplete(kEveryKey, side);
      on_record = context.journal.incomplete(context.slice_names[i], side, kEveryKey) && on_record;
    }
    if (on_record) context.accounts.set_keys_unknown(static_cast<std::size_t>(index(side)), false);
  }
}

void Recovery::resume(const Open& open, GatewayContext& context, std::vector<std::unique_ptr<EventLoop>>& loops) {
  const StoredExchange stored(context.journal, open.at);
  auto leg = std::make_unique<SpooledLeg>();
  leg->received_at_us = stored.intent.received_at_us;
  leg->at = open.at;
  leg->gated = stored.served.gated;
  leg->sequencer = context.sequencers[static_cast<std::size_t>(open.slice)].get();
  leg->route = loops.front()->settings->routes.find(stored.intent.route, stored.intent.slice)->index;
  leg->ticket.keys = stored.served.keys;
  leg->ticket.write = true;
  leg->ticket.unordered = stored.intent.unordered;
  leg->ticket.side = stored.intent.serving;
  leg->ticket.target = stored.intent.target;
  leg->ticket.overlap = stored.served.overlap;
  leg->ticket.completion = stored.served.completion;
  const bool has_turn = !leg->gated || leg->sequencer->restore(leg->ticket);
  leg->ticket.keys = {};  // they stand in the journal
  const auto& first_key = stored.served.keys.empty() ? BusinessKey() : stored.served.keys.front();
  EventLoop& loop = *loops[XXH3_64bits(first_key.data(), first_key.size()) % loops.size()];
  unsettled_.emplace_back(leg.get(), &loop);
  loop.shadow[static_cast<std::size_t>(index(other(stored.intent.serving)))]->take_over(std::move(leg), has_turn);
}

// A write of which nobody can say whether the backend has applied it: its keys stay on the side that is known to be
// ahead, and whoever compares is told.
void Recovery::settle_uncertain(const Open& open, GatewayContext& context, EventLoop& loop) {
  const StoredExchange stored(context.journal, open.at);
  Journaled at = open.at;
  record_incomplete(stored.intent, stored.served_record(), context);
  // Also where the route is gone: the slice's other routes may know the keys.
  const ServedRecord* served = stored.served_record();
  if (open.slice >= 0 && (served != nullptr ? served->gated : stored.intent.gated)) {
    const auto& keys = served != nullptr ? served->keys : stored.intent.keys;
    context.sequencers[static_cast<std::size_t>(open.slice)]->mark_incomplete(stored.intent.any_key ? kEveryKey : keys,
                                                                              other(stored.intent.serving));
  }
  const Route* route = loop.settings->routes.find(stored.intent.route, stored.intent.slice);
  ExchangePtr exchange;
  if (route != nullptr) exchange = rebuild_exchange(stored.intent, stored.served_record(), loop.settings, *route);
  if (exchange) {
    exchange->loop = &loop;
    exchange->ticket.sequences.clear();  // they belong to the process that died
    if (open.fate == Fate::shadow_uncertain) {
      exchange->shadow.outcome = LegOutcome::reset;
      context.publisher.finish(*exchange, loop);
    } else {
      context.publisher.publish_lost(*exchange);
    }
  }
  context.journal.done(at);
}

}  // namespace phoenix::gateway
