phoenix_test(capture_unit unit
  SOURCES capture/decoding_test.cpp capture/assembler_test.cpp capture/publisher_test.cpp capture/config_test.cpp
  DEPS phoenix_capture_lib)
