# SPDX-License-Identifier: Apache-2.0
# declared_functions(<variable> <include dir> [AFTER_8_1]): the names of all functions that the headers declare, or of
# those that they mark with CANN_AFTER_8_1.
function(declared_functions variable include_dir)
  cmake_parse_arguments(PARSE_ARGV 2 only "AFTER_8_1" "" "")
  file(GLOB_RECURSE headers ${include_dir}/*.h)
  set(names)
  foreach(header IN LISTS headers)
    file(READ ${header} text)
    string(REGEX MATCHALL "(ACL_FUNC_VISIBILITY|ACLNN_API|HCCL_FUNC_VISIBILITY)[ \n][^(;]*\\("
           declarations "${text}")
    foreach(declaration IN LISTS declarations)
      if(declaration MATCHES "__attribute__" OR (only_AFTER_8_1 AND NOT declaration MATCHES "CANN_AFTER_8_1"))
        continue()
      endif()
      string(REGEX REPLACE ".*[ *\n]([A-Za-z0-9_]+)\\($" "\\1" name "${declaration}")
      list(APPEND names ${name})
    endforeach()
  endforeach()
  list(SORT names)
  set(${variable} ${names} PARENT_SCOPE)
endfunction()
