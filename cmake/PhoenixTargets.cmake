# What every target of Phoenix shares: language level, warnings, sanitizers, precompiled headers.
# phoenix_library(NAME SOURCES... [DEPS...])     a static library under the repository root include path
# phoenix_program(NAME MAIN LIBRARY)             a thin main linked to one library
# phoenix_test(NAME LABEL SOURCES... [DEPS...])  a Catch2 executable registered with ctest under LABEL

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

option(PHOENIX_WERROR "Treat warnings as errors" ON)
set(PHOENIX_SANITIZE "" CACHE STRING "Value for -fsanitize=, e.g. address,undefined or thread")

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  # Units with a precompiled header are cached only with these (ccache's manual, "Precompiled headers"); the base
  # directory lets checkouts in different folders share the cache.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${CCACHE_PROGRAM})
  add_compile_options($<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
endif()

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(pugixml REQUIRED)
find_package(mimalloc REQUIRED)
pkg_check_modules(LUA REQUIRED IMPORTED_TARGET lua5.4)
find_package(SQLite3 REQUIRED)
find_package(prometheus-cpp REQUIRED COMPONENTS core)
pkg_check_modules(RDKAFKA REQUIRED IMPORTED_TARGET rdkafka)
pkg_check_modules(PQXX REQUIRED IMPORTED_TARGET libpqxx)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)

add_library(phoenix_options INTERFACE)
target_compile_options(phoenix_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 reports these inside its own std::string and std::vector when it inlines them (GCC bugs 105329, 105651).
  target_compile_options(phoenix_options INTERFACE -Wno-stringop-overflow -Wno-restrict)
endif()
if(PHOENIX_WERROR)
  target_compile_options(phoenix_options INTERFACE -Werror)
endif()
if(PHOENIX_SANITIZE)
  target_compile_options(phoenix_options INTERFACE -fsanitize=${PHOENIX_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(phoenix_options INTERFACE -fsanitize=${PHOENIX_SANITIZE})
  if(PHOENIX_SANITIZE MATCHES "address" AND PHOENIX_SANITIZE MATCHES "undefined")
    # What the address sanitizer or the processor notices anyway; they are most of the checks and a quarter of the build.
    target_compile_options(phoenix_options INTERFACE -fno-sanitize=null,alignment,vptr)
  endif()
  if(PHOENIX_SANITIZE MATCHES "thread")
    target_compile_options(phoenix_options INTERFACE -Wno-tsan)  # g++ 12 warns on atomic_thread_fence in Asio
  endif()
endif()
# Asio and Beast are compiled once (core/runtime/asio_impl.cpp); this halves the time of every other unit.
target_compile_definitions(phoenix_options INTERFACE
  BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED
  PHOENIX_VERSION="${PROJECT_VERSION}")
target_include_directories(phoenix_options INTERFACE ${PROJECT_SOURCE_DIR})
target_include_directories(phoenix_options SYSTEM INTERFACE ${Boost_INCLUDE_DIRS})
target_link_libraries(phoenix_options INTERFACE Threads::Threads fmt::fmt)

function(phoenix_library NAME)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_library(${NAME} STATIC ${ARG_SOURCES})
  target_link_libraries(${NAME} PUBLIC phoenix_options ${ARG_DEPS})
  # Two precompiled headers: the standard library and fmt for the model, which stays cheap to load; JSON on top of it for
  # everything outside, where nearly every unit reads or writes JSON. Sources still include what they use.
  set(standard <algorithm> <atomic> <chrono> <cstdint> <functional> <map> <memory> <mutex> <optional> <string>
               <string_view> <thread> <unordered_map> <utility> <variant> <vector> <boost/system/result.hpp>
               <fmt/format.h>)
  if(NAME STREQUAL "phoenix_core_model")
    target_precompile_headers(${NAME} PRIVATE ${standard})
  elseif(NAME STREQUAL "phoenix_core_runtime")
    target_precompile_headers(${NAME} REUSE_FROM phoenix_core_model)
  elseif(NAME STREQUAL "phoenix_core_events")
    target_precompile_headers(${NAME} PRIVATE ${standard} <nlohmann/json.hpp>)
  else()
    target_precompile_headers(${NAME} REUSE_FROM phoenix_core_events)
  endif()
endfunction()

function(phoenix_program NAME MAIN LIBRARY)
  add_executable(${NAME} ${MAIN})
  target_link_libraries(${NAME} PRIVATE ${LIBRARY})
endfunction()

function(phoenix_test NAME LABEL)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;DEPS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  add_executable(${NAME} ${ARG_SOURCES})
  target_link_libraries(${NAME} PRIVATE ${ARG_DEPS} phoenix_test_main)
  target_precompile_headers(${NAME} REUSE_FROM phoenix_test_headers)
  add_test(NAME ${NAME} COMMAND ${NAME})
  set_tests_properties(${NAME} PROPERTIES LABELS ${LABEL} TIMEOUT ${ARG_TIMEOUT})
endfunction()
