// Catch2 2 (Debian 12) or 3: one main for every test executable.
#define CATCH_CONFIG_MAIN
#include "tests/support/catch.hpp"
