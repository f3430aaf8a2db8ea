# SPDX-License-Identifier: Apache-2.0
# Every public header compiles on its own, twice, as C11 and as C++17, without a warning.
file(GLOB_RECURSE headers ${INCLUDE_DIR}/*.h)
if(NOT headers)
  message(FATAL_ERROR "no headers in ${INCLUDE_DIR}")
endif()
file(MAKE_DIRECTORY ${WORK_DIR})
foreach(header IN LISTS headers)
  file(RELATIVE_PATH name ${INCLUDE_DIR} ${header})
  foreach(language c cpp)
    set(source ${WORK_DIR}/header.${language})
    file(WRITE ${source} "#include \"${name}\"\n#include \"${name}\"\nextern int nothing;\n")
    if(language STREQUAL "c")
      set(command ${CC} -std=c11 -Wstrict-prototypes)
    else()
      set(command ${CXX} -std=c++17)
    endif()
    execute_process(
      COMMAND ${command} -pedantic -Wall -Wextra -Werror -fsyntax-only
              -I${INCLUDE_DIR} ${source}
      RESULT_VARIABLE code ERROR_VARIABLE errors)
    if(NOT code EQUAL 0)
      message(FATAL_ERROR "${name} as ${language}:\n${errors}")
    endif()
  endforeach()
endforeach()
