#!/usr/bin/env bash
# Counts what `vggconv fit` estimates with: the instructions that the kernels of boards take, for an operation and besides for an output code.
# Programs are compiled as the tests do (-Os; -O2 on AArch64). Each kernel runs in two widths; qemu goes instruction by instruction and writes a line for each. What a program takes that runs no
# kernel is taken off, and a line goes through the two that are left. Takes two minutes.
set -euo pipefail
cd "$(dirname "$0")/../.."
source Tests/Boards/targets.sh
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# steps TARGET CASE WIDTH: sets `count` to the instructions of a program.
steps() {
  build "$1" -std=c11 -DCASE="$2" -DWIDTH="$3" -ISources/CVGGRuntime -ISources/CVGGRuntime/include -ISources/CVGGRules/include \
    Sources/CVGGRuntime/vggrt*.c Tests/Boards/costs_main.c -o "$folder/program"
  mkfifo "$folder/log"
  grep -c '^Trace' < "$folder/log" > "$folder/count" &
  case $1 in
    aarch64) qemu-aarch64 -singlestep -d exec,nochain -D "$folder/log" "$folder/program" ;;
    cortex-m0plus) emulate qemu-system-arm -M mps2-an385 ;;
    cortex-m4) emulate qemu-system-arm -M mps2-an386 ;;
    cortex-m55) emulate qemu-system-arm -M mps3-an547 ;;
    riscv32) emulate qemu-system-riscv32 -M virt -bios none ;;
  esac
  wait $!
  rm "$folder/log"
  count=$(cat "$folder/count")
}

# A Cortex-M3 runs what is compiled for a Cortex-M0+, of which qemu has no board.
build() {
  local target=$1
  shift
  if [ "$target" = cortex-m0plus ]; then
    bare 0 0x20000000 arm-none-eabi-gcc -mthumb -mcpu=cortex-m0plus "$@"
  else
    compile "$target" "$@"
  fi
}

emulate() {
  "$@" "${semihosting[@]}" -singlestep -d exec,nochain -D "$folder/log" -kernel "$folder/program" < /dev/null
}

# cost TARGET NAME CASE WIDTH OPERATIONS OUTPUTS WIDTH OPERATIONS OUTPUTS
cost() {
  local first second
  steps "$1" "$3" "$4"
  first=$((count - base))
  steps "$1" "$3" "$7"
  second=$((count - base))
  awk -v name="$2" -v i1="$first" -v o1="$5" -v c1="$6" -v i2="$second" -v o2="$8" -v c2="$9" 'BEGIN {
    operation = (i2 / c2 - i1 / c1) / (o2 / c2 - o1 / c1)
    printf "  %-12s %7.2f for an operation, %6.1f for an output\n", name, operation, i1 / c1 - operation * o1 / c1 }'
}

for target in ${TARGETS:-cortex-m0plus riscv32 cortex-m4 cortex-m55 aarch64}; do
  echo "$target"
  steps "$target" NOTHING 64
  base=$count
  cost "$target" convolution CONVOLUTION 16 147456 1024 64 589824 1024
  cost "$target" expanded EXPANDED 16 147456 1024 64 589824 1024
  cost "$target" dense DENSE 256 4096 16 4096 65536 16
  steps "$target" POOLING 64
  echo "  pooling      $((count - base)) for 1024 operations"
  steps "$target" SOFTMAX 1000
  echo "  softmax      $((count - base)) for 1000 operations"
done
