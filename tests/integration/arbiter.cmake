# The arbiter on a real Postgres (base URL in PHOENIX_TEST_POSTGRES), a SQLite log and synthetic exchanges.
phoenix_test(arbiter_integration integration TIMEOUT 240
  SOURCES arbiter/fixture.cpp arbiter/child.cpp arbiter/service_test.cpp arbiter/recovery_test.cpp arbiter/ledger_test.cpp arbiter/state_test.cpp
          arbiter/throughput_test.cpp arbiter/reload_test.cpp arbiter/rebuild_test.cpp arbiter/rebuild_debezium_test.cpp arbiter/accepted_test.cpp arbiter/sweep_test.cpp ../simulation/arbiter/bank_world.cpp
  DEPS phoenix_arbiter_lib)
# Several arbiters on real brokers (PHOENIX_TEST_KAFKA).
phoenix_test(arbiter_sharing integration TIMEOUT 240
  SOURCES arbiter/fixture.cpp arbiter/child.cpp arbiter/sharing_test.cpp
  DEPS phoenix_arbiter_lib)
foreach(test arbiter_integration arbiter_sharing)
  target_compile_definitions(${test} PRIVATE PHOENIX_BIN_DIR="${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
  add_dependencies(${test} phoenix-arbiter)
  set_tests_properties(${test} PROPERTIES SKIP_REGULAR_EXPRESSION "SKIPPED")
endforeach()
set_tests_properties(arbiter_sharing PROPERTIES LABELS "integration;kafka")
