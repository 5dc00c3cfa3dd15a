phoenix_test(orchestrator_unit unit
  SOURCES orchestrator/rollout_planner_test.cpp orchestrator/planner_walk_test.cpp orchestrator/control_state_test.cpp
          orchestrator/audit_log_test.cpp orchestrator/evidence_board_test.cpp orchestrator/database_test.cpp
          orchestrator/slice_facts_test.cpp orchestrator/cli_options_test.cpp orchestrator/cli_views_test.cpp
          orchestrator/metrics_page_test.cpp
  DEPS phoenix_orchestrator_lib)
