#!/usr/bin/env bash
# Runs the test of the kernels under AddressSanitizer and UndefinedBehaviorSanitizer, with every instruction set of the
# machine, and under Valgrind with those that it knows (not AVX-512).
set -euo pipefail
cd "$(dirname "$0")/../.."

for tool in clang valgrind; do
  command -v "$tool" > /dev/null || { echo "$0: needs $tool" >&2; exit 69; }
done

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sources=(-ISources/CVGGKernels/include Sources/CVGGKernels/*.c Tests/Kernels/kernels.c -lm)

clang -O1 -g -fuse-ld=lld -fsanitize=address,undefined -fno-sanitize-recover=undefined "${sources[@]}" -o "$folder/sanitized"
"$folder/sanitized"
clang -O2 -gdwarf-4 "${sources[@]}" -o "$folder/plain"
valgrind -q --error-exitcode=1 "$folder/plain"
