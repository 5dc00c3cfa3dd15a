# phoenix-capture on a real Postgres with wal_level = logical (base URL in PHOENIX_TEST_POSTGRES) and a SQLite log.
phoenix_test(capture_integration integration TIMEOUT 240
  SOURCES capture/fixture.cpp capture/capture_test.cpp capture/durability_test.cpp capture/marker_test.cpp
  DEPS phoenix_capture_lib)
target_compile_definitions(capture_integration PRIVATE
  PHOENIX_BIN_DIR="${CMAKE_RUNTIME_OUTPUT_DIRECTORY}" PHOENIX_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
add_dependencies(capture_integration phoenix-capture)
set_tests_properties(capture_integration PROPERTIES SKIP_REGULAR_EXPRESSION "SKIPPED")
