phoenix_test(test_gateway_pure unit
  SOURCES gateway/message_head_test.cpp gateway/chunked_body_test.cpp gateway/route_table_test.cpp
          gateway/canary_selector_test.cpp gateway/sequencer_test.cpp gateway/policy_store_test.cpp
          gateway/http_date_test.cpp gateway/balancer_test.cpp gateway/circuit_breaker_test.cpp
          gateway/backend_state_test.cpp gateway/proxy_header_test.cpp gateway/address_blocks_test.cpp
          gateway/address_cache_test.cpp gateway/reload_test.cpp gateway/access_line_test.cpp
          gateway/mapped_log_test.cpp gateway/account_file_test.cpp gateway/event_spool_test.cpp gateway/journal_test.cpp
          gateway/redactor_test.cpp gateway/redaction_key_test.cpp gateway/side_override_test.cpp
          gateway/shadow_leg_test.cpp gateway/json_scalars_test.cpp gateway/field_id_test.cpp gateway/loop_io_test.cpp
          gateway/resident_memory_test.cpp
  DEPS phoenix_gateway_lib)
phoenix_test(redacted_compare unit SOURCES gateway/redacted_compare_test.cpp DEPS phoenix_gateway_lib phoenix_arbiter_lib)
