# SPDX-License-Identifier: Apache-2.0
# The flags every target of the project shares. Sanitizers, coverage and fuzzing are chosen by preset.

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_CXX_STANDARD 17) # simdjson only, behind one C header
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

set(WEDR_SANITIZE "" CACHE STRING "-fsanitize= list, empty for none")
option(WEDR_COVERAGE "Instrument for gcov" OFF)
option(WEDR_FUZZ "Build libFuzzer targets (clang)" OFF)

add_library(wedr_flags INTERFACE)
target_compile_options(wedr_flags INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wvla -Wformat=2 -Wimplicit-fallthrough -Werror
  $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes -Wmissing-prototypes>
  $<$<COMPILE_LANGUAGE:C>:SHELL:-include ${CMAKE_SOURCE_DIR}/tools/banned.h>
  -fstack-protector-strong)
target_include_directories(wedr_flags INTERFACE
  ${CMAKE_SOURCE_DIR}/lib ${CMAKE_SOURCE_DIR}/lib/wire/include ${CMAKE_SOURCE_DIR}/lib/platform/include)
target_link_options(wedr_flags INTERFACE LINKER:-z,relro,-z,now)

if(WEDR_SANITIZE OR WEDR_FUZZ)
  set(san "${WEDR_SANITIZE}")
  if(WEDR_FUZZ)
    set(san "address,undefined,fuzzer-no-link")
  endif()
  target_compile_options(wedr_flags INTERFACE -fsanitize=${san} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(wedr_flags INTERFACE -fsanitize=${san})
  if(san MATCHES "address")
    target_compile_definitions(wedr_flags INTERFACE WEDR_ARENA_EMU=1)
  endif()
else()
  target_compile_definitions(wedr_flags INTERFACE $<$<NOT:$<CONFIG:Debug>>:_FORTIFY_SOURCE=2>)
endif()
if(WEDR_COVERAGE)
  target_compile_options(wedr_flags INTERFACE --coverage)
  target_link_options(wedr_flags INTERFACE --coverage)
endif()

find_program(WEDR_CCACHE ccache)
if(WEDR_CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${WEDR_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${WEDR_CCACHE})
endif()
