#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# One clear line for each tool that the build needs and this machine lacks, before anything is built.
missing=0
need() {
  command -v "$1" >/dev/null 2>&1 && return
  echo "cann4j: '$1' was not found; on Debian: apt-get install $2"
  missing=1
}
need cmake cmake
need make make
need g++ g++

has_jdk() {
  for home in "$JAVA_HOME" "$JAVA25_HOME" "$JDK25_HOME" /usr/lib/jvm/* "$HOME"/.sdkman/candidates/java/* "$HOME"/.jdks/*; do
    major=$(sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$home/release" 2>/dev/null)
    [ "${major:-0}" -ge 25 ] && [ -x "$home/bin/javac" ] && return 0
  done
  [ -f "$HOME/.m2/toolchains.xml" ]
}
if ! has_jdk; then
  echo "cann4j: no JDK 25 or newer under /usr/lib/jvm or JAVA_HOME; install one there, such as the package" \
    "openjdk-25-jdk-headless or Eclipse Temurin's temurin-25-jdk (the default java may stay as it is)"
  missing=1
fi
exit $missing
