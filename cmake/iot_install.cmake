# cmake --install: archives, shared library, headers, pkg-config file, CMake package, what is linked and under which
# licences, and the hub where it was built. Everything in it finds the rest by its own place, so the installed folder may
# be moved. The components are the packages of iot_package.cmake.

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(iot_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/QCloudIoT")
set(iot_pkgconfig_dir "${CMAKE_INSTALL_LIBDIR}/pkgconfig")

install(FILES ${IOT_ARCHIVES} DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT dev)
set(iot_major "${IOT_SOVERSION}")
if(IOT_BUILD_SHARED)
  install(FILES "${IOT_SHARED_DIR}/libiot_sdk.so.${IOT_VERSION}" "${IOT_SHARED_DIR}/libiot_sdk.so.${iot_major}"
          DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT shared)
  install(FILES "${IOT_SHARED_DIR}/libiot_sdk.so" DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT dev)
endif()
foreach(header IN LISTS IOT_HEADERS)
  get_filename_component(folder "${header}" DIRECTORY)
  install(FILES "${IOT_INCLUDE_DIR}/${header}" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/${folder}" COMPONENT dev)
endforeach()

# The way from the .pc file's folder up to the prefix.
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
  set(iot_pc_prefix "${CMAKE_INSTALL_PREFIX}")
  set(iot_pc_libdir "${CMAKE_INSTALL_LIBDIR}")
else()
  file(RELATIVE_PATH iot_pc_up "/prefix/${iot_pkgconfig_dir}" "/prefix")
  string(REGEX REPLACE "/$" "" iot_pc_up "${iot_pc_up}")
  set(iot_pc_prefix "\${pcfiledir}/${iot_pc_up}")
  set(iot_pc_libdir "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
endif()
if(IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}")
  set(iot_pc_includedir "${CMAKE_INSTALL_INCLUDEDIR}")
else()
  set(iot_pc_includedir "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()
# Each of the two needs the other, so the group names both again.
set(iot_pc_static "")
if(IOT_HAS_PLATFORM)
  set(iot_pc_static "-Wl,--start-group -liot_sdk -liot_platform -Wl,--end-group ")
endif()
# The archives' objects are large; what the program reaches of them is less.
string(REPLACE "LINKER:" "-Wl," iot_pc_collect "${IOT_LINK_OPTIONS}")
string(REPLACE ";" " " iot_pc_collect "${iot_pc_collect} ")
list(JOIN IOT_TLS_LIBRARIES " " iot_pc_tls)
if(iot_pc_tls)
  string(APPEND iot_pc_tls " ")
endif()
if(IOT_BUILD_SHARED)
  set(iot_pc_libs "-liot_sdk")
  set(iot_pc_libs_private "${iot_pc_collect}${iot_pc_static}${iot_pc_tls}-lpthread")
else()
  if(iot_pc_static STREQUAL "")
    set(iot_pc_static "-liot_sdk ")
  endif()
  set(iot_pc_libs "${iot_pc_collect}${iot_pc_static}${iot_pc_tls}-lpthread")
  set(iot_pc_libs_private "")
endif()
configure_file(cmake/libiot_sdk.pc.in libiot_sdk.pc @ONLY)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/libiot_sdk.pc" DESTINATION "${iot_pkgconfig_dir}" COMPONENT dev)

if(IOT_BUILD_HUB)
  install(PROGRAMS "${IOT_BIN_DIR}/qcloud_iot_hub" DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT hub)
endif()
if(FEATURE_AUTH_MODE STREQUAL "CERT")
  set(iot_hub_auth certificate)
elseif(FEATURE_AUTH_WITH_NOTLS)
  set(iot_hub_auth password)
else()
  set(iot_hub_auth psk)
endif()
if(FEATURE_AUTH_WITH_NOTLS OR NOT FEATURE_OTA_USE_HTTPS)
  set(iot_hub_scheme http)
else()
  set(iot_hub_scheme https)
endif()

set(iot_install_libdir "${CMAKE_INSTALL_LIBDIR}")
set(iot_install_includedir "${CMAKE_INSTALL_INCLUDEDIR}")
set(iot_install_bindir "${CMAKE_INSTALL_BINDIR}")
configure_package_config_file(cmake/QCloudIoTConfig.cmake.in QCloudIoTConfig.cmake
  INSTALL_DESTINATION "${iot_package_dir}"
  PATH_VARS iot_install_libdir iot_install_includedir iot_install_bindir
  NO_CHECK_REQUIRED_COMPONENTS_MACRO)
# A program for 3.1 or 3.2 takes 3.2, one for 3.3 nothing else.
if(IOT_ABI STREQUAL "3.2")
  set(iot_compatibility SameMajorVersion)
else()
  set(iot_compatibility SameMinorVersion)
endif()
write_basic_package_version_file(QCloudIoTConfigVersion.cmake VERSION "${IOT_VERSION}" COMPATIBILITY ${iot_compatibility})
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/QCloudIoTConfig.cmake"
              "${CMAKE_CURRENT_BINARY_DIR}/QCloudIoTConfigVersion.cmake"
              cmake/QCloudIoTOtaTest.cmake
        DESTINATION "${iot_package_dir}" COMPONENT dev)

# iot_install_bill(NAME PACKAGE COMPONENT): what is linked and the licences, in the folder where Debian looks for them.
function(iot_install_bill NAME PACKAGE COMPONENT)
  if(Python3_Interpreter_FOUND)
    set(folder "${CMAKE_INSTALL_DATADIR}/doc/${PACKAGE}")
    install(FILES "${IOT_DOC_DIR}/${NAME}.cdx.json" DESTINATION "${folder}" COMPONENT ${COMPONENT})
    install(FILES "${IOT_DOC_DIR}/${NAME}.copyright" DESTINATION "${folder}" COMPONENT ${COMPONENT} RENAME copyright)
  endif()
endfunction()

iot_install_bill(libiot_sdk libiot-sdk-dev dev)
if(IOT_BUILD_SHARED)
  iot_install_bill(libiot_sdk libiot-sdk${iot_major} shared)
endif()
if(IOT_BUILD_HUB)
  iot_install_bill(qcloud_iot_hub qcloud-iot-hub hub)
endif()
