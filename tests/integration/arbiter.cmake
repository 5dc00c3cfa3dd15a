# The arbiter on a real Postgres (base URL in PHOENIX_TEST_POSTGRES), a SQLite log and synthetic exchanges.
phoenix_test(arbiter_integration integration TIMEOUT 240
  SOURCES arbiter/fixture.cpp arbiter/service_test.cpp arbiter/recovery_test.cpp arbiter/ledger_test.cpp
          arbiter/throughput_test.cpp arbiter/reload_test.cpp ../simulation/arbiter/bank_world.cpp
  DEPS phoenix_arbiter_lib)
target_compile_definitions(arbiter_integration PRIVATE PHOENIX_BIN_DIR="${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
add_dependencies(arbiter_integration phoenix-arbiter)
set_tests_properties(arbiter_integration PROPERTIES SKIP_REGULAR_EXPRESSION "SKIPPED")
