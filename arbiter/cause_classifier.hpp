// Labels one mismatch by recomputation. Pure.
#pragma once

#include "arbiter/cause_amounts.hpp"
#include "arbiter/cause_facts.hpp"
#include "arbiter/cause_label.hpp"

namespace phoenix::arbiter {

/// The first of the differences that can be explained speaks for all: statuses, postings, then fields in their order.
/// `unexplained` where nothing fits; labels that this exchange alone cannot tell apart are the finding's alternatives.
CauseFinding classify(const MismatchFacts& facts, const RateLookup& rates = {});

}  // namespace phoenix::arbiter
