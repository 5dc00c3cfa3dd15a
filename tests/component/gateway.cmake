add_library(gateway_fixture STATIC gateway/fixture.cpp gateway/fake_backend.cpp)
target_link_libraries(gateway_fixture PUBLIC phoenix_gateway_lib)
phoenix_test(test_gateway component
  SOURCES gateway/forwarding_test.cpp gateway/streaming_test.cpp gateway/tunnel_test.cpp gateway/parachute_test.cpp gateway/tls_listener_test.cpp
          gateway/clients_test.cpp gateway/refusal_test.cpp gateway/calibration_test.cpp gateway/shadow_test.cpp
          gateway/shadow_outage_test.cpp gateway/spool_test.cpp gateway/canary_test.cpp gateway/kill_test.cpp gateway/drain_test.cpp
          gateway/metrics_test.cpp gateway/upstream_endpoints_test.cpp gateway/upstream_transport_test.cpp
          gateway/reload_test.cpp gateway/access_log_test.cpp
          gateway/redaction_test.cpp gateway/override_test.cpp gateway/shadow_auth_test.cpp
  DEPS gateway_fixture TIMEOUT 300)
# Sessions between ends that are played in memory, with a fault at every operation in turn.
phoenix_test(gateway_fault_sweep component
  SOURCES gateway/fault_sweep_test.cpp gateway/fault_run.cpp gateway/fault_scenarios.cpp gateway/played_ends.cpp
          gateway/memory_network.cpp gateway/strict_message.cpp
  DEPS phoenix_gateway_lib TIMEOUT 300)
