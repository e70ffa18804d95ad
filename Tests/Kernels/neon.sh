#!/usr/bin/env bash
# Compiles the kernels and their test for AArch64, without and with its dot products, and runs them under qemu-user.
set -euo pipefail
cd "$(dirname "$0")/../.."

for tool in clang aarch64-linux-gnu-gcc qemu-aarch64; do
  command -v "$tool" > /dev/null || { echo "$0: needs $tool" >&2; exit 69; }
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

for architecture in armv8-a armv8.2-a+dotprod; do
  objects=()
  for source in Sources/CVGGKernels/*.c Tests/Kernels/*.c; do
    object=$folder/$(basename "$source" .c).o
    clang --target=aarch64-linux-gnu -march=$architecture -O2 -Wall -Werror -ISources/CVGGKernels/include \
      -ISources/CVGGRules/include -c "$source" -o "$object"
    objects+=("$object")
  done
  aarch64-linux-gnu-gcc -static "${objects[@]}" -lm -o "$folder/kernels"
  qemu-aarch64 "$folder/kernels"
done
