# How a directory becomes a module, a program or a test. Everything that is true of all of them is said here once.

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(UV REQUIRED IMPORTED_TARGET libuv)
pkg_check_modules(MOSQUITTO REQUIRED IMPORTED_TARGET libmosquitto)
pkg_check_modules(PQ REQUIRED IMPORTED_TARGET libpq)
pkg_check_modules(PROTOBUF_C REQUIRED IMPORTED_TARGET libprotobuf-c)
pkg_check_modules(GEOS REQUIRED IMPORTED_TARGET geos)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(EXPAT REQUIRED IMPORTED_TARGET expat)
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-0.1)
pkg_check_modules(ZLIB REQUIRED IMPORTED_TARGET zlib)
pkg_check_modules(DEFLATE REQUIRED IMPORTED_TARGET libdeflate) # its CRC-32 is zlib's, ten times as fast
pkg_check_modules(SYSTEMD REQUIRED IMPORTED_TARGET libsystemd)
pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

set(CAMPUS_SANITIZE "" CACHE STRING "sanitizers, comma separated")
option(CAMPUS_COVERAGE "gcov instrumentation" OFF)
option(CAMPUS_FUZZ "build the libFuzzer targets" OFF)
option(CAMPUS_LTO "optimize over the files of a program" OFF)
if(CAMPUS_LTO)
  set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
endif()

include(CheckCCompilerFlag)
find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
endif()

add_library(campus_flags INTERFACE)
target_compile_options(campus_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes
  -Wdouble-promotion -Wformat=2 -Wundef -Wvla -Wswitch-enum -Werror -fno-omit-frame-pointer)
target_compile_definitions(campus_flags INTERFACE _GNU_SOURCE)
target_include_directories(campus_flags INTERFACE ${CMAKE_SOURCE_DIR})
# GCC copies and clears structs of some lines by instructions that take a hundred of others to begin.
set(plain_copies "-mmemcpy-strategy=vector_loop:256:noalign,libcall:-1:noalign"
  "-mmemset-strategy=vector_loop:256:noalign,libcall:-1:noalign")
check_c_compiler_flag("${plain_copies}" HAS_PLAIN_COPIES)
if(CAMPUS_LTO AND HAS_PLAIN_COPIES) # not where clang-tidy reads what GCC is told
  target_compile_options(campus_flags INTERFACE ${plain_copies})
endif()
if(CAMPUS_SANITIZE)
  target_compile_options(campus_flags INTERFACE
    -fsanitize=${CAMPUS_SANITIZE} -fno-sanitize-recover=all -O1)
  target_link_options(campus_flags INTERFACE -fsanitize=${CAMPUS_SANITIZE})
endif()
if(CAMPUS_FUZZ)
  target_compile_options(campus_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(CAMPUS_COVERAGE)
  target_compile_options(campus_flags INTERFACE --coverage)
  target_link_options(campus_flags INTERFACE --coverage)
endif()

set_property(GLOBAL PROPERTY CAMPUS_MODULES "")

# add_module(NAME SOURCES a.c ... [USES module ...] [LIBS target ...] [PURE])
#   USES  modules whose headers it may include: enforced by tests/rules/layering.sh
#   PURE  its objects may refer to nothing but its USES, libm and the plain memory and string
#         functions: enforced by tests/rules/purity.sh on the symbol table
function(add_module name)
  cmake_parse_arguments(M "PURE" "" "SOURCES;USES;LIBS" ${ARGN})
  add_library(${name} STATIC ${M_SOURCES})
  target_link_libraries(${name} PUBLIC campus_flags ${M_USES} ${M_LIBS})
  file(RELATIVE_PATH dir ${CMAKE_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
  string(REPLACE ";" "," uses "${M_USES}")
  if(M_PURE)
    set(pure pure)
  else()
    set(pure impure)
  endif()
  list(TRANSFORM M_SOURCES REPLACE "^${CMAKE_CURRENT_SOURCE_DIR}/" "")
  list(FILTER M_SOURCES EXCLUDE REGEX "[$]<|^/") # generated ones are not ours to judge
  string(REPLACE ";" "," sources "${M_SOURCES}")
  string(REPLACE ";" "," libs "${M_LIBS}")
  # the line that tests/rules read from build/<preset>/modules.txt
  set_property(GLOBAL APPEND PROPERTY CAMPUS_MODULES
    "${name}|${dir}|${uses}|${pure}|$<TARGET_FILE:${name}>|${sources}|${libs}")
endfunction()

# add_program(NAME SOURCES a.c ... LIBS target ...): lands in build/<preset>/bin
add_custom_target(programs)
function(add_program name)
  cmake_parse_arguments(P "" "" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${P_SOURCES})
  target_link_libraries(${name} PRIVATE campus_flags ${P_LIBS})
  add_dependencies(programs ${name})
endfunction()

# add_unit_test(NAME LIBS target ... [SOURCES extra.c ...] [LABELS l ...]): NAME.c beside the CMakeLists
function(add_unit_test name)
  cmake_parse_arguments(T "" "" "SOURCES;LIBS;LABELS" ${ARGN})
  add_executable(${name} ${name}.c ${T_SOURCES})
  target_link_libraries(${name} PRIVATE campus_flags ${T_LIBS} PkgConfig::CMOCKA)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_compile_definitions(${name} PRIVATE CAMPUS_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS "unit;${T_LABELS}" TIMEOUT 600
    ENVIRONMENT "ASAN_OPTIONS=detect_leaks=1;UBSAN_OPTIONS=print_stacktrace=1")
endfunction()
