# Both simulators and the traffic generator on a real Postgres (base URL in PHOENIX_TEST_POSTGRES).
phoenix_test(test_sims_postgres integration TIMEOUT 180
  SOURCES sims/fixture.cpp sims/same_answers_test.cpp sims/posting_rules_test.cpp sims/concurrency_test.cpp
          sims/faults_test.cpp sims/program_test.cpp sims/traffic_test.cpp
  DEPS phoenix_legacy_sim_lib phoenix_modern_sim_lib phoenix_traffic_lib)
target_compile_definitions(test_sims_postgres PRIVATE PHOENIX_BIN_DIR="${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
add_dependencies(test_sims_postgres phoenix-legacy-sim phoenix-modern-sim)
set_tests_properties(test_sims_postgres PROPERTIES SKIP_REGULAR_EXPRESSION "SKIPPED")
