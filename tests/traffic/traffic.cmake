phoenix_library(phoenix_traffic_lib
  SOURCES options.cpp workload.cpp price_model.cpp account_model.cpp answer_check.cpp latency_histogram.cpp report.cpp client.cpp runner.cpp
  DEPS phoenix_sim_support)
phoenix_program(phoenix-traffic main.cpp phoenix_traffic_lib)
