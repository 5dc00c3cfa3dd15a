# How many faults of a rewrite the arbiter finds, and how often it accuses an innocent one. The table over 10^6 clean
# exchanges is printed by hand (HACKING.md).
add_executable(detector_bench detector/main.cpp detector/arbiter_reader.cpp detector/arbiter_run.cpp detector/bank.cpp detector/change_stream.cpp
  detector/client.cpp detector/disturbances.cpp detector/fault.cpp detector/gateway_events.cpp detector/gateway_model.cpp
  detector/gateway_recovery.cpp detector/report.cpp
  detector/scenario.cpp detector/tariff.cpp detector/truth.cpp detector/world.cpp)
# Of the gateway the order of keys alone.
target_sources(detector_bench PRIVATE ${PROJECT_SOURCE_DIR}/gateway/sequencer.cpp
  ${PROJECT_SOURCE_DIR}/gateway/lagging_keys.cpp)
target_link_libraries(detector_bench PRIVATE phoenix_arbiter_lib)
add_test(NAME detector_bench COMMAND detector_bench --clean 40000 --exchanges 2000)
set_tests_properties(detector_bench PROPERTIES LABELS simulation TIMEOUT 120)
