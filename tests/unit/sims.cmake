phoenix_test(test_sims unit
  SOURCES sims/fees_test.cpp sims/float_rounding_test.cpp sims/exact_json_test.cpp sims/ledger_position_test.cpp
          sims/journal_test.cpp sims/answers_test.cpp sims/fault_profile_test.cpp sims/bank_api_test.cpp
          sims/command_line_test.cpp sims/database_url_test.cpp
  DEPS phoenix_legacy_sim_lib phoenix_modern_sim_lib)
phoenix_test(test_traffic unit
  SOURCES traffic/workload_test.cpp traffic/price_model_test.cpp traffic/answer_check_test.cpp
          traffic/account_model_test.cpp traffic/latency_histogram_test.cpp traffic/report_test.cpp
          traffic/options_test.cpp
  DEPS phoenix_traffic_lib)
