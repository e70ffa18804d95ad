#!/usr/bin/env bash
# Builds the documentation of every module with warnings as errors: docs.sh [OUT], where the archives go to OUT if given.
# Needs the build of the tests (`make build-optimised`); symbols of all access levels count, as the articles are for developers.
set -euo pipefail
cd "$(dirname "$0")/.."

build=.build/optimised/release
toolchain=$(dirname "$(readlink -f "$(command -v swift)")")
target=$(swift -print-target-info | sed -n 's/.*"triple": "\(.*\)".*/\1/p' | head -n 1)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
out=${1:-$folder/out}
mkdir -p "$out"

clang_options=()
for map in Sources/*/module.modulemap "$build"/*.build/module.modulemap; do
  clang_options+=(-Xcc "-fmodule-map-file=$map")
done
for include in Sources/*/include; do clang_options+=(-Xcc "-I$include"); done

status=0
for catalogue in Sources/*/*.docc; do
  module=$(basename "$catalogue" .docc)
  mkdir "$folder/$module"
  "$toolchain/swift-symbolgraph-extract" -module-name "$module" -target "$target" -I "$build/Modules" \
    -minimum-access-level internal -skip-inherited-docs -output-dir "$folder/$module" "${clang_options[@]}"
  "$toolchain/docc" convert "$catalogue" --additional-symbol-graph-dir "$folder/$module" \
    --fallback-display-name "$module" --fallback-bundle-identifier "vggconv.$module" \
    --output-path "$out/$module.doccarchive" --warnings-as-errors > "$folder/log" 2>&1 || { cat "$folder/log"; status=1; }
done
exit $status
