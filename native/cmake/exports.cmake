# SPDX-License-Identifier: Apache-2.0
# Writes the linker's version script: every declared function and nothing else.
include(${CMAKE_CURRENT_LIST_DIR}/declared_functions.cmake)
declared_functions(names ${INCLUDE_DIR})
set(text "{\n  global:\n")
foreach(name IN LISTS names)
  string(APPEND text "    ${name};\n")
endforeach()
string(APPEND text "  local: *;\n};\n")
file(WRITE ${OUTPUT} "${text}")
