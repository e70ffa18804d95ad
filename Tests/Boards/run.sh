#!/usr/bin/env bash
# Runs the runtime of boards where it is for: random models and packages that VGGCONV exports, on this machine under sanitizers, on AArch64
# and ARM under qemu-user, and on bare boards under qemu-system: Cortex-M3, M4, M7, M55 and RISC-V 32. Each must report that every
# layer is right; damage must be noticed, and code and stack be no larger than said.
# Exit status: 0 if all is so, 1 if something is not, 69 if a program is missing (.ci/install-packages --tests installs them).
set -euo pipefail
vggconv=$(realpath "$1")
cd "$(dirname "$0")/../.."
source Tests/Boards/targets.sh

for tool in gcc clang aarch64-linux-gnu-gcc arm-linux-gnueabihf-gcc arm-none-eabi-gcc riscv64-unknown-elf-gcc qemu-aarch64 \
  qemu-arm qemu-system-arm qemu-system-riscv32 make cmake python3; do
  command -v "$tool" > /dev/null || { echo "$0: needs $tool" >&2; exit 69; }
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

fail() {
  echo "run.sh: $*" >&2
  exit 1
}

# expect STATUS TEXT COMMAND...: a command that ends with this status and says this.
expect() {
  local status=$1 text=$2 found=0
  shift 2
  "$@" > "$folder/said" 2>&1 || found=$?
  if [ "$found" != "$status" ] || ! grep -qF -- "$text" "$folder/said"; then
    cat "$folder/said" >&2
    fail "ended with $found, not with $status and '$text': $*"
  fi
}

# export_package NAME MODEL OPTION...
export_package() {
  local name=$1 model=$2
  shift 2
  "$vggconv" export "$folder/$model.vggw" --to c -o "$folder/$name" "$@" > "$folder/$name.log" || {
    cat "$folder/$name.log" >&2
    fail "cannot export $name"
  }
}

# on PACKAGE TARGET...: its layers are right on machines. Weights are read where the model has a window for them.
on() {
  local package=$1 options=()
  shift
  grep -qE 'VGGRT_MODEL_WINDOW_SIZE +0u?$' "$folder/$package/model.h" || options=(-DBOARD_READS)
  for target; do
    build_package "$target" "$folder/$package" "$folder/program" "${options[@]}"
    expect 0 "all layers are right" run_on "$target" "$folder/program"
    echo "  $package, $target: $(cat "$folder/said")"
  done
}

echo "Random models"
for target in "${targets[@]}"; do
  build_random "$target" "$folder/program"
  expect 0 "random models are right" run_on "$target" "$folder/program"
  echo "  $target: $(cat "$folder/said")"
done

echo "Packages"
"$vggconv" import fixtures/keras/vgg_d_digits.h5 -o "$folder/digits.vggw" > "$folder/log" 2>&1
"$vggconv" import fixtures/keras/vgg_a_digits.h5 -o "$folder/digits_a.vggw" > "$folder/log" 2>&1
"$vggconv" prune "$folder/digits.vggw" --fc 0.9 -o "$folder/pruned.vggw" > /dev/null || true
# integers NAME MODEL ROUNDING
integers() {
  "$vggconv" quantize "$folder/$2.vggw" --to int8 --activations int8 --rounding "$3" --calibrate fixtures/digits_test.npz \
    -o "$folder/$1.vggw" > /dev/null || [ -f "$folder/$1.vggw" ]
}
integers tflm digits tflm
integers litert digits_a litert
integers sparse pruned tflm
export_package d_tflm tflm
export_package a_litert litert --embed incbin
export_package d_window tflm --window 4K
export_package d_sparse sparse
export_package d_sparse_window sparse --window 4K
export_package d_expanded tflm --weights-expanded
for package in d_tflm a_litert d_window d_sparse d_sparse_window; do on "$package" "${targets[@]}"; done
# 861 kB of weights: more than the 512 kB that this Cortex-M55 starts from. It computes expanded weights in the random models above.
on d_expanded $(printf '%s\n' "${targets[@]}" | grep -v cortex-m55)

echo "The package's own program"
strict="-O1 -Wall -Wextra -Wconversion -pedantic -Werror -g -fsanitize=address,undefined -fno-sanitize-recover=undefined"
export_package file tflm --embed none
export_package file_window tflm --embed none --window 4K
for package in d_tflm a_litert d_sparse d_expanded file file_window; do
  for compiler in gcc "clang -fuse-ld=lld"; do
    expect 0 "layers are right" make -C "$folder/$package" -B check CC="$compiler" CFLAGS="$strict"
  done
done
expect 0 "100% tests passed" sh -c "cmake -S '$folder/file' -B '$folder/cmake' && cmake --build '$folder/cmake' && ctest --test-dir '$folder/cmake'"
# Freestanding, as a whole and with everything left out that can be.
for compiler in gcc clang "arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb" "arm-none-eabi-gcc -mcpu=cortex-m0plus -mthumb" \
  "arm-none-eabi-gcc -mcpu=cortex-m55 -mfloat-abi=hard" "arm-linux-gnueabihf-gcc -mfpu=neon" aarch64-linux-gnu-gcc \
  "riscv64-unknown-elf-gcc -march=rv32imac -mabi=ilp32"; do
  for source in "$folder"/d_tflm/{vggrt*,model*,selftest}.c; do
    $compiler -std=c11 -ffreestanding -Wall -Wextra -Wconversion -pedantic -Werror -Os -DVGGRT_NO_MAIN -c "$source" \
      -o "$folder/object.o"
  done
done

echo "Damage"
# damaged NAME TEXT COMMAND...: a copy of a package, changed by a command in it, whose program returns 1 and says what is wrong.
damaged() {
  local package=$1 text=$2
  shift 2
  rm -rf "$folder/damaged"
  cp -r "$folder/$package" "$folder/damaged"
  (cd "$folder/damaged" && "$@")
  make -s -C "$folder/damaged" -B CFLAGS=-O1
  expect 1 "$text" sh -c "cd '$folder/damaged' && ./selftest"
  echo "  $(cat "$folder/said")"
}
flip='import sys; f = open("model_weights.bin", "r+b"); b = bytearray(f.read()); b[len(b) // 2] ^= 64; f.seek(0); f.write(b)'
for package in file file_window; do
  damaged $package "the weight image is damaged" python3 -c "$flip"
  damaged $package "another one than expected: conv5_1 " sh -c "python3 -c '$flip' && sed -i 's/&weights, 1)/\&weights, 0)/' selftest.c"
  damaged $package "the arena is smaller" sed -i 's/sizeof arena, &/sizeof arena - 1, \&/' selftest.c
  damaged $package "of another model" cp ../a_litert/model_weights.bin .
done
damaged file "or too short" truncate -s -1 model_weights.bin
damaged file_window "could not be read" truncate -s -1 model_weights.bin
damaged file "or too short" rm model_weights.bin
damaged file "the plan is damaged" sed -i 's/\.strip = /&1/' model.c
build_package cortex-m4 "$folder/d_window" "$folder/program" -DBOARD_DAMAGE
expect 1 "the weight image is damaged" run_on cortex-m4 "$folder/program"

echo "Size on Cortex-M4 at -Os, without weights"
# size_of PACKAGE OPTION...: the runtime with what it needs of the compiler's library, and the model's constants; memcpy and memset, which
# every program has, are left out.
size_of() {
  local package=$folder/$1
  shift
  arm-none-eabi-gcc -mthumb -mcpu=cortex-m4 "$@" -Os -std=c11 -ffunction-sections -fdata-sections -nostartfiles -Wl,--gc-sections \
    -Wl,--defsym=memcpy=0,--defsym=memset=0 -Wl,-e,vggrt_run -Wl,-u,vggrt_init,-u,vggrt_input,-u,vggrt_output "$package"/vggrt*.c -o "$folder/runtime.elf"
  arm-none-eabi-gcc -mthumb -mcpu=cortex-m4 -Os -std=c11 -fdata-sections -nostartfiles -Wl,--gc-sections -Wl,-e,vggrt_model_data \
    "$package/model.c" -o "$folder/constants.elf"
  code=$(arm-none-eabi-size "$folder/runtime.elf" | awk 'END { print $1 + $2 }')
  constants=$(arm-none-eabi-size "$folder/constants.elf" | awk 'END { print $1 + $2 }')
}
for package in d_tflm a_litert d_sparse d_expanded; do
  for floats in "" "-mfpu=fpv4-sp-d16 -mfloat-abi=hard"; do
    size_of "$package" $floats
    echo "  $package${floats:+ with FPU}: $code bytes of runtime, $constants of the model's constants"
    said=$(awk '$1 == "tables" || $1 == "code" { gsub(",", "", $2); sum += $2 } END { print sum }' "$folder/$package.log")
    [ $((code + constants)) -le "$said" ] || fail "$package: more code and constants than the $said bytes that are said"
    [ "$code" -le 8192 ] || fail "more than 8192 bytes of code"
    [ "$package" != d_tflm ] || [ $((code + constants)) -le 8192 ] || fail "more than 8192 bytes of code and constants"
  done
done
