# The build options: defaults, allowed values, combinations. Runs before project().

set(IOT_OPTIONS "")

# Declares option NAME. A -DNAME=... on the command line wins. The default never enters the cache, so that editing
# it in CMakeLists.txt takes effect in an existing build folder.
macro(iot_option NAME DEFAULT)
  list(APPEND IOT_OPTIONS ${NAME})
  if(NOT DEFINED CACHE{${NAME}})
    set(${NAME} "${DEFAULT}")
  endif()
endmacro()

# Maps the ways to say yes and no to ON and OFF; stops at anything else.
macro(iot_check_switch NAME)
  string(TOUPPER "${${NAME}}" iot_value)
  if(iot_value MATCHES "^(ON|YES|TRUE|Y|1)$")
    set(${NAME} ON)
  elseif(iot_value MATCHES "^(OFF|NO|FALSE|N|0)$")
    set(${NAME} OFF)
  else()
    message(FATAL_ERROR "${NAME} is \"${${NAME}}\": set it to ON or OFF.")
  endif()
endmacro()

# Stops when NAME is none of the values that follow.
macro(iot_check_choice NAME)
  if(NOT "${${NAME}}" IN_LIST iot_choices_${NAME})
    string(REPLACE ";" " or " iot_allowed "${iot_choices_${NAME}}")
    message(FATAL_ERROR "${NAME} is \"${${NAME}}\": set it to ${iot_allowed}.")
  endif()
endmacro()

# Stops at FEATURE_ names nobody reads: a misspelt option would otherwise be ignored.
function(iot_refuse_unknown_options)
  get_cmake_property(cached CACHE_VARIABLES)
  foreach(name IN LISTS cached)
    if(name MATCHES "^FEATURE_" AND NOT name IN_LIST IOT_OPTIONS)
      set(known ${IOT_OPTIONS})
      list(FILTER known INCLUDE REGEX "^FEATURE_")
      string(REPLACE ";" " " known "${known}")
      # Otherwise the wrong name would stay in the build folder and stop the corrected call as well.
      unset(${name} CACHE)
      message(FATAL_ERROR "${name} is not an option of this library. It has: ${known}.")
    endif()
  endforeach()
endfunction()

# Checks every option alone and in combination, and normalises switches to ON or OFF.
macro(iot_check_options)
  iot_refuse_unknown_options()

  set(iot_choices_BUILD_TYPE release debug)
  set(iot_choices_IOT_ABI 3.2 3.3)
  set(iot_choices_PLATFORM linux none)
  set(iot_choices_FEATURE_OTA_SIGNAL_CHANNEL MQTT COAP)
  set(iot_choices_FEATURE_AUTH_MODE KEY CERT)
  set(iot_choices_FEATURE_TLS rustls mbedtls system)
  set(iot_choices_FEATURE_PANIC unwind abort)
  iot_check_choice(BUILD_TYPE)
  iot_check_choice(IOT_ABI)
  iot_check_choice(PLATFORM)
  iot_check_choice(FEATURE_AUTH_MODE)
  iot_check_choice(FEATURE_TLS)
  iot_check_choice(FEATURE_PANIC)
  iot_check_choice(FEATURE_OTA_SIGNAL_CHANNEL)
  foreach(name IN ITEMS IOT_BUILD_SHARED IOT_BUILD_HUB FEATURE_MQTT_COMM_ENABLED FEATURE_OTA_COMM_ENABLED FEATURE_AUTH_WITH_NOTLS
                        FEATURE_OTA_USE_HTTPS FEATURE_MULTITHREAD_ENABLED FEATURE_DEV_DYN_REG_ENABLED
                        FEATURE_BROADCAST_ENABLED FEATURE_COAP_COMM_ENABLED FEATURE_GATEWAY_ENABLED FEATURE_DEBUG_DEV_INFO_USED
                        FEATURE_LOG_UPLOAD_ENABLED FEATURE_MQTT_DEVICE_SHADOW FEATURE_REMOTE_CONFIG_MQTT_ENABLED FEATURE_RRPC_ENABLED
                        FEATURE_RESOURCE_COMM_ENABLED FEATURE_RESOURCE_USE_HTTPS FEATURE_REMOTE_LOGIN_WEBSOCKET_SSH
                        FEATURE_RUNTIME_OVERRIDES FEATURE_UPGRADE FEATURE_UPGRADE_SIGNATURES
                        FEATURE_WEBSOCKET_MQTT FEATURE_WEBSOCKET_VERIFY_SERVER)
    iot_check_switch(${name})
  endforeach()

  if(FEATURE_AUTH_MODE STREQUAL "CERT" AND FEATURE_AUTH_WITH_NOTLS)
    message(FATAL_ERROR "FEATURE_AUTH_MODE CERT needs TLS, FEATURE_AUTH_WITH_NOTLS ON switches it off. "
                        "Set FEATURE_AUTH_WITH_NOTLS to OFF, or FEATURE_AUTH_MODE to KEY.")
  endif()
  if(FEATURE_WEBSOCKET_MQTT AND NOT IOT_ABI STREQUAL "3.3")
    message(FATAL_ERROR "FEATURE_WEBSOCKET_MQTT ON is an option of the interface of 3.3.0. "
                        "Set IOT_ABI to 3.3, or FEATURE_WEBSOCKET_MQTT to OFF.")
  endif()
  if(NOT FEATURE_WEBSOCKET_VERIFY_SERVER AND NOT (FEATURE_WEBSOCKET_MQTT AND FEATURE_AUTH_MODE STREQUAL "CERT"))
    message(FATAL_ERROR "FEATURE_WEBSOCKET_VERIFY_SERVER OFF is for FEATURE_WEBSOCKET_MQTT ON with FEATURE_AUTH_MODE CERT: servers "
                        "are verified elsewhere, whatever it says. Set it to ON, or both of the others.")
  endif()
  if(NOT FEATURE_MQTT_COMM_ENABLED)
    message(FATAL_ERROR "FEATURE_MQTT_COMM_ENABLED is OFF: the MQTT client is always part of this library, and programs "
                        "that call nothing of it don't carry it. Set FEATURE_MQTT_COMM_ENABLED to ON.")
  endif()
  if(FEATURE_OTA_COMM_ENABLED AND FEATURE_OTA_SIGNAL_CHANNEL STREQUAL "COAP")
    set(FEATURE_COAP_COMM_ENABLED ON)
  endif()
  if(FEATURE_DEBUG_DEV_INFO_USED AND PLATFORM STREQUAL "none")
    message(FATAL_ERROR "FEATURE_DEBUG_DEV_INFO_USED ON compiles the identity into the default platform, PLATFORM none "
                        "builds no platform. Set FEATURE_DEBUG_DEV_INFO_USED to OFF, or PLATFORM to linux.")
  endif()
  if(FEATURE_AUTH_WITH_NOTLS AND FEATURE_OTA_COMM_ENABLED AND FEATURE_OTA_USE_HTTPS)
    message(STATUS "FEATURE_AUTH_WITH_NOTLS ON leaves TLS out: firmware at https:// addresses will be refused, "
                   "whatever FEATURE_OTA_USE_HTTPS says.")
  endif()

  if(PLATFORM STREQUAL "linux")
    set(IOT_HAS_PLATFORM ON)
  else()
    set(IOT_HAS_PLATFORM OFF)
    message(STATUS "PLATFORM none: no libiot_platform.a and no examples; the firmware defines every HAL_* itself.")
  endif()
  if(OUTPUT_DIR STREQUAL "")
    set(OUTPUT_DIR "${CMAKE_CURRENT_SOURCE_DIR}/output/${BUILD_TYPE}")
  else()
    get_filename_component(OUTPUT_DIR "${OUTPUT_DIR}" ABSOLUTE BASE_DIR "${CMAKE_CURRENT_BINARY_DIR}")
  endif()
endmacro()
