#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# build VERSION CLASSIFIER: builds the CPU toolkit, installs it as a toolkit home, and lays out the content of the jar;
#   for linux-aarch_64 on another machine with aarch64-linux-gnu-g++.
# cross VERSION: the same for linux-aarch_64 where that compiler is installed; elsewhere says that it is not.
# test [OPTION...]: builds and runs the native tests, with options of ctest.
# test-aarch64 [OPTION...]: the same for aarch64, under qemu-user on another machine.
# sanitize [asan | tsan]: builds with AddressSanitizer and UndefinedBehaviorSanitizer and runs the tests, then with
#   ThreadSanitizer.
# differential [CASES]: compares attention with its reference in fp64 in random cases (10000).
# benchmark [OPTION...]: measures the attention kernels beside the machine's FMA peak; --help lists the options.
# collectives [OPTION...]: measures HCCL's operations beside Open MPI, if it is installed, and memcpy.
set -eu
cd "$(dirname "$0")"
jobs=$(nproc)
tests=$((jobs < 4 ? jobs : 4)) # at once: each uses all processors itself
host=$(uname -m)

# use DIRECTORY [OPTION...]: configures a build there.
use() {
  build=target/$1
  shift
  mkdir -p target
  cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Release "$@" >"$build.log" 2>&1 || { cat "$build.log" >&2; exit 1; }
}

quietly() {
  "$@" >"$build.log" 2>&1 || { cat "$build.log" >&2; exit 1; }
}

use_aarch64() {
  if [ "$host" = aarch64 ]; then
    use cmake "$@"
  elif command -v aarch64-linux-gnu-g++ >/dev/null; then
    use cmake-aarch64 -DCMAKE_TOOLCHAIN_FILE="$PWD/cmake/aarch64-linux-gnu.cmake" "$@"
  else
    echo "build.sh: no aarch64-linux-gnu-g++; on Debian: apt-get install g++-aarch64-linux-gnu" >&2
    exit 1
  fi
}

toolkit() {
  version=$1
  classifier=$2
  home=target/home
  case $classifier in
  linux-x86_64)
    [ "$host" = x86_64 ] || { echo "build.sh: $classifier is built on x86-64, not on $host" >&2; exit 1; }
    use cmake -DCMAKE_INSTALL_PREFIX="$PWD/$home" -DCANN4J_VERSION="$version"
    ;;
  linux-aarch_64)
    [ "$host" = aarch64 ] || home=target/home-aarch64
    use_aarch64 -DCMAKE_INSTALL_PREFIX="$PWD/$home" -DCANN4J_VERSION="$version"
    ;;
  *)
    echo "build.sh: no classifier $classifier; there are linux-x86_64 and linux-aarch_64" >&2
    exit 2
    ;;
  esac
  cmake --build "$build" --target cann4j_cpu -j "$jobs"
  rm -rf "$home"
  cmake --install "$build" >/dev/null
  rm -rf "target/jar/$classifier"
  root=target/jar/$classifier/META-INF/cann4j/$classifier
  mkdir -p "$root/lib64"
  cp -r "$home/include" "$home/set_env.sh" "$root/"
  cp "$home/lib64/libcann4j_cpu.so" "$root/lib64/"
  sha256=$(sha256sum "$root/lib64/libcann4j_cpu.so" | cut -d ' ' -f 1)
  printf 'version=%s\nsha256=%s\n' "$version" "$sha256" >"$root/toolkit.properties"
}

sanitize() {
  use "$1" -DCANN4J_SANITIZE="$2" -DCMAKE_CXX_FLAGS_RELEASE=-O1 -DCMAKE_C_FLAGS_RELEASE=-O1
  cmake --build "$build" -j "$jobs"
  ctest --test-dir "$build" --output-on-failure -j "$tests"
}

command=${1:-}
[ $# = 0 ] || shift
case $command in
build)
  toolkit "$1" "$2"
  ;;
cross)
  if [ "$host" != x86_64 ]; then
    echo "cann4j: no second jar: cross compilation is from x86-64 to aarch64"
  elif command -v aarch64-linux-gnu-g++ >/dev/null; then
    toolkit "$1" linux-aarch_64
  else
    rm -rf target/jar/linux-aarch_64
    echo "cann4j: no jar for linux-aarch_64: aarch64-linux-gnu-g++ is not installed"
  fi
  ;;
test)
  use cmake
  cmake --build "$build" -j "$jobs"
  ctest --test-dir "$build" --output-on-failure -j "$tests" "$@"
  ;;
test-aarch64)
  [ "$host" = aarch64 ] || command -v qemu-aarch64 >/dev/null || command -v qemu-aarch64-static >/dev/null || {
    echo "build.sh: no qemu-aarch64; on Debian: apt-get install qemu-user" >&2
    exit 1
  }
  use_aarch64
  cmake --build "$build" -j "$jobs"
  ctest --test-dir "$build" --output-on-failure -j "$tests" "$@"
  ;;
sanitize)
  [ "${1:-asan}" != asan ] || sanitize asan address,undefined
  [ "${1:-tsan}" != tsan ] || sanitize tsan thread
  ;;
differential)
  use cmake
  quietly cmake --build "$build" --target attention_differential_test -j "$jobs"
  export CANN4J_TEST_CASES="${1:-10000}"
  exec "$build/tests/attention_differential_test"
  ;;
benchmark)
  use cmake
  quietly cmake --build "$build" --target attention_benchmark -j "$jobs"
  exec "$build/benchmarks/attention_benchmark" "$@"
  ;;
collectives)
  use cmake
  quietly cmake --build "$build" --target collectives_benchmark -j "$jobs"
  collectives=$build/benchmarks/collectives_benchmark
  if command -v mpicxx >/dev/null && command -v mpirun >/dev/null; then
    mpicxx -std=c++20 -O2 -o "$build/benchmarks/collectives_mpi" benchmarks/collectives_mpi.cpp
    set -- --mpi "$build/benchmarks/collectives_mpi" "$@"
    # In a container one may be root.
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
  else
    echo "build.sh: measured without Open MPI; on Debian: apt-get install openmpi-bin libopenmpi-dev" >&2
  fi
  exec "$collectives" "$@"
  ;;
*)
  sed -n '3,13s/^# //p' build.sh >&2
  exit 2
  ;;
esac
