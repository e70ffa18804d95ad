#!/usr/bin/env bash
# Runs the test of the kernels under AddressSanitizer and UndefinedBehaviorSanitizer, with every instruction set of the
# machine, and under Valgrind where that is installed, with those that it knows (not AVX-512).
set -euo pipefail
cd "$(dirname "$0")/../.."

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sources=(-ISources/CVGGKernels/include Sources/CVGGKernels/*.c Tests/Kernels/kernels.c -lm)

clang -O1 -g -fuse-ld=lld -fsanitize=address,undefined -fno-sanitize-recover=undefined "${sources[@]}" -o "$folder/sanitized"
"$folder/sanitized"
if command -v valgrind > /dev/null; then
  clang -O2 -gdwarf-4 "${sources[@]}" -o "$folder/plain"
  valgrind -q --error-exitcode=1 "$folder/plain"
fi
