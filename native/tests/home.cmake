# SPDX-License-Identifier: Apache-2.0
# Installs the toolkit, and checks that the home is complete wherever it lies and that set_env.sh finds it.
function(run)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "OUTPUT" "COMMAND")
  execute_process(COMMAND ${arg_COMMAND} RESULT_VARIABLE code OUTPUT_VARIABLE output ERROR_VARIABLE errors)
  if(NOT code EQUAL 0)
    string(JOIN " " command ${arg_COMMAND})
    message(FATAL_ERROR "${command}\n${output}\n${errors}")
  endif()
  if(arg_OUTPUT)
    set(${arg_OUTPUT} "${output}" PARENT_SCOPE)
  endif()
endfunction()

set(home ${WORK_DIR}/home)
set(moved "${WORK_DIR}/moved to here")
file(REMOVE_RECURSE ${home} ${moved})
run(COMMAND ${CMAKE_COMMAND} --install ${BUILD_DIR} --prefix ${moved})
foreach(name libascendcl.so libnnopbase.so libopapi.so libhccl.so)
  file(READ_SYMLINK ${moved}/lib64/${name} target)
  if(NOT target STREQUAL "libcann4j_cpu.so")
    message(FATAL_ERROR "${name} points to ${target}")
  endif()
endforeach()
foreach(path include/acl/acl.h include/aclnn/aclnn_base.h include/aclnnop/aclnn_flash_attention_score.h
             include/hccl/hccl.h include/version/cann_version.h opp)
  if(NOT EXISTS ${moved}/${path})
    message(FATAL_ERROR "the home has no ${path}")
  endif()
endforeach()

set(expected "${moved}|${moved}|${moved}|${moved}/opp|${moved}/toolkit|${moved}/lib64:/before\n")
set(print "printf '%s|%s|%s|%s|%s|%s\\n' \"$ASCEND_HOME_PATH\" \"$ASCEND_TOOLKIT_HOME\" \"$ASCEND_AICPU_PATH\" \
\"$ASCEND_OPP_PATH\" \"$TOOLCHAIN_HOME\" \"$LD_LIBRARY_PATH\"")
set(environment ${CMAKE_COMMAND} -E env LD_LIBRARY_PATH=/before)
foreach(shell sh bash dash zsh)
  find_program(${shell}_program ${shell})
  if(NOT ${shell}_program)
    continue() # sh is always there
  endif()
  foreach(script "cd '${WORK_DIR}' && . './moved to here/set_env.sh' && cd / && ${print}"
                 "cd '${moved}' && . ./set_env.sh && ${print}"
                 "(. '${moved}/set_env.sh' && ${print})")
    run(COMMAND ${environment} ${${shell}_program} -euc ${script} OUTPUT output)
    if(NOT output STREQUAL expected)
      message(FATAL_ERROR "${shell}: ${script}\n${output}is not\n${expected}")
    endif()
  endforeach()
endforeach()
file(RENAME ${moved} ${home})

# A program records the names by which a real toolkit knows its libraries.
file(WRITE ${WORK_DIR}/program.c
     "#include \"acl/acl.h\"\nint main(void) { return aclInit(NULL) || aclFinalize(); }\n")
separate_arguments(flags UNIX_COMMAND "${FLAGS}")
run(COMMAND ${CC} ${flags} ${WORK_DIR}/program.c -o ${WORK_DIR}/program -I${home}/include -L${home}/lib64
    -lascendcl -lnnopbase -lopapi -lhccl)
run(COMMAND ${READELF} -d ${WORK_DIR}/program OUTPUT dynamic)
if(NOT dynamic MATCHES "libascendcl.so" OR dynamic MATCHES "cann4j")
  message(FATAL_ERROR "the program needs other libraries than CANN's:\n${dynamic}")
endif()
