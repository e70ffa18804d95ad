#!/usr/bin/env bash
# Prints how many instructions convolutions take on bare boards (products_count.c), of the plain weights and of expanded ones.
set -euo pipefail
cd "$(dirname "$0")/../.."
source Tests/Boards/targets.sh
semihosting+=(-icount shift=0)
program=$(mktemp)
trap 'rm -f "$program"' EXIT
for target in cortex-m3 cortex-m4 cortex-m7 cortex-m55 riscv32; do
  echo "$target"
  build_count "$target" "$program"
  run_on "$target" "$program"
done
