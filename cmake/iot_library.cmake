# Headers, archives and the target `qcloud_iot` that C programs of this project link.

file(STRINGS "${CMAKE_CURRENT_SOURCE_DIR}/Cargo.toml" iot_rust_version REGEX "^rust-version = ")
string(REGEX MATCH "[0-9.]+" iot_rust_version "${iot_rust_version}")
# First in PATH, as a shell looks for it, then in the user's own cargo folders.
find_program(CARGO cargo PATHS "$ENV{CARGO_HOME}/bin" "$ENV{HOME}/.cargo/bin")
if(NOT CARGO)
  message(FATAL_ERROR "cargo was not found. Install Rust ${iot_rust_version} or later (https://rustup.rs) or pass "
                      "-DCARGO=<path>.")
endif()
# A cargo that is too old can't read our manifests, and its message does not say why.
execute_process(COMMAND "${CARGO}" --version OUTPUT_VARIABLE iot_cargo_says ERROR_VARIABLE iot_cargo_says)
if(NOT iot_cargo_says MATCHES "^cargo ([0-9]+\\.[0-9]+\\.[0-9]+)" OR CMAKE_MATCH_1 VERSION_LESS iot_rust_version)
  string(STRIP "${iot_cargo_says}" iot_cargo_says)
  set(iot_cargo "${CARGO}")
  # Otherwise it would stay in the build folder after another one was installed.
  unset(CARGO CACHE)
  message(FATAL_ERROR "Rust ${iot_rust_version} or later is needed. ${iot_cargo} --version: ${iot_cargo_says}. Install "
                      "a later one (https://rustup.rs) or pass -DCARGO=<path>.")
endif()

set(IOT_LIB_DIR "${OUTPUT_DIR}/lib")
set(IOT_BIN_DIR "${OUTPUT_DIR}/bin")
set(IOT_INCLUDE_DIR "${OUTPUT_DIR}/include")
set(IOT_DOC_DIR "${OUTPUT_DIR}/doc")
# Writes the bill of materials (tools/sbom.py); nothing else needs it.
find_package(Python3 COMPONENTS Interpreter)
if(NOT Python3_Interpreter_FOUND)
  message(STATUS "python3 was not found: no bill of materials and no licence texts are written, and none are installed.")
endif()
# Several build folders may share one, which then compiles the common crates once.
if(NOT CARGO_TARGET_DIR)
  set(CARGO_TARGET_DIR "${CMAKE_BINARY_DIR}/cargo")
endif()
get_filename_component(CARGO_TARGET_DIR "${CARGO_TARGET_DIR}" ABSOLUTE BASE_DIR "${CMAKE_BINARY_DIR}")

# The headers: those of 3.2 are in the source folder, those of 3.3 are written from the same sources.
set(IOT_HEADER_SOURCE "${CMAKE_CURRENT_SOURCE_DIR}/include")
if(NOT IOT_ABI STREQUAL "3.2")
  set(IOT_HEADER_SOURCE "${CMAKE_BINARY_DIR}/include-${IOT_ABI}")
  file(GLOB iot_header_inputs CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/tools/headers/*/*" "${CMAKE_CURRENT_SOURCE_DIR}/abi/src/*.rs"
       "${CMAKE_CURRENT_SOURCE_DIR}/src/ffi/*.rs")
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${iot_header_inputs})
  message(STATUS "Writing the headers of IOT_ABI ${IOT_ABI}")
  execute_process(
    COMMAND ${CMAKE_COMMAND} -E env "CARGO_TARGET_DIR=${CARGO_TARGET_DIR}" "${CARGO}" run --locked -q -p headers -- --abi ${IOT_ABI}
            "${IOT_HEADER_SOURCE}"
    WORKING_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}" OUTPUT_QUIET RESULT_VARIABLE iot_failed)
  if(iot_failed)
    message(FATAL_ERROR "The headers of IOT_ABI ${IOT_ABI} could not be written; cargo says above why.")
  endif()
endif()

# The C SDK's version that this library stands in for.
file(STRINGS "${IOT_HEADER_SOURCE}/qcloud_iot_export.h" IOT_VERSION REGEX "^#define QCLOUD_IOT_DEVICE_SDK_VERSION ")
if(NOT IOT_VERSION MATCHES "\"([0-9]+\\.[0-9]+\\.[0-9]+)\"")
  message(FATAL_ERROR "qcloud_iot_export.h: QCLOUD_IOT_DEVICE_SDK_VERSION was not found or isn't a version.")
endif()
set(IOT_VERSION "${CMAKE_MATCH_1}")
# What a program that is linked with the shared library goes on running with: another interface has another one.
if(IOT_ABI STREQUAL "3.2")
  set(IOT_SOVERSION 3)
else()
  set(IOT_SOVERSION ${IOT_ABI})
endif()

# How a program is linked to be small: without what it does not reach of the archives, and with the relocations that every
# start applies written as a bitmap, where the C library that the program is linked with reads that form. The dynamic
# linker of an older one would refuse the program. (A linker that doesn't know the option only warns.)
include(CheckCSourceCompiles)
set(IOT_LINK_OPTIONS LINKER:--gc-sections)
set(CMAKE_REQUIRED_LINK_OPTIONS LINKER:-z,pack-relative-relocs LINKER:--fatal-warnings)
check_c_source_compiles("
  #include <features.h>
  #if !defined(__GLIBC__) || !__GLIBC_PREREQ(2, 36)
  #error older, or not glibc
  #endif
  int main(void) { return 0; }" IOT_PACKS_RELOCATIONS)
unset(CMAKE_REQUIRED_LINK_OPTIONS)
if(IOT_PACKS_RELOCATIONS)
  list(APPEND IOT_LINK_OPTIONS LINKER:-z,pack-relative-relocs)
endif()

# What a program links besides the archives: the system's mbedTLS.
set(IOT_TLS_LIBRARIES "")
set(IOT_TLS_FOLDER "")
if(IOT_HAS_PLATFORM AND FEATURE_TLS STREQUAL "system" AND NOT FEATURE_AUTH_WITH_NOTLS)
  set(IOT_TLS_LIBRARIES -lmbedtls -lmbedx509 -lmbedcrypto)
  foreach(name IN ITEMS MBEDTLS_INCLUDE MBEDTLS_LIB)
    if(NOT ${name})
      set(${name} "$ENV{${name}}")
    endif()
  endforeach()
  if(NOT MBEDTLS_INCLUDE AND NOT MBEDTLS_LIB)
    find_package(PkgConfig QUIET)
    if(PkgConfig_FOUND)
      pkg_check_modules(iot_mbedtls QUIET mbedtls)
      set(MBEDTLS_INCLUDE "${iot_mbedtls_INCLUDE_DIRS}")
      set(MBEDTLS_LIB "${iot_mbedtls_LIBRARY_DIRS}")
    endif()
  endif()
  if(MBEDTLS_LIB)
    set(IOT_TLS_FOLDER "-L${MBEDTLS_LIB}")
  endif()
endif()

# The public headers and config.h into the output folder. A header that changes runs CMake again.
function(iot_write_headers)
  # The names as they stand in config.h.
  if(FEATURE_AUTH_MODE STREQUAL "CERT")
    set(AUTH_MODE_CERT ON)
  else()
    set(AUTH_MODE_KEY ON)
  endif()
  set(AUTH_WITH_NOTLS ${FEATURE_AUTH_WITH_NOTLS})
  set(BROADCAST_ENABLED ${FEATURE_BROADCAST_ENABLED})
  set(COAP_COMM_ENABLED ${FEATURE_COAP_COMM_ENABLED})
  set(REMOTE_CONFIG_MQTT ${FEATURE_REMOTE_CONFIG_MQTT_ENABLED})
  set(RRPC_ENABLED ${FEATURE_RRPC_ENABLED})
  set(RESOURCE_USE_HTTPS ${FEATURE_RESOURCE_USE_HTTPS})
  set(REMOTE_LOGIN_WEBSOCKET_SSH ${FEATURE_REMOTE_LOGIN_WEBSOCKET_SSH})
  set(GATEWAY_ENABLED ${FEATURE_GATEWAY_ENABLED})
  set(DEV_DYN_REG_ENABLED ${FEATURE_DEV_DYN_REG_ENABLED})
  set(LOG_UPLOAD ${FEATURE_LOG_UPLOAD_ENABLED})
  set(MULTITHREAD_ENABLED ${FEATURE_MULTITHREAD_ENABLED})
  set(DEBUG_DEV_INFO_USED ${FEATURE_DEBUG_DEV_INFO_USED})
  if(FEATURE_OTA_SIGNAL_CHANNEL STREQUAL "MQTT")
    set(OTA_MQTT_CHANNEL ${FEATURE_OTA_COMM_ENABLED})
  endif()
  set(OTA_USE_HTTPS ${FEATURE_OTA_USE_HTTPS})
  # On in the C SDK's default build. Programs ask for them with #ifdef.
  set(SYSTEM_COMM ON)

  set(source "${IOT_HEADER_SOURCE}")
  file(GLOB_RECURSE headers RELATIVE "${source}" CONFIGURE_DEPENDS "${source}/*.h")
  # A config.h in the source folder is for reading only; the one of this build is written below.
  list(REMOVE_ITEM headers config.h)
  foreach(header IN LISTS headers)
    configure_file("${source}/${header}" "${IOT_INCLUDE_DIR}/${header}" COPYONLY)
  endforeach()
  configure_file("${source}/config.h.in" "${IOT_INCLUDE_DIR}/config.h")
  set(IOT_HEADERS ${headers} config.h PARENT_SCOPE)
endfunction()

# One cargo call for both archives, so that their members have the same names (cmake/pack_archives.sh).
function(iot_build_library)
  set(features "")
  if(IOT_ABI STREQUAL "3.3")
    list(APPEND features abi-3-3)
  endif()
  if(FEATURE_AUTH_MODE STREQUAL "CERT")
    list(APPEND features auth-mode-cert)
  endif()
  if(FEATURE_AUTH_WITH_NOTLS)
    list(APPEND features auth-with-notls)
  endif()
  if(FEATURE_BROADCAST_ENABLED)
    list(APPEND features broadcast)
  endif()
  if(FEATURE_COAP_COMM_ENABLED)
    list(APPEND features coap)
  endif()
  if(FEATURE_DEV_DYN_REG_ENABLED)
    list(APPEND features dev-dyn-reg)
  endif()
  if(FEATURE_GATEWAY_ENABLED)
    list(APPEND features gateway)
  endif()
  if(FEATURE_LOG_UPLOAD_ENABLED)
    list(APPEND features log-upload)
  endif()
  if(FEATURE_MULTITHREAD_ENABLED)
    list(APPEND features multithread)
  endif()
  if(FEATURE_OTA_USE_HTTPS)
    list(APPEND features ota-use-https)
  endif()
  if(FEATURE_REMOTE_CONFIG_MQTT_ENABLED)
    list(APPEND features remote-config-mqtt)
  endif()
  if(IOT_ABI STREQUAL "3.3" AND FEATURE_RESOURCE_COMM_ENABLED)
    list(APPEND features resource)
    if(FEATURE_RESOURCE_USE_HTTPS)
      list(APPEND features resource-use-https)
    endif()
  endif()
  if(FEATURE_RRPC_ENABLED)
    list(APPEND features rrpc)
  endif()
  if(FEATURE_RUNTIME_OVERRIDES)
    list(APPEND features runtime-overrides)
  endif()
  if(FEATURE_MQTT_DEVICE_SHADOW)
    list(APPEND features shadow)
  endif()
  # The tunnel has a thread of its own.
  if(IOT_ABI STREQUAL "3.3" AND FEATURE_REMOTE_LOGIN_WEBSOCKET_SSH AND FEATURE_MULTITHREAD_ENABLED)
    list(APPEND features ssh)
  endif()
  if(FEATURE_UPGRADE)
    list(APPEND features upgrade)
    if(FEATURE_UPGRADE_SIGNATURES)
      list(APPEND features upgrade-signatures)
    endif()
  endif()
  if(FEATURE_WEBSOCKET_MQTT)
    list(APPEND features websocket-mqtt)
    if(NOT FEATURE_WEBSOCKET_VERIFY_SERVER)
      list(APPEND features websocket-unverified)
    endif()
  endif()
  if(FEATURE_PANIC STREQUAL "abort")
    list(APPEND features panic-abort)
  endif()

  set(bundle_features ${features})
  if(IOT_HAS_PLATFORM)
    list(APPEND bundle_features platform tls-${FEATURE_TLS})
    if(FEATURE_DEBUG_DEV_INFO_USED)
      list(APPEND bundle_features debug-dev-info)
    endif()
  endif()
  set(selection -p iot-sdk --lib -p iot-bundle)
  set(selected_features "")
  foreach(feature IN LISTS features)
    list(APPEND selected_features "iot-sdk/${feature}")
  endforeach()
  foreach(feature IN LISTS bundle_features)
    list(APPEND selected_features "iot-bundle/${feature}")
  endforeach()
  string(REPLACE ";" "," selected_features "${selected_features}")

  set(environment "CARGO_TARGET_DIR=${CARGO_TARGET_DIR}")
  if(IOT_TLS_LIBRARIES)
    list(APPEND environment "MBEDTLS_INCLUDE=${MBEDTLS_INCLUDE}" "MBEDTLS_LIB=${MBEDTLS_LIB}")
  endif()
  set(arguments build --locked --no-default-features ${selection})
  if(selected_features)
    list(APPEND arguments --features "${selected_features}")
  endif()
  set(built "${CARGO_TARGET_DIR}")
  if(NOT IOT_CARGO_TARGET STREQUAL "")
    list(APPEND arguments --target ${IOT_CARGO_TARGET})
    string(APPEND built "/${IOT_CARGO_TARGET}")
    string(TOUPPER "${IOT_CARGO_TARGET}" upper)
    string(REPLACE "-" "_" upper "${upper}")
    string(REPLACE "-" "_" lower "${IOT_CARGO_TARGET}")
    if(IOT_HAS_CXX)
      list(APPEND environment "CXX_${lower}=${CMAKE_CXX_COMPILER}")
    endif()
    list(APPEND environment "CC_${lower}=${CMAKE_C_COMPILER}" "AR_${lower}=${CMAKE_AR}"
         "CARGO_TARGET_${upper}_LINKER=${CMAKE_C_COMPILER}")
  endif()
  if(BUILD_TYPE STREQUAL "release")
    list(APPEND arguments --release)
    string(APPEND built "/release")
    set(keep_debug 0)
    set(profile release)
    # Calls from crate to crate are direct ones by this, where they would else go through a table of addresses, which the
    # program's own linker can't undo. (Of the library's linking it says nothing.) A debug build does without, and so has
    # the crates of others in common with `cargo test`.
    set(compiler_flags "'-Crelro-level=partial'")
    set(for_size ON)
    if(FEATURE_PANIC STREQUAL "unwind")
      # Unwind tables have an entry for each function. They eat up what opt-level z saves, unless it inlines what s does
      # (LLVM's limit for it is 50, for z 5), and functions have frame pointers, with which an entry is shorter by more
      # than the code is longer. Measured and tried on x86-64 only.
      if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
        string(APPEND compiler_flags ",'-Cllvm-args=-inline-threshold=50','-Cforce-frame-pointers=yes'")
      else()
        set(for_size OFF)
      endif()
    endif()
    # Where a panic happened is told without the builder's home folder, which is nobody's business and makes texts longer. The
    # second one is crates.io's folder in the first; of those that fit, the compiler takes the last.
    set(cargo_home "$ENV{HOME}/.cargo")
    if(DEFINED ENV{CARGO_HOME})
      set(cargo_home "$ENV{CARGO_HOME}")
    endif()
    foreach(folder IN ITEMS "" "/index.crates.io-1949cf8c6b5b557f")
      string(APPEND compiler_flags ",'--remap-path-prefix=${cargo_home}/registry/src${folder}='")
    endforeach()
    list(APPEND arguments --config "build.rustflags=[${compiler_flags}]")
    if(for_size)
      foreach(crate IN ITEMS iot-sdk iot-engine iot-platform-posix bytes digest hmac httparse log sha1)
        list(APPEND arguments --config "profile.release.package.${crate}.opt-level='z'")
      endforeach()
    endif()
  else()
    string(APPEND built "/debug")
    set(keep_debug 1)
    set(profile dev)
  endif()
  if(FEATURE_PANIC STREQUAL "abort")
    list(APPEND arguments --config "profile.${profile}.panic='abort'")
  endif()

  set(archives "${IOT_LIB_DIR}/libiot_sdk.a")
  if(IOT_HAS_PLATFORM)
    list(APPEND archives "${IOT_LIB_DIR}/libiot_platform.a")
  endif()
  # Runs at every build: only cargo knows what has changed.
  add_custom_target(iot_archives ALL
    COMMAND ${CMAKE_COMMAND} -E env ${environment} "${CARGO}" ${arguments}
    COMMAND ${CMAKE_COMMAND} -E env "AR=${CMAKE_AR}" "LD=${CMAKE_LINKER}" "NM=${CMAKE_NM}"
            "OBJCOPY=${CMAKE_OBJCOPY}" "READELF=${CMAKE_READELF}" "KEEP_DEBUG=${keep_debug}" "PANIC=${FEATURE_PANIC}" "ABI=${IOT_ABI}"
            sh "${CMAKE_CURRENT_SOURCE_DIR}/cmake/pack_archives.sh" "${IOT_LIB_DIR}" "${built}/libiot_sdk.a"
            "${built}/libiot_bundle.a"
    # What cargo has linked, for the test of the bill: builds of several modes may share its folder.
    COMMAND sh -c "\"$1\" t \"$2\" >\"$3\"" sh "${CMAKE_AR}" "${built}/libiot_bundle.a"
            "${CMAKE_BINARY_DIR}/bundle.members"
    BYPRODUCTS ${archives}
    WORKING_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}"
    COMMENT "Building the library with cargo"
    USES_TERMINAL VERBATIM)

  set(bill_environment ${environment} "AR=${CMAKE_AR}")
  iot_add_bill(libiot_sdk iot_archives bill_environment --archive "${built}/libiot_bundle.a" -- ${arguments})

  # In a folder of its own: in that of the archives, -liot_sdk would find it first, and makefiles would no longer link
  # statically.
  set(IOT_SHARED_DIR "${IOT_LIB_DIR}/shared" PARENT_SCOPE)
  if(IOT_BUILD_SHARED)
    list(JOIN IOT_TLS_LIBRARIES " " libraries)
    add_custom_target(iot_shared ALL
      COMMAND ${CMAKE_COMMAND} -E env "CC=${CMAKE_C_COMPILER}" "NM=${CMAKE_NM}" "LIBS=${IOT_TLS_FOLDER} ${libraries}"
              sh "${CMAKE_CURRENT_SOURCE_DIR}/cmake/link_shared.sh"
              "${IOT_LIB_DIR}" "${IOT_LIB_DIR}/shared" "${IOT_VERSION}" "${IOT_SOVERSION}"
      COMMENT "Linking libiot_sdk.so"
      VERBATIM)
    add_dependencies(iot_shared iot_archives)
  else()
    file(REMOVE_RECURSE "${IOT_LIB_DIR}/shared")
  endif()

  # The same link line as in a firmware's makefile.
  add_library(qcloud_iot INTERFACE)
  add_dependencies(qcloud_iot iot_archives)
  target_include_directories(qcloud_iot SYSTEM INTERFACE "${IOT_INCLUDE_DIR}" "${IOT_INCLUDE_DIR}/exports")
  target_link_options(qcloud_iot INTERFACE "-L${IOT_LIB_DIR}")
  target_link_libraries(qcloud_iot INTERFACE -Wl,--start-group -liot_sdk -liot_platform -Wl,--end-group ${IOT_TLS_FOLDER} ${IOT_TLS_LIBRARIES} -lpthread)
  set(IOT_ARCHIVES ${archives} PARENT_SCOPE)
  set(IOT_BUILT "${built}" PARENT_SCOPE)
endfunction()

# iot_add_bill(NAME TARGET ENVIRONMENT ARGUMENT...): what the cargo call of TARGET links, into IOT_DOC_DIR. ENVIRONMENT
# names a list.
function(iot_add_bill NAME TARGET ENVIRONMENT)
  if(NOT Python3_Interpreter_FOUND)
    return()
  endif()
  add_custom_target(${TARGET}_bill ALL
    COMMAND ${CMAKE_COMMAND} -E env ${${ENVIRONMENT}} "${Python3_EXECUTABLE}" "${CMAKE_CURRENT_SOURCE_DIR}/tools/sbom.py"
            --name ${NAME} --output "${IOT_DOC_DIR}" --cargo "${CARGO}" ${ARGN}
    BYPRODUCTS "${IOT_DOC_DIR}/${NAME}.cdx.json" "${IOT_DOC_DIR}/${NAME}.copyright"
    WORKING_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}"
    COMMENT "Listing what is linked into ${NAME}"
    VERBATIM)
  add_dependencies(${TARGET}_bill ${TARGET})
endfunction()

# The hub is a tool: always built for the machine that builds, and always optimised.
function(iot_build_hub)
  set(hub "${IOT_BIN_DIR}/qcloud_iot_hub")
  set(environment "CARGO_TARGET_DIR=${CARGO_TARGET_DIR}")
  set(arguments build --locked --release -p hub)
  add_custom_target(iot_hub ALL
    COMMAND ${CMAKE_COMMAND} -E env ${environment} "${CARGO}" ${arguments}
    COMMAND ${CMAKE_COMMAND} -E make_directory "${IOT_BIN_DIR}"
    COMMAND ${CMAKE_COMMAND} -E copy_if_different "${CARGO_TARGET_DIR}/release/hub" "${hub}"
    BYPRODUCTS "${hub}"
    WORKING_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}"
    COMMENT "Building the hub with cargo"
    USES_TERMINAL VERBATIM)
  # One after the other: two cargos in one folder would wait for each other.
  add_dependencies(iot_hub iot_archives)
  if(TARGET iot_archives_bill)
    add_dependencies(iot_hub iot_archives_bill)
  endif()
  iot_add_bill(qcloud_iot_hub iot_hub environment -- ${arguments})
endfunction()

# A C99 program of this project, linked again when an archive changes.
function(iot_add_program NAME)
  add_executable(${NAME} ${ARGN})
  set_target_properties(${NAME} PROPERTIES C_STANDARD 99 C_STANDARD_REQUIRED ON LINK_DEPENDS "${IOT_ARCHIVES}")
  target_compile_options(${NAME} PRIVATE -Wall -Wextra -Werror)
  target_link_libraries(${NAME} PRIVATE qcloud_iot)
endfunction()
