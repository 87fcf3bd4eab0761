SUMMARY = "MQTT and firmware upgrades for devices on Tencent Cloud's IoT Hub"
DESCRIPTION = "A drop-in replacement for the IoT Hub C SDK: libiot_sdk and libiot_platform, the headers, a pkg-config file."
HOMEPAGE = "https://github.com/OWNER/REPOSITORY"
SECTION = "libs"
# What is linked besides, and under which terms, is in the installed bill of materials.
LICENSE = "MIT | Apache-2.0"
LIC_FILES_CHKSUM = "file://LICENSE-MIT;md5=78d5df6ec1c1d5e228ed18b5c1ba5b73 \
                    file://LICENSE-APACHE;md5=3b83ef96387f14655fc854ddc3c6bd57"

# Yours: where you keep the sources, and which commit.
SRC_URI = "git://github.com/OWNER/REPOSITORY.git;protocol=https;branch=main"
SRCREV = "${AUTOREV}"
PV = "3.2.2+git"
S = "${WORKDIR}/git"

# Every crate that Cargo.lock and platform/mbedtls/sources/Cargo.lock name, with its hash: packaging/yocto/crates.py.
require libiot-sdk-crates.inc

# cmake last: its tasks are the ones that run. cargo brings the compiler, its library for the device and the crates.
inherit cargo cmake pkgconfig

# The options are those of CMakeLists.txt.
EXTRA_OECMAKE = " \
    -DCARGO_TARGET=${RUST_HOST_SYS} \
    -DCARGO_TARGET_DIR=${B}/target \
    -DOUTPUT_DIR=${B}/output \
    -DBUILD_TESTING=OFF \
    -DFEATURE_AUTH_MODE=KEY \
"

do_configure:prepend() {
    cargo_common_do_configure
}

# cargo's build scripts are given the compiler alone; what CMake adds to it is said once more.
do_compile:prepend() {
    export RUSTFLAGS="${RUSTFLAGS}"
    export "CFLAGS_$(echo ${RUST_HOST_SYS} | tr - _)=${HOST_CC_ARCH} ${TOOLCHAIN_OPTIONS} ${CFLAGS}"
    export "CXXFLAGS_$(echo ${RUST_HOST_SYS} | tr - _)=${HOST_CC_ARCH} ${TOOLCHAIN_OPTIONS} ${CXXFLAGS}"
    export IOT_MBEDTLS_DIR="${CARGO_VENDORING_DIRECTORY}/mbedtls-rs-sys-0.3.1/mbedtls"
}
