phoenix_test(test_core_model unit SOURCES core/decimal_test.cpp core/identity_test.cpp core/consistency_score_test.cpp core/utf8_test.cpp
  DEPS phoenix_core_model)
phoenix_test(test_core_config unit SOURCES core/config_test.cpp core/config_compare_test.cpp core/config_state_test.cpp
  DEPS phoenix_core_runtime)
phoenix_test(test_core_events unit SOURCES core/events_test.cpp DEPS phoenix_core_events)
