# SPDX-License-Identifier: Apache-2.0
# Writes the names of the functions that CANN 8.1 does not have, as C strings.
include(${CMAKE_CURRENT_LIST_DIR}/declared_functions.cmake)
declared_functions(names ${INCLUDE_DIR} AFTER_8_1)
set(text "")
foreach(name IN LISTS names)
  string(APPEND text "\"${name}\",\n")
endforeach()
file(WRITE ${OUTPUT} "${text}")
