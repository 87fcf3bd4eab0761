# COMPILE_TOOLS to CMake's compilers and cargo's target. Runs before project().

# Cross compiler prefixes and the cargo targets they belong to. CARGO_TARGET names one that is not listed.
set(iot_targets
    "aarch64-linux-gnu=aarch64-unknown-linux-gnu"
    "aarch64-linux-musl=aarch64-unknown-linux-musl"
    "arm-linux-gnueabi=arm-unknown-linux-gnueabi"
    "arm-linux-gnueabihf=armv7-unknown-linux-gnueabihf"
    "arm-linux-musleabihf=armv7-unknown-linux-musleabihf"
    "i686-linux-gnu=i686-unknown-linux-gnu"
    "powerpc64le-linux-gnu=powerpc64le-unknown-linux-gnu"
    "riscv64-linux-gnu=riscv64gc-unknown-linux-gnu"
    "s390x-linux-gnu=s390x-unknown-linux-gnu"
    "x86_64-linux-gnu=x86_64-unknown-linux-gnu")

# The folder and the prefix with its dash, "" for a host compiler: /opt/t/bin/arm-linux-gnueabihf-gcc-12 gives
# "/opt/t/bin/" and "arm-linux-gnueabihf-".
if(NOT COMPILE_TOOLS MATCHES "^(.*/)?([^/]*-)?(gcc|cc|clang)(-[0-9.]+)?$")
  message(FATAL_ERROR "COMPILE_TOOLS is \"${COMPILE_TOOLS}\": set it to gcc, clang or a cross compiler whose name "
                      "ends so, such as arm-linux-gnueabihf-gcc.")
endif()
set(iot_prefix "${CMAKE_MATCH_1}${CMAKE_MATCH_2}")
set(iot_version "${CMAKE_MATCH_4}")
if(CMAKE_MATCH_3 STREQUAL "clang")
  set(iot_cxx "${iot_prefix}clang++${iot_version}")
else()
  set(iot_cxx "${iot_prefix}g++${iot_version}")
endif()
string(REGEX REPLACE "-$" "" iot_triple "${CMAKE_MATCH_2}")

# CMake keeps the compiler it found in a build folder; another COMPILE_TOOLS makes it look again.
if(DEFINED CACHE{IOT_COMPILE_TOOLS} AND NOT IOT_COMPILE_TOOLS STREQUAL COMPILE_TOOLS)
  file(REMOVE_RECURSE "${CMAKE_BINARY_DIR}/CMakeFiles/${CMAKE_VERSION}")
  get_cmake_property(iot_cached CACHE_VARIABLES)
  list(FILTER iot_cached INCLUDE REGEX
       "^CMAKE_(C|CXX)_COMPILER|^CMAKE_(ADDR2LINE|AR|LINKER|NM|OBJCOPY|OBJDUMP|RANLIB|READELF|STRIP)$")
  foreach(iot_name IN LISTS iot_cached)
    unset(${iot_name} CACHE)
  endforeach()
endif()
# A compiler or a toolchain file the user names in CMake's own way comes first.
if(NOT DEFINED CACHE{CMAKE_C_COMPILER} AND NOT CMAKE_TOOLCHAIN_FILE)
  set(CMAKE_C_COMPILER "${COMPILE_TOOLS}")
  set(IOT_CXX "${iot_cxx}")
endif()
set(IOT_COMPILE_TOOLS "${COMPILE_TOOLS}" CACHE INTERNAL "The COMPILE_TOOLS this build folder was set up with")

set(IOT_CARGO_TARGET "${CARGO_TARGET}")
if(IOT_CARGO_TARGET STREQUAL "" AND NOT iot_triple STREQUAL "")
  foreach(entry IN LISTS iot_targets)
    if(entry MATCHES "^${iot_triple}=(.*)$")
      set(IOT_CARGO_TARGET "${CMAKE_MATCH_1}")
    endif()
  endforeach()
  if(IOT_CARGO_TARGET STREQUAL "")
    message(FATAL_ERROR "COMPILE_TOOLS is \"${COMPILE_TOOLS}\": which cargo target that is isn't known here. "
                        "Pass -DCARGO_TARGET=<target>, one of those `rustc --print target-list` shows.")
  endif()
endif()
if(NOT IOT_CARGO_TARGET STREQUAL "" AND NOT CMAKE_TOOLCHAIN_FILE)
  set(CMAKE_SYSTEM_NAME Linux)
  string(REGEX REPLACE "-.*" "" CMAKE_SYSTEM_PROCESSOR "${IOT_CARGO_TARGET}")
endif()

string(TOUPPER "${BUILD_TYPE}" iot_build_type)
set(CMAKE_BUILD_TYPE "${iot_build_type}")
