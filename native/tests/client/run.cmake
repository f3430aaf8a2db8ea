# SPDX-License-Identifier: Apache-2.0
# Installs the toolkit, compiles and links a C program against it as one does against CANN, runs it.
function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE code OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT code EQUAL 0)
    string(JOIN " " command ${ARGV})
    message(FATAL_ERROR "${command}\n${output}")
  endif()
  message(STATUS "${output}")
endfunction()

set(home ${WORK_DIR}/home)
file(REMOVE_RECURSE ${WORK_DIR})
run(${CMAKE_COMMAND} --install ${BUILD_DIR} --prefix ${home})
foreach(name libascendcl.so libnnopbase.so libopapi.so libhccl.so)
  file(READ_SYMLINK ${home}/lib64/${name} target)
  if(NOT target STREQUAL "libcann4j_cpu.so")
    message(FATAL_ERROR "${name} points to ${target}")
  endif()
endforeach()
separate_arguments(flags UNIX_COMMAND "${FLAGS}")
run(${CC} -std=c11 -Wall -Wextra -Werror ${flags} ${SOURCE} -o ${WORK_DIR}/client
    -I${home}/include -L${home}/lib64 -lascendcl -lnnopbase -lopapi -lhccl)
run(${CMAKE_COMMAND} -E env LD_LIBRARY_PATH=${home}/lib64 ${WORK_DIR}/client)
