# What each rule of docs/semantics.md prevents. The table over 1,000 seeds is printed by hand (HACKING.md).
add_executable(rules_simulation rules/main.cpp rules/backend.cpp rules/client.cpp rules/decisions.cpp
  rules/gateway_model.cpp rules/oracle.cpp rules/rule_rows.cpp rules/settlement_model.cpp rules/shadow_legs.cpp
  rules/table.cpp rules/world.cpp)
target_link_libraries(rules_simulation PRIVATE phoenix_gateway_lib)
add_test(NAME rules_simulation COMMAND rules_simulation --seeds 100)
set_tests_properties(rules_simulation PROPERTIES LABELS simulation TIMEOUT 120)
