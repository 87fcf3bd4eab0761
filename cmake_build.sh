#!/bin/sh
# Builds everything into output/<release|debug>/{bin,lib,include}.
#
#   ./cmake_build.sh                            options as they stand at the top of CMakeLists.txt
#   ./cmake_build.sh -DFEATURE_AUTH_MODE=CERT   the same with this one changed, for this call
#   ./cmake_build.sh clean                      removes build/ and output/
set -eu
cd "$(dirname "$0")"

if [ "${1:-}" = clean ]; then
    rm -rf build output
    exit 0
fi

if ! command -v cmake >/dev/null; then
    echo "cmake_build.sh: cmake 3.16 or later is needed (Debian: apt-get install cmake)" >&2
    exit 1
fi

# -U forgets what an earlier call was given with -D.
cmake -U 'FEATURE_*' -U BUILD_TYPE -U IOT_ABI -U COMPILE_TOOLS -U PLATFORM -U OUTPUT_DIR -U CARGO_TARGET -U IOT_BUILD_SHARED -U IOT_BUILD_HUB -U IOT_BUILD_BENCH -U BUILD_TESTING -U CARGO_TARGET_DIR -S . -B build "$@"
cmake --build build -j "$(nproc 2>/dev/null || echo 1)"
