#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# build VERSION CLASSIFIER: builds the CPU toolkit, installs it as a toolkit home, and lays out the content of the jar.
# test: builds and runs the native tests.
# benchmark [OPTION...]: measures the attention kernels beside the machine's FMA peak.
set -eu
cd "$(dirname "$0")"
build=target/cmake
jobs=$(nproc)

configure() {
  mkdir -p target
  cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Release "$@" >"$build.log" 2>&1 || { cat "$build.log" >&2; exit 1; }
}

case "$1" in
build)
  configure -DCMAKE_INSTALL_PREFIX="$PWD/target/home" -DCANN4J_VERSION="$2"
  cmake --build "$build" --target cann4j_cpu -j "$jobs"
  cmake --install "$build" >/dev/null
  root=target/jar/META-INF/cann4j/$3
  rm -rf target/jar
  mkdir -p "$root/lib64"
  cp -r target/home/include target/home/set_env.sh "$root/"
  cp target/home/lib64/libcann4j_cpu.so "$root/lib64/"
  sha256=$(sha256sum "$root/lib64/libcann4j_cpu.so" | cut -d ' ' -f 1)
  printf 'version=%s\nsha256=%s\n' "$2" "$sha256" >"$root/toolkit.properties"
  ;;
test)
  cmake --build "$build" -j "$jobs"
  ctest --test-dir "$build" --output-on-failure
  ;;
benchmark)
  shift
  configure
  cmake --build "$build" --target attention_benchmark -j "$jobs" >"$build.log" 2>&1 || { cat "$build.log" >&2; exit 1; }
  exec "$build/benchmarks/attention_benchmark" "$@"
  ;;
*)
  echo "usage: build.sh build VERSION CLASSIFIER | test | benchmark [OPTION...]" >&2
  exit 2
  ;;
esac
