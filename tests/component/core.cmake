phoenix_test(event_log_contract component SOURCES event_log_contract.cpp event_log_backends.cpp DEPS phoenix_core_events TIMEOUT 300)
phoenix_test(sqlite_event_log_test component SOURCES sqlite_event_log_test.cpp event_log_backends.cpp DEPS phoenix_core_events TIMEOUT 180)
# librdkafka starts its threads by thrd_create, which ThreadSanitizer does not know.
if(NOT PHOENIX_SANITIZE MATCHES "thread")
  phoenix_test(kafka_event_log_test component SOURCES kafka_event_log_test.cpp event_log_backends.cpp DEPS phoenix_core_events TIMEOUT 180)
endif()
phoenix_test(program_test component SOURCES program_test.cpp DEPS phoenix_core_runtime)
