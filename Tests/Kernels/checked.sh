#!/usr/bin/env bash
# Runs the test of the kernels under AddressSanitizer and UndefinedBehaviorSanitizer, with every instruction set of the
# machine, and under Valgrind with those that it knows (not AVX-512).
set -euo pipefail
cd "$(dirname "$0")/../.."

for tool in clang valgrind; do
  command -v "$tool" > /dev/null || { echo "$0: needs $tool" >&2; exit 69; }
done

# The rules go to boards as they are: they need nothing but the compiler.
for target in x86_64-linux-gnu armv7m-none-eabi; do
  clang --target=$target -std=c11 -ffreestanding -Wall -Wextra -Wpedantic -Wconversion -Wno-unused-function -Werror \
    -ISources/CVGGRules/include -fsyntax-only Sources/CVGGRules/rules.c
done

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sources=(-ISources/CVGGKernels/include -ISources/CVGGRules/include Sources/CVGGKernels/*.c Tests/Kernels/*.c -lm)

clang -O1 -g -fuse-ld=lld -fsanitize=address,undefined -fno-sanitize-recover=undefined "${sources[@]}" -o "$folder/sanitized"
"$folder/sanitized"
clang -O2 -gdwarf-4 "${sources[@]}" -o "$folder/plain"
valgrind -q --error-exitcode=1 "$folder/plain"
