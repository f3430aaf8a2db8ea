# SPDX-License-Identifier: Apache-2.0
# Cross compilation for aarch64 by Debian's g++-aarch64-linux-gnu; tests run under qemu-user where it is installed.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)

find_program(CANN4J_QEMU_AARCH64 NAMES qemu-aarch64 qemu-aarch64-static)
if(CANN4J_QEMU_AARCH64)
  execute_process(COMMAND ${CMAKE_C_COMPILER} -print-file-name=libc.so.6
                  OUTPUT_VARIABLE libc OUTPUT_STRIP_TRAILING_WHITESPACE)
  get_filename_component(root "${libc}/../.." ABSOLUTE)
  set(CMAKE_CROSSCOMPILING_EMULATOR ${CANN4J_QEMU_AARCH64} -L ${root})
endif()
