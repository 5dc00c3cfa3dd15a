// Evidence of exchanges: what people are shown of a verdict.
#include <fmt/format.h>

#include <boost/algorithm/string/case_conv.hpp>

#include "arbiter/verdict_store_json.hpp"
#include "arbiter/verdict_store_rows.hpp"

namespace phoenix::arbiter::rows {
namespace {

/// Credentials are no evidence.
bool is_secret(const std::string& header) {
  const std::string name = boost::algorithm::to_lower_copy(header);
  return name == "authorization" || name == "proxy-authorization" || name == "cookie" || name == "set-cookie" ||
         name == "x-api-key";
}

json headers_json(const HeaderList& headers) {
  json list = json::array();
  for (const auto& [name, value] : headers) {
    list.push_back({clean_text(name), is_secret(name) ? "(blotted out)" : clean_text(value)});
  }
  return list;
}

json leg_json(const LegRecord& leg) {
  return {{"outcome", to_string(leg.outcome)},
          {"status", leg.status},
          {"uncertain", leg.uncertain},
          {"sent_at_us", leg.sent_at_us},
          {"duration_us", leg.duration_us},
          {"body_bytes", leg.body_bytes},
          {"body_hash", fmt::format("{:016x}", leg.body_hash)},
          {"truncated", leg.truncated},
          {"cut", leg.cut},
          {"headers", headers_json(leg.headers)}};
}

json differences_json(const std::vector<ValueDifference>& differences) {
  json list = json::array();
  for (const auto& difference : differences) {
    list.push_back({{"kind", to_string(difference.kind)},
                    {"path", clean_text(difference.path)},
                    {"legacy", clean_text(difference.legacy)},
                    {"modern", clean_text(difference.modern)}});
  }
  return list;
}

json postings_json(const std::vector<AccountPosting>& postings) {
  json list = json::array();
  for (const auto& posting : postings) {
    const auto amount = [&](std::int64_t units) { return format_minor(units, posting.scale); };
    json entry{{"account", clean_text(posting.account)},
               {"currency", clean_text(posting.currency)},
               {"gap", amount(posting.gap)},
               {"accepted", amount(posting.carry)},
               {"same_predecessors", posting.same_predecessors}};
    for (const Side side : {Side::legacy, Side::modern}) {
      const auto& leg = posting.legs[index(side)];
      if (leg.transactions == 0) continue;
      entry[std::string(to_string(side))] = {{"transactions", leg.transactions},
                                             {"delta", amount(leg.delta)},
                                             {"before", amount(leg.before)},
                                             {"after", amount(leg.after)},
                                             {"position", {leg.commit, leg.place}}};
    }
    list.push_back(std::move(entry));
  }
  return list;
}

json header_json(const ExchangeEvent& e) {
  json keys = json::array();
  for (const auto& key : e.keys) keys.push_back({{"key", key.key}, {"sequence", key.sequence}});
  return {{"exchange_id", e.exchange_id},
          {"request_id", clean_text(e.request_id)},
          {"gateway", e.gateway},
          {"incarnation", e.incarnation},
          {"sequence", e.sequence},
          {"received_at_us", e.received_at_us},
          {"completed_at_us", e.completed_at_us},
          {"route", e.route},
          {"slice", e.slice},
          {"method", clean_text(e.method)},
          {"target", clean_text(e.target)},
          {"write", e.write},
          {"keys", keys},
          {"target_side", to_string(e.target_side)},
          {"serving_side", to_string(e.serving_side)},
          {"stage", to_string(e.stage)},
          {"policy_epoch", e.policy_epoch},
          {"rung", e.rung},
          {"overlap", e.overlap},
          {"parachute", e.parachute},
          {"forced", e.forced},
          {"dropped", clean_text(e.dropped)},
          {"request",
           {{"headers", headers_json(e.request_headers)},
            {"body_bytes", e.request_body_bytes},
            {"truncated", e.request_truncated}}},
          {"legacy", leg_json(e.leg(Side::legacy))},
          {"modern", leg_json(e.leg(Side::modern))}};
}

}  // namespace

std::string evidence(const CoreChanges& changes) {
  json list = json::array();
  for (const auto& [e, legacy_balance, modern_balance, differences, postings] : changes.evidence) {
    json header = header_json(e);
    header["differences"] = differences_json(differences);
    if (!postings.empty()) header["postings"] = postings_json(postings);
    list.push_back({{"exchange_id", e.exchange_id},
                    {"account", e.keys.empty() ? "" : e.keys.front().key},
                    {"slice", e.slice},
                    {"route", e.route},
                    {"method", clean_text(e.method)},
                    {"target", clean_text(e.target)},
                    {"serving_side", to_string(e.serving_side)},
                    {"us", e.completed_at_us},
                    {"rung", e.rung},
                    {"header", std::move(header)},
                    {"request_body", hex(e.request_body)},
                    {"legacy_status", e.leg(Side::legacy).status},
                    {"legacy_body", hex(e.leg(Side::legacy).body)},
                    {"modern_status", e.leg(Side::modern).status},
                    {"modern_body", hex(e.leg(Side::modern).body)},
                    {"legacy_balance", text_or_null(legacy_balance)},
                    {"modern_balance", text_or_null(modern_balance)}});
  }
  return dump(list);
}

std::string late_postings(const CoreChanges& changes) {
  json list = json::array();
  for (const auto& [exchange_id, postings] : changes.late_postings) {
    json replaced = json::array();
    for (const auto& posting : postings) {
      if (posting.on_both()) replaced.push_back(clean_text(posting.account));
    }
    list.push_back({{"exchange_id", exchange_id}, {"replaced", replaced}, {"postings", postings_json(postings)}});
  }
  return dump(list);
}

}  // namespace phoenix::arbiter::rows
