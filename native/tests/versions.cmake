# SPDX-License-Identifier: Apache-2.0
# CANN4J_CPU_VERSION=8.1 hides the functions that CANN 8.1 does not have from dlsym and from the dynamic linker.
cmake_minimum_required(VERSION 3.25)
include(${CMAKE_CURRENT_LIST_DIR}/../cmake/declared_functions.cmake)
declared_functions(all ${INCLUDE_DIR})
declared_functions(newer ${INCLUDE_DIR} AFTER_8_1)
list(LENGTH newer newer_count)
if(newer_count LESS 15)
  message(FATAL_ERROR "${newer_count} newer functions are too few to be true")
endif()

file(MAKE_DIRECTORY ${WORK_DIR})
separate_arguments(flags UNIX_COMMAND "${FLAGS}")
function(compile name source)
  execute_process(COMMAND ${CC} ${flags} ${CMAKE_CURRENT_LIST_DIR}/versions/${source}.c -o ${WORK_DIR}/${name}
    -I${INCLUDE_DIR} -L${LIBRARY_DIR} -Wl,-rpath,${LIBRARY_DIR} ${ARGN}
    RESULT_VARIABLE code ERROR_VARIABLE errors)
  if(NOT code EQUAL 0)
    message(FATAL_ERROR "${name}:\n${errors}")
  endif()
endfunction()
compile(call call -lcann4j_cpu -Wl,-z,lazy)
compile(call_now call -lcann4j_cpu -Wl,-z,now)
compile(weak weak -lcann4j_cpu -Wl,-z,lazy)
compile(weak_now weak -lcann4j_cpu -Wl,-z,now)
compile(find find -ldl)

# expect(VERSION CODE STDOUT STDERR COMMAND...): the latter two are regular expressions for all of the text.
function(expect version expected_code expected_output expected_errors program)
  set(ENV{CANN4J_CPU_VERSION} ${version})
  execute_process(COMMAND ${EMULATOR} ${WORK_DIR}/${program} ${ARGN}
    RESULT_VARIABLE code OUTPUT_VARIABLE output ERROR_VARIABLE errors)
  if(NOT code EQUAL expected_code OR NOT output MATCHES "^${expected_output}$"
     OR NOT errors MATCHES "^${expected_errors}$")
    message(FATAL_ERROR "version '${version}': ${program} ${ARGN}\ngave ${code}, expected ${expected_code}\n"
      "output: ${output}expected: ${expected_output}\nerrors: ${errors}expected: ${expected_errors}")
  endif()
endfunction()

# found(VARIABLE VERSION): the declared functions that dlsym finds.
function(found variable version)
  set(ENV{CANN4J_CPU_VERSION} ${version})
  execute_process(COMMAND ${EMULATOR} ${WORK_DIR}/find ${LIBRARY_DIR}/libcann4j_cpu.so ${all}
    RESULT_VARIABLE code OUTPUT_VARIABLE output ERROR_VARIABLE errors)
  if(NOT code EQUAL 0)
    message(FATAL_ERROR "version '${version}': find failed: ${errors}")
  endif()
  string(REGEX MATCHALL "[^\n]+" names "${output}")
  set(${variable} ${names} PARENT_SCOPE)
endfunction()

found(found_all newest)
set(expected ${found_all})
list(REMOVE_ITEM expected ${newer})
found(found_older 8.1)
if(NOT found_older STREQUAL expected OR found_older STREQUAL found_all)
  message(FATAL_ERROR "version 8.1 has\n${found_older}\nand not\n${expected}")
endif()
# Nothing, or what is no version, hides nothing.
foreach(version "" 8.2)
  found(found_then "${version}")
  if(NOT found_then STREQUAL found_all)
    message(FATAL_ERROR "version '${version}' has\n${found_then}\nand not\n${found_all}")
  endif()
endforeach()

set(missing ".*symbol lookup error: .*undefined symbol: aclFinalizeReference\n")
foreach(version "" newest)
  foreach(program call call_now)
    expect("${version}" 0 "initialised\ncode 0, 0 left\n" "" ${program} x)
  endforeach()
  foreach(program weak weak_now)
    expect("${version}" 0 "present: 100037\n" "" ${program})
  endforeach()
endforeach()
expect(8.1 0 "initialised\n" "" call)
expect(8.1 127 "initialised\n" "${missing}" call x)
expect(8.1 127 "" "${missing}" call_now)
expect(8.1 0 "absent\n" "" weak)
expect(8.1 0 "absent\n" "" weak_now)
expect(8.2 1 "" "" call) # refused by aclInit
