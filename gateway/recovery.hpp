// What an earlier process left behind, put in order before anything is served: its account, its events, the shadow legs
// it owed, and the keys that one side must not serve.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gateway/account_file.hpp"
#include "gateway/event_loop.hpp"
#include "gateway/event_spool.hpp"
#include "gateway/journal.hpp"

namespace phoenix::gateway {

class Recovery {
 public:
  /// Reads all of it and puts `earlier` right: what a process that died had ended but not counted is counted, and what
  /// it had under way is lost, but for what goes on here. `settings` say which routes and backends there are.
  Recovery(EarlierAccounts& earlier, const EventSpool& events, Journal& journal, const Settings& settings);

  /// Before the loops run: gives the shadow legs back to them, publishes what has ended, and tells the sequencers.
  void carry_out(GatewayContext& context, std::vector<std::unique_ptr<EventLoop>>& loops);

  struct Summary {
    std::uint64_t lost = 0;             ///< in flight, and nothing is known of them
    std::uint64_t resumed = 0;          ///< shadow legs that are still to be sent
    std::uint64_t uncertain = 0;        ///< writes that a backend may or may not have applied
    std::uint64_t incomplete_keys = 0;  ///< on record
  };
  [[nodiscard]] const Summary& summary() const { return summary_; }

 private:
  enum class Fate { resume, shadow_uncertain, serving_uncertain, cannot_go_on };
  struct Open {
    Journaled at;
    Fate fate = Fate::cannot_go_on;
    int slice = -1;
    std::uint64_t completion = 0;
  };
  static Fate fate_of(const StoredExchange& stored, bool sending, const Settings& settings);
  void resume(const Open& open, GatewayContext& context, std::vector<std::unique_ptr<EventLoop>>& loops);
  void adopt_unknown_keys(GatewayContext& context);
  static void settle_uncertain(const Open& open, GatewayContext& context, EventLoop& loop);

  std::vector<Open> open_;
  std::vector<std::pair<Unsettled*, EventLoop*>> unsettled_;  // of the legs that were given back
  bool keys_unknown_[2];
  Summary summary_;
};

}  // namespace phoenix::gateway
