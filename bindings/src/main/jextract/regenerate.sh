#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Regenerates the Java classes below io.github.cann4j.internal.ffi from native/include.
# JEXTRACT names the jextract launcher (default: the one on PATH).
#   regenerate.sh         writes the classes and generated.properties
#   regenerate.sh --list  prints every function, struct, union and constant of the headers, as includes.txt has them
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH= cd -- "$here/../../../.." && pwd)
headers=$root/native/include
package=io.github.cann4j.internal.ffi
target=$root/bindings/src/main/java/io/github/cann4j/internal/ffi
jextract=${JEXTRACT:-jextract}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [ "${1:-}" = --list ]; then
  "$jextract" -I "$headers" --dump-includes "$work/all" "$here/cann.h" >/dev/null 2>&1
  grep -E '^--include-(function|struct|union|constant) ' "$work/all" | grep -F "native/include/" |
    cut -d ' ' -f 1,2 | LC_ALL=C sort
  exit
fi

"$jextract" -I "$headers" -t "$package" --output "$work/out" "@$here/includes.txt" "$here/cann.h"
out=$work/out/$(printf %s "$package" | tr . /)

# jextract ignores names that it does not find.
missing=0
while read -r kind name; do
  case $kind in
  --include-function) grep -q "^ *public static .*[ >]$name(" "$out"/cann_h*.java ;;
  --include-constant) grep -q "^ *public static .* $name()" "$out"/cann_h*.java ;;
  --include-struct | --include-union) test -f "$out/$name.java" ;;
  *) false ;;
  esac || { echo "regenerate.sh: '$kind $name' of includes.txt did not come out" >&2; missing=1; }
done <"$here/includes.txt"
test $missing = 0

# The symbols come from the toolkit that the loader chose, not from libraries of the class loader.
lookup='SymbolLookup.loaderLookup()'
test "$(grep -Fh "$lookup" "$out"/*.java | wc -l)" = 1 ||
  { echo "regenerate.sh: expected exactly one '$lookup' in the output of this jextract" >&2; exit 1; }
for file in "$out"/*.java; do
  {
    echo "// SPDX-License-Identifier: Apache-2.0"
    sed -e 's/^\( *\(static final \)\{0,1\}SymbolLookup SYMBOL_LOOKUP = \)SymbolLookup\.loaderLookup().*/\1io.github.cann4j.internal.toolkit.Symbols.lookup();/' \
      -e 's/[[:space:]]*$//' "$file"
  } >"$file.new"
  mv "$file.new" "$file"
done
! grep -Fq "$lookup" "$out"/*.java || { echo "regenerate.sh: the symbol lookup was not replaced" >&2; exit 1; }
sed -i '/^ *.*\.or(Linker\.nativeLinker()\.defaultLookup());$/d' "$out"/cann_h*.java

rm -rf "$target"
mkdir -p "$target"
cp "$out"/*.java "$target/"

{
  echo "# What the classes in $package were generated with and from; written by regenerate.sh."
  echo "jextract=$("$jextract" --version 2>&1 | sed -n 's/^jextract //p')"
  echo "libclang=$("$jextract" --version 2>&1 | sed -n 's/^LibClang version //p')"
  (cd "$root" && find native/include -name '*.h' | LC_ALL=C sort && echo bindings/src/main/jextract/cann.h &&
    echo bindings/src/main/jextract/includes.txt) | while read -r input; do
    echo "sha256.$input=$(sha256sum "$root/$input" | cut -d ' ' -f 1)"
  done
} >"$here/generated.properties"
echo "wrote $(ls "$target" | wc -l) classes for $(wc -l <"$here/includes.txt") symbols"
