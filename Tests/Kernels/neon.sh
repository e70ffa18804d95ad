#!/usr/bin/env bash
# Compiles the kernels and their test for AArch64 and runs them under qemu-user.
set -euo pipefail
cd "$(dirname "$0")/../.."

for tool in clang aarch64-linux-gnu-gcc qemu-aarch64; do
  command -v "$tool" > /dev/null || { echo "$0: needs $tool" >&2; exit 69; }
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

objects=()
for source in Sources/CVGGKernels/*.c Tests/Kernels/*.c; do
  object=$folder/$(basename "$source" .c).o
  clang --target=aarch64-linux-gnu -O2 -Wall -Werror -ISources/CVGGKernels/include \
    -ISources/CVGGRules/include -c "$source" -o "$object"
  objects+=("$object")
done
aarch64-linux-gnu-gcc -static "${objects[@]}" -lm -o "$folder/kernels"
qemu-aarch64 "$folder/kernels"
