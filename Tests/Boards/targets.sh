# The machines that the runtime is tried on, for run.sh: how to build a program for each, and how to run it.

targets=(gcc clang aarch64 armhf cortex-m3 cortex-m4 cortex-m7 cortex-m55 riscv32)

machine=Tests/Boards/Machine
sanitizers=(-g -fsanitize=address,undefined -fno-sanitize-recover=undefined)
semihosting=(-nographic -monitor none -serial none -semihosting-config enable=on,target=native)

# compile TARGET ARGUMENT...: a program, with what a test needs of the machine.
compile() {
  local target=$1
  shift
  case $target in
    gcc) hosted gcc -O1 "${sanitizers[@]}" "$@" ;;
    clang) hosted clang -O1 -fuse-ld=lld "${sanitizers[@]}" "$@" ;;
    aarch64) hosted aarch64-linux-gnu-gcc -O2 -static "$@" ;;
    armhf) hosted arm-linux-gnueabihf-gcc -O2 -mfpu=neon -static "$@" ;;
    cortex-m3) bare 0 0x20000000 arm-none-eabi-gcc -mthumb -mcpu=cortex-m3 "$@" ;;
    cortex-m4) bare 0 0x20000000 arm-none-eabi-gcc -mthumb -mcpu=cortex-m4 -mfpu=fpv4-sp-d16 -mfloat-abi=hard "$@" ;;
    cortex-m7) bare 0 0x20000000 arm-none-eabi-gcc -mthumb -mcpu=cortex-m7 -mfpu=fpv5-d16 -mfloat-abi=hard "$@" ;;
    cortex-m55) bare 0x10000000 0x31000000 arm-none-eabi-gcc -mthumb -mcpu=cortex-m55 -mfloat-abi=hard "$@" ;;
    riscv32) bare 0x80000000 0x84000000 riscv64-unknown-elf-gcc --specs=picolibc.specs -march=rv32imac -mabi=ilp32 "$@" ;;
    *) return 1 ;;
  esac
}

hosted() { "$@" -I$machine $machine/hosted.c; }

# bare ROM RAM COMPILER ARGUMENT...
bare() {
  local rom=$1 ram=$2
  shift 2
  "$@" -Os -ffunction-sections -fdata-sections -Wl,--gc-sections -nostartfiles -I$machine $machine/board.c -T$machine/board.ld \
    "-Wl,--defsym=rom=$rom,--defsym=ram=$ram" -Wl,-z,noexecstack
}

# run_on TARGET PROGRAM
run_on() {
  case $1 in
    aarch64) qemu-aarch64 "$2" ;;
    armhf) qemu-arm "$2" ;;
    cortex-m3) timeout 300 qemu-system-arm -M mps2-an385 "${semihosting[@]}" -kernel "$2" ;;
    cortex-m4) timeout 300 qemu-system-arm -M mps2-an386 "${semihosting[@]}" -kernel "$2" ;;
    cortex-m7) timeout 300 qemu-system-arm -M mps2-an500 "${semihosting[@]}" -kernel "$2" ;;
    cortex-m55) timeout 300 qemu-system-arm -M mps3-an547 "${semihosting[@]}" -kernel "$2" ;;
    riscv32) timeout 300 qemu-system-riscv32 -M virt -bios none "${semihosting[@]}" -kernel "$2" ;;
    *) timeout 300 "$2" ;;
  esac
}

# build_random TARGET PROGRAM
build_random() {
  # The reference has Clang's words about pointers.
  compile "$1" -std=gnu11 -Wall -Wextra -D_Nullable= -D_Nonnull= -Wno-unknown-pragmas -Wno-attributes -Wno-builtin-macro-redefined \
    -ISources/CVGGRuntime/include -ISources/CVGGRules/include -ISources/CVGGKernels/include \
    -ITests/Boards/RandomModels/include Sources/CVGGRuntime/vggrt*.c Sources/CVGGKernels/reference_integer.c \
    Tests/Boards/RandomModels/*.c Tests/Boards/random_main.c -o "$2"
}

# build_count TARGET PROGRAM
build_count() {
  compile "$1" -std=gnu11 -Wall -Wextra -Wconversion -Werror -ISources/CVGGRuntime -ISources/CVGGRuntime/include \
    -ISources/CVGGRules/include Sources/CVGGRuntime/vggrt*.c Tests/Boards/products_count.c -o "$2"
}

# build_package TARGET PACKAGE PROGRAM OPTION...
build_package() {
  local target=$1 package=$2 program=$3
  shift 3
  compile "$target" "$@" -std=gnu11 -Wall -Wextra -Wconversion -Werror -DVGGRT_NO_MAIN -I"$package" "$package"/*.c \
    $(find "$package" -name '*.S') Tests/Boards/package_main.c -o "$program"
}
