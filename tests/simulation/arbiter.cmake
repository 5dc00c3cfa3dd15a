phoenix_test(arbiter_simulation simulation SOURCES arbiter/bank_world.cpp arbiter/arbiter_simulation.cpp
  DEPS phoenix_arbiter_lib TIMEOUT 300)
