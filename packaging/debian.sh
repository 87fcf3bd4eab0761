#!/usr/bin/env bash
# Debian packages of the library for one architecture, in FOLDER/deb: packaging/debian.sh FOLDER [-DOPTION=VALUE...]
#
# The options are those of CMakeLists.txt: -DCOMPILE_TOOLS=arm-linux-gnueabihf-gcc makes packages for armhf,
# -DIOT_BUILD_HUB=ON one of the hub, too (for this machine: without COMPILE_TOOLS).
set -euo pipefail
source=$(cd "$(dirname "$0")/.." && pwd)
folder=${1:?usage: packaging/debian.sh FOLDER [-DOPTION=VALUE...]}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
shift
compiler=gcc
for option in "$@"; do
    case $option in
    -DCOMPILE_TOOLS=*) compiler=${option#*=} ;;
    esac
done
# Where Debian has libraries of this architecture. Headers in a folder of their own: one of them is config.h.
multiarch=$("$compiler" -print-multiarch 2>/dev/null)
[ -n "$multiarch" ] || multiarch=$("$compiler" -dumpmachine)
cmake -S "$source" -B "$folder/build" -DOUTPUT_DIR="$folder" -DBUILD_TESTING=OFF -DCMAKE_INSTALL_PREFIX=/usr \
    -DCMAKE_INSTALL_LIBDIR="lib/$multiarch" -DCMAKE_INSTALL_INCLUDEDIR=include/qcloud_iot "$@"
cmake --build "$folder/build" -j "$(nproc)"
rm -rf "$folder/deb"
# Its own folder says what it writes.
(cd "$folder/build" && cpack)
rm -rf "$folder/deb/_CPack_Packages"
for package in "$folder"/deb/*.deb; do echo "$package"; done
