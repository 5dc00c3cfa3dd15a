# The orchestrator and phoenixctl on a real Postgres (base URL in PHOENIX_TEST_POSTGRES) and a SQLite event log.
phoenix_test(orchestrator_integration integration TIMEOUT 300
  SOURCES orchestrator/world.cpp orchestrator/ramp_test.cpp orchestrator/kill_test.cpp orchestrator/leadership_test.cpp
          orchestrator/api_test.cpp orchestrator/cli_test.cpp orchestrator/resync_test.cpp
  DEPS phoenix_orchestrator_lib)
target_compile_definitions(orchestrator_integration PRIVATE PHOENIX_BIN_DIR="${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
add_dependencies(orchestrator_integration phoenix-orchestrator)
set_tests_properties(orchestrator_integration PROPERTIES SKIP_REGULAR_EXPRESSION "SKIPPED")
