# SPDX-License-Identifier: Apache-2.0
# To be sourced, by bash, zsh or a POSIX sh: makes the toolkit that holds this file the one in use.
cann4j_home=
if [ -n "${BASH_VERSION:-}" ]; then
  cann4j_home=${BASH_SOURCE:-}
elif [ -n "${ZSH_VERSION:-}" ]; then
  eval 'cann4j_home=${(%):-%x}'
else
  # A POSIX shell does not say which file it reads, but holds it open; its newest is this one.
  # $$ would be another process in a subshell.
  read -r cann4j_pid cann4j_rest </proc/self/stat
  for cann4j_fd in $(ls "/proc/$cann4j_pid/fd" | sort -n); do
    cann4j_file=$(readlink "/proc/$cann4j_pid/fd/$cann4j_fd" || :)
    case $cann4j_file in
    */set_env.sh) cann4j_home=$cann4j_file ;;
    esac
  done
  unset cann4j_pid cann4j_rest cann4j_fd cann4j_file
fi
case $cann4j_home in
*/*) cann4j_home=${cann4j_home%/*} ;;
*) cann4j_home=. ;;
esac
cann4j_home=$(CDPATH= cd -- "${cann4j_home:-/}" && pwd)

if [ -e "$cann4j_home/lib64/libascendcl.so" ]; then
  export ASCEND_TOOLKIT_HOME="$cann4j_home"
  export ASCEND_HOME_PATH="$cann4j_home"
  export ASCEND_AICPU_PATH="$cann4j_home"
  export ASCEND_OPP_PATH="$cann4j_home/opp"
  export TOOLCHAIN_HOME="$cann4j_home/toolkit"
  export LD_LIBRARY_PATH="$cann4j_home/lib64${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
  unset cann4j_home
else
  echo "set_env.sh: $cann4j_home is not a toolkit: no lib64/libascendcl.so; source the file in the toolkit" >&2
  unset cann4j_home
  false
fi
