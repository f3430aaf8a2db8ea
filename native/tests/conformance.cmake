# SPDX-License-Identifier: Apache-2.0
# The headers against CANN's documented interface: values and layouts (conformance/abi.csv) and signatures
# (conformance/functions.inc), in C and in C++. The functions of 8.1 are those that the headers declare without a mark.
cmake_minimum_required(VERSION 3.25)
include(${CMAKE_CURRENT_LIST_DIR}/../cmake/declared_functions.cmake)
set(tables ${CMAKE_CURRENT_LIST_DIR}/conformance)
declared_functions(declared ${INCLUDE_DIR})
declared_functions(declared_later ${INCLUDE_DIR} AFTER_8_1)

file(GLOB_RECURSE headers RELATIVE ${INCLUDE_DIR} ${INCLUDE_DIR}/*.h)
set(includes)
foreach(header IN LISTS headers)
  string(APPEND includes "#include \"${header}\"\n")
endforeach()

# ---- values and layouts ----
file(STRINGS ${tables}/abi.csv rows REGEX "^[^#]")
set(asserts)
foreach(row IN LISTS rows)
  string(REPLACE "," ";" row "${row}")
  list(GET row 0 kind)
  list(GET row 1 name)
  list(GET row 2 number)
  if(kind STREQUAL "value")
    string(APPEND asserts "ASSERT((long long)(${name}) == ${number}LL, \"${name} is ${number}\")\n")
  elseif(kind STREQUAL "field")
    list(GET row 3 offset)
    string(APPEND asserts "ASSERT(offsetof(${name}, ${number}) == ${offset}, \"${name}.${number} at ${offset}\")\n")
  else()
    list(GET row 3 alignment)
    string(APPEND asserts "ASSERT(sizeof(${name}) == ${number}, \"${name} has ${number} bytes\")\n"
                          "ASSERT(ALIGN(${name}) == ${alignment}, \"${name} is aligned to ${alignment}\")\n")
  endif()
endforeach()
# ---- functions: later ones only where they are declared ----
file(READ ${tables}/functions.inc functions)
string(REGEX MATCHALL "LATER(_OPERATOR)?\\([^)]*\\)\n" later_rows "${functions}")
foreach(row IN LISTS later_rows)
  string(REGEX REPLACE "^LATER(_OPERATOR)?\\((HcclResult, |aclError, )?([A-Za-z0-9_]+).*" "\\3" name "${row}")
  if(NOT name IN_LIST declared)
    string(REPLACE "${row}" "" functions "${functions}")
  endif()
endforeach()
set(listed)
string(REGEX MATCHALL "\n(LATER_)?OPERATOR\\([A-Za-z0-9_]+" operators "${functions}")
foreach(match IN LISTS operators)
  string(REGEX REPLACE ".*\\(" "" name "${match}")
  list(APPEND listed ${name} ${name}GetWorkspaceSize)
endforeach()
string(REGEX MATCHALL "\n(FUNCTION|LATER)\\([^,]*, [A-Za-z0-9_]+" plain "${functions}")
foreach(match IN LISTS plain)
  string(REGEX REPLACE ".*, " "" name "${match}")
  list(APPEND listed ${name})
endforeach()
set(undeclared ${listed})
list(REMOVE_ITEM undeclared ${declared})
# Newer functions may have signatures that are not documented in full.
set(unlisted ${declared})
list(REMOVE_ITEM unlisted ${listed} ${declared_later})
set(unmarked)
string(REGEX MATCHALL "\nLATER(_OPERATOR)?\\([^)]*" later_rows "${functions}")
foreach(row IN LISTS later_rows)
  string(REGEX REPLACE "^\nLATER(_OPERATOR)?\\((HcclResult, |aclError, )?([A-Za-z0-9_]+).*" "\\3" name "${row}")
  if(NOT name IN_LIST declared_later)
    list(APPEND unmarked ${name})
  endif()
endforeach()
set(problems)
foreach(problem undeclared unlisted unmarked)
  if(${problem})
    string(REPLACE ";" " " found "${${problem}}")
    string(APPEND problems "${problem}: ${found}\n")
  endif()
endforeach()

# ---- both, compiled ----
file(MAKE_DIRECTORY ${WORK_DIR})
set(source "${includes}
#ifdef __cplusplus
#define ASSERT(condition, words) static_assert(condition, words);
#define ALIGN(type) alignof(type)
extern \"C\" {
#else
#define ASSERT(condition, words) _Static_assert(condition, words);
#define ALIGN(type) _Alignof(type)
#endif
${asserts}
#define T const aclTensor*
#define Tm aclTensor*
#define TL const aclTensorList*
#define SC const aclScalar*
#define IA const aclIntArray*
#define FUNCTION(result, name, ...) result name(__VA_ARGS__);
#define LATER FUNCTION
#define OPERATOR(name, ...) \\
  aclnnStatus name##GetWorkspaceSize(__VA_ARGS__, uint64_t*, aclOpExecutor**); \\
  aclnnStatus name(void*, uint64_t, aclOpExecutor*, aclrtStream);
#define LATER_OPERATOR OPERATOR
${functions}
#ifdef __cplusplus
}
#endif
")
foreach(language c cpp)
  file(WRITE ${WORK_DIR}/conformance.${language} "${source}")
endforeach()
foreach(command "${CC};-std=c11;${WORK_DIR}/conformance.c" "${CXX};-std=c++17;${WORK_DIR}/conformance.cpp")
  execute_process(COMMAND ${command} -I${INCLUDE_DIR} -fsyntax-only -Wall -Wextra -Werror
                  RESULT_VARIABLE code ERROR_VARIABLE errors)
  if(NOT code EQUAL 0)
    string(REGEX MATCHALL "[^\n]*error:[^\n]*" errors "${errors}")
    string(REPLACE ";" "\n" errors "${errors}")
    string(APPEND problems "${errors}\n")
  endif()
endforeach()
if(problems)
  string(REPLACE "\n" "\n  " problems "  ${problems}") # indented lines are not wrapped
  message(FATAL_ERROR "the headers are not those of CANN\n${problems}")
endif()
