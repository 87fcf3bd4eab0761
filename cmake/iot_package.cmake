# cpack: Debian packages of what cmake --install installs (packaging/README.md; packaging/debian.sh calls it).
#   libiot-sdk-dev     headers, archives, pkg-config file, CMake package
#   libiot-sdk3        the shared library, when it was built
#   qcloud-iot-hub     the hub, when it was built

file(STRINGS "${CMAKE_CURRENT_SOURCE_DIR}/Cargo.toml" iot_own_version REGEX "^version = ")
string(REGEX MATCH "[0-9.]+" iot_own_version "${iot_own_version}")

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME libiot-sdk)
# Ours after the C SDK's, since it is the C SDK's that programs ask for (docs/versions.md).
set(CPACK_PACKAGE_VERSION "${IOT_VERSION}+${iot_own_version}")
set(CPACK_PACKAGE_VENDOR "")
set(CPACK_PACKAGING_INSTALL_PREFIX "${CMAKE_INSTALL_PREFIX}")
set(CPACK_PACKAGE_DIRECTORY "${OUTPUT_DIR}/deb")
set(CPACK_STRIP_FILES OFF)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE
    WORLD_READ WORLD_EXECUTE)

# Debian asks who answers for a package: IOT_MAINTAINER says who builds it.
if(NOT IOT_MAINTAINER)
  set(IOT_MAINTAINER "Whoever built this <root@localhost>")
endif()
set(CPACK_DEBIAN_PACKAGE_MAINTAINER "${IOT_MAINTAINER}")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING IGNORE)

# The architecture, and what Debian calls it.
set(iot_debian_architectures "aarch64=arm64" "arm=armel" "armv7=armhf" "i686=i386" "powerpc64le=ppc64el"
    "riscv64gc=riscv64" "s390x=s390x" "x86_64=amd64")
if(NOT IOT_CARGO_TARGET STREQUAL "")
  string(REGEX REPLACE "-.*" "" iot_processor "${IOT_CARGO_TARGET}")
  foreach(entry IN LISTS iot_debian_architectures)
    if(entry MATCHES "^${iot_processor}=(.*)$")
      set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE "${CMAKE_MATCH_1}")
    endif()
  endforeach()
endif()

set(iot_says "MQTT and firmware upgrades for devices on Tencent Cloud's IoT Hub")
# Programs must be built with the same.
set(iot_build "Built with FEATURE_AUTH_MODE=${FEATURE_AUTH_MODE}, FEATURE_AUTH_WITH_NOTLS=${FEATURE_AUTH_WITH_NOTLS}, \
FEATURE_DEV_DYN_REG_ENABLED=${FEATURE_DEV_DYN_REG_ENABLED}, FEATURE_GATEWAY_ENABLED=${FEATURE_GATEWAY_ENABLED}.")

set(CPACK_COMPONENTS_ALL dev)
set(CPACK_DEBIAN_DEV_PACKAGE_NAME libiot-sdk-dev)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS "libc6-dev")
set(CPACK_COMPONENT_DEV_DESCRIPTION "${iot_says} (headers, archives)\n${iot_build}")
if(IOT_TLS_LIBRARIES)
  string(APPEND CPACK_DEBIAN_DEV_PACKAGE_DEPENDS ", libmbedtls-dev")
endif()
if(IOT_BUILD_SHARED)
  list(APPEND CPACK_COMPONENTS_ALL shared)
  string(APPEND CPACK_DEBIAN_DEV_PACKAGE_DEPENDS ", libiot-sdk${iot_major} (= ${CPACK_PACKAGE_VERSION})")
  set(CPACK_DEBIAN_SHARED_PACKAGE_NAME "libiot-sdk${iot_major}")
  set(CPACK_DEBIAN_SHARED_PACKAGE_SECTION libs)
  set(CPACK_COMPONENT_SHARED_DESCRIPTION "${iot_says} (shared library)\n${iot_build}")
endif()
if(IOT_BUILD_HUB)
  list(APPEND CPACK_COMPONENTS_ALL hub)
  set(CPACK_DEBIAN_HUB_PACKAGE_NAME qcloud-iot-hub)
  set(CPACK_DEBIAN_HUB_PACKAGE_SECTION devel)
  set(CPACK_COMPONENT_HUB_DESCRIPTION "Plays Tencent Cloud's IoT Hub on a desk and in tests\n\
Devices, firmware upgrades and faults, with a console in the browser.")
endif()
# Of which libc's version on: dpkg-shlibdeps knows that of this machine's architecture only.
if(CMAKE_CROSSCOMPILING)
  set(CPACK_DEBIAN_SHARED_PACKAGE_DEPENDS "libc6, libgcc-s1")
else()
  set(CPACK_DEBIAN_SHARED_PACKAGE_SHLIBDEPS ON)
  set(CPACK_DEBIAN_HUB_PACKAGE_SHLIBDEPS ON)
endif()
include(CPack)
