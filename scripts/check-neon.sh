#!/bin/sh
# Builds the kernels and their checks for AArch64 and runs them on emulated CPUs, NEON against ref: one that has
# everything (dot products too: set neondot) and one that has only what is old.
#
#   scripts/check-neon.sh [COMPILER]       default: aarch64-linux-gnu-gcc
#
# Debian: apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static
set -eu
cd "$(dirname "$0")/.."

compiler=${1:-${CC_AARCH64:-aarch64-linux-gnu-gcc}}
emulator=${QEMU_AARCH64:-qemu-aarch64-static}
for program in "${compiler%% *}" "$emulator"; do
  command -v "$program" >/dev/null || { echo "check-neon: $program is not installed" >&2; exit 2; }
done

build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT

for level in -O0 -O3; do
  # Static, so that the emulator needs no AArch64 system. The flags are those of cmake/Flags.cmake.
  # shellcheck disable=SC2086
  $compiler -std=c11 $level -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Werror \
    -ffp-contract=off -fno-math-errno -D_POSIX_C_SOURCE=200809L -D_DEFAULT_SOURCE -D_FILE_OFFSET_BITS=64 \
    -Iinclude -Isrc -Itests/unit -static \
    src/kernels/*.c src/kernels/arm/*.c tests/unit/kernels/kernel_*.c -lm -pthread -o "$build/check"
  "$emulator" -cpu max "$build/check"
  AQ_CPU=ref "$emulator" "$build/check" >/dev/null
done
"$emulator" -cpu cortex-a53 "$build/check"
