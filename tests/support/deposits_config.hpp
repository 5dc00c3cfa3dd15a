// One slice, `payments`, with one route: deposits, whose answers state the balance.
#pragma once

#include "core/runtime/config.hpp"

namespace phoenix::test {

inline config::Config deposits_config() {
  config::Config config;
  config.slices = {{"payments", Stage::shadow, 0}};
  config::RouteConfig route;
  route.name = "deposits";
  route.slice = "payments";
  route.methods = {"POST"};
  route.shadow = config::ShadowMode::dual;
  route.compare = {{"/id"}, "/balance"};
  config.gateway.routes.push_back(route);
  return config;
}

}  // namespace phoenix::test
