phoenix_test(http_test unit SOURCES http_test.cpp http_faults_test.cpp DEPS phoenix_core_http)
phoenix_test(metrics_test unit SOURCES metrics_test.cpp DEPS phoenix_core_telemetry)
