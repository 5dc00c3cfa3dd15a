phoenix_test(arbiter_unit unit
  SOURCES arbiter/response_differ_test.cpp arbiter/compare_rules_test.cpp arbiter/body_document_test.cpp
          arbiter/key_writers_test.cpp arbiter/alignment_test.cpp arbiter/decision_core_test.cpp
          arbiter/score_window_test.cpp arbiter/event_merger_test.cpp arbiter/state_alignment_test.cpp
          arbiter/cause_classifier_test.cpp arbiter/cause_book_test.cpp
  DEPS phoenix_arbiter_lib)
