#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh HOME [CLIENT...]: compiles the clients, all or those named, against the toolkit in HOME, as one compiles a
# program for CANN, and runs them. Ends at the first that fails.
#   CC, CXX, CFLAGS  compilers (cc, c++) and options of both (-O2)
#   CLIENTS_BUILD    where the programs go (a temporary directory)
#   RANKS            processes or threads that talk to each other (4), at most the number of devices
#   LAUNCH           what runs a program, such as an emulator
# With mpicc and mpirun on the PATH, bandwidth runs under MPI too (MPICC=, empty, prevents that).
set -eu
[ $# -gt 0 ] || { sed -n '3,9s/^# //p' "$0" >&2; exit 2; }
home=$(CDPATH= cd -- "$1" && pwd)
shift
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
build=${CLIENTS_BUILD:-$temporary}
mkdir -p "$build"
: "${CC:=cc}" "${CXX:=c++}" "${CFLAGS:=-O2}" "${RANKS:=4}" "${LAUNCH:=}"
export LD_LIBRARY_PATH="$home/lib64${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"

# Some toolkits have headers that are not C.
c=$CC
mpi_c=${MPICC-mpicc}
printf '#include "aclnn/aclnn_base.h"\n#include "hccl/hccl.h"\n' >"$temporary/headers.c"
if ! $CC -fsyntax-only -I"$home/include" "$temporary/headers.c" 2>/dev/null; then
  c="$CXX -x c++"
  mpi_c="${MPICXX-mpicxx} -x c++"
fi

# compile COMPILER SOURCE PROGRAM [OPTION...]
compile() {
  compiler=$1 source=$2 program=$3
  shift 3
  $compiler $CFLAGS "$@" "$here/$source" -o "$build/$program" -I"$home/include" -L"$home/lib64" \
    -lascendcl -lnnopbase -lopapi -lhccl -lm -pthread
}

run() {
  echo "+ $*"
  program=$1
  shift
  $LAUNCH "$build/$program" "$@"
}

client() {
  if [ -e "$here/$1.c" ]; then
    compile "$c" "$1.c" "$1"
  elif [ -e "$here/$1.cpp" ]; then
    compile "$CXX -std=c++17" "$1.cpp" "$1"
  else
    echo "run.sh: no client $1 in $here" >&2
    exit 2
  fi
  case $1 in
  collectives_processes) processes ;;
  bandwidth)
    run bandwidth -g "$RANKS" -e 64K -n 3 -w 1
    run bandwidth -p "$RANKS" -e 64K -n 3 -w 1
    with_mpi
    ;;
  *) run "$1" ;;
  esac
}

# As a launcher does: a process per rank.
processes() {
  echo "+ collectives_processes, $RANKS processes"
  rm -f "$temporary/root"
  pids=
  rank=0
  while [ "$rank" -lt "$RANKS" ]; do
    $LAUNCH "$build/collectives_processes" "$rank" "$RANKS" "$temporary/root" &
    pids="$pids $!"
    rank=$((rank + 1))
  done
  failed=0
  for pid in $pids; do
    wait "$pid" || failed=1
  done
  [ "$failed" = 0 ]
}

with_mpi() {
  if [ -z "$mpi_c" ] || ! command -v "${mpi_c%% *}" >/dev/null || ! command -v mpirun >/dev/null; then
    echo "  no mpicc and mpirun: not run under MPI"
    return
  fi
  compile "$mpi_c" bandwidth.c bandwidth_mpi -DUSE_MPI
  echo "+ mpirun -n $RANKS bandwidth_mpi"
  # In a container one may be root, and have fewer cores than ranks.
  OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1 \
    OMPI_MCA_mpi_yield_when_idle=1 \
    PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe \
    mpirun -n "$RANKS" "$build/bandwidth_mpi" -e 64K -n 3 -w 1
}

[ $# -gt 0 ] || set -- add attention_dense attention_varlen ring_step collectives_threads collectives_processes bandwidth
for name in "$@"; do
  client "$name"
done
