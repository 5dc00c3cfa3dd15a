phoenix_test(arbiter_unit unit
  SOURCES arbiter/response_differ_test.cpp arbiter/compare_rules_test.cpp arbiter/body_document_test.cpp
          arbiter/key_writers_test.cpp arbiter/alignment_test.cpp arbiter/decision_core_test.cpp
          arbiter/score_window_test.cpp arbiter/event_merger_test.cpp arbiter/noise_board_test.cpp arbiter/sweep_test.cpp arbiter/state_alignment_test.cpp arbiter/state_schedule_test.cpp arbiter/state_world.cpp
          arbiter/state_order_test.cpp
          arbiter/json_span_test.cpp arbiter/state_decoder_test.cpp arbiter/stream_joiner_test.cpp
          arbiter/accepted_changes_test.cpp arbiter/accepted_sandbox_test.cpp arbiter/accepted_rules_file_test.cpp
          arbiter/cause_classifier_test.cpp arbiter/cause_book_test.cpp arbiter/consequence_test.cpp arbiter/stored_text_test.cpp
  DEPS phoenix_arbiter_lib)
target_compile_definitions(arbiter_unit PRIVATE PHOENIX_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
set_source_files_properties(arbiter/accepted_changes_test.cpp PROPERTIES COMPILE_DEFINITIONS
  PHOENIX_EXAMPLE_RULES="${PROJECT_SOURCE_DIR}/docs/accepted-changes.lua")
