# qcloud_iot_add_ota_test: one CTest test that upgrades a firmware's program, with the hub as the cloud.
#
#   qcloud_iot_add_ota_test(
#     NAME <test>               its name; label `ota`
#     TARGET <executable>       the device's program, started in an empty folder that holds its device_info.json
#     [ARGS <argument>...]      {from_version}, {version}, {device_info}, {endpoint}, ... are put in
#     [DEVICE_INFO_ARG <-c>]    an option that takes the path of device_info.json, put before ARGS
#     [FAULT <rule>...]         what goes wrong (`qcloud_iot_hub faults` lists the rules; quoted, since # begins a comment);
#                               each must have happened
#     [EXPECT done|fail|fail=CODE|version]     default: done
#     [FROM_VERSION <version>]  what the program runs, default: 1.0.0
#     [VERSION <version>]       what it is upgraded to, default: 2.0.0
#     [FIRMWARE <file> | SIZE <bytes>]         default: 1000000 random bytes
#     [COMPARE <file>]          what the program made of the firmware, in its folder; must be the same
#     [FAILURES <count>]        so many failed attempts before it are no failure of the test, default: 0
#     [KILL_AT <percent>]       the program is killed so far into the download, and started again
#     [RESTART]                 a program that ends by itself is started again
#     [AUTH psk|password|certificate]          default: what the installed library was built for
#     [SCHEME http|https]       the firmware's URL, default: https where the library was built with TLS
#     [TIMEOUT <seconds>]       default: 60
#     [HUB_ARGS <argument>...]  more for `qcloud_iot_hub run`
#   )
#
# The hub is the installed qcloud_iot_hub, or what -DQCLOUD_IOT_HUB=<path> says.

function(qcloud_iot_add_ota_test)
  set(single NAME TARGET DEVICE_INFO_ARG EXPECT FROM_VERSION VERSION FIRMWARE SIZE COMPARE FAILURES KILL_AT AUTH SCHEME
             TIMEOUT)
  cmake_parse_arguments(PARSE_ARGV 0 ota "RESTART" "${single}" "ARGS;FAULT;HUB_ARGS")
  set(problem "")
  if(ota_UNPARSED_ARGUMENTS)
    set(problem "it has no use for \"${ota_UNPARSED_ARGUMENTS}\"")
  elseif(ota_KEYWORDS_MISSING_VALUES)
    set(problem "a value is missing after ${ota_KEYWORDS_MISSING_VALUES}")
  elseif(NOT ota_NAME OR NOT ota_TARGET)
    set(problem "NAME and TARGET are needed")
  elseif(NOT TARGET "${ota_TARGET}")
    set(problem "TARGET ${ota_TARGET} is not a target")
  elseif(DEFINED ota_FIRMWARE AND DEFINED ota_SIZE)
    set(problem "give FIRMWARE or SIZE, not both")
  elseif(NOT QCLOUD_IOT_HUB)
    set(problem "the hub is missing. Build the library with -DIOT_BUILD_HUB=ON and install it again, or pass \
-DQCLOUD_IOT_HUB=<path of the hub program>")
  elseif(NOT EXISTS "${QCLOUD_IOT_HUB}" OR NOT IS_ABSOLUTE "${QCLOUD_IOT_HUB}")
    set(problem "QCLOUD_IOT_HUB is \"${QCLOUD_IOT_HUB}\", which is not the full path of a program")
  endif()
  if(problem)
    message(FATAL_ERROR "qcloud_iot_add_ota_test(NAME ${ota_NAME}): ${problem}.")
  endif()

  foreach(default IN ITEMS EXPECT=done FROM_VERSION=1.0.0 VERSION=2.0.0 TIMEOUT=60 "AUTH=${QCloudIoT_AUTH}"
                           "SCHEME=${QCloudIoT_SCHEME}")
    string(REGEX MATCH "^[^=]+" name "${default}")
    if(NOT DEFINED ota_${name})
      string(REGEX REPLACE "^[^=]+=" "" ota_${name} "${default}")
    endif()
  endforeach()
  if(NOT ota_TIMEOUT MATCHES "^[1-9][0-9]*$")
    message(FATAL_ERROR "qcloud_iot_add_ota_test(NAME ${ota_NAME}): TIMEOUT is \"${ota_TIMEOUT}\", not a number of seconds.")
  endif()

  set(hub "${QCLOUD_IOT_HUB}" run --once --version "${ota_VERSION}" --from-version "${ota_FROM_VERSION}"
          --expect "${ota_EXPECT}" --timeout "${ota_TIMEOUT}" --auth "${ota_AUTH}" --scheme "${ota_SCHEME}")
  if(DEFINED ota_FIRMWARE)
    get_filename_component(firmware "${ota_FIRMWARE}" ABSOLUTE)
    list(APPEND hub --firmware "${firmware}")
  elseif(DEFINED ota_SIZE)
    list(APPEND hub --size "${ota_SIZE}")
  else()
    list(APPEND hub --size 1000000)
  endif()
  foreach(rule IN LISTS ota_FAULT)
    list(APPEND hub --fault "${rule}")
  endforeach()
  foreach(name IN ITEMS COMPARE FAILURES KILL_AT)
    if(DEFINED ota_${name})
      string(TOLOWER "--${name}" option)
      string(REPLACE "_" "-" option "${option}")
      list(APPEND hub ${option} "${ota_${name}}")
    endif()
  endforeach()
  if(ota_RESTART)
    list(APPEND hub --restart)
  endif()
  list(APPEND hub ${ota_HUB_ARGS})
  set(program "$<TARGET_FILE:${ota_TARGET}>")
  # A program of another machine's: CMake knows what runs it here.
  get_target_property(emulator "${ota_TARGET}" CROSSCOMPILING_EMULATOR)
  if(emulator)
    set(program ${emulator} "${program}")
  endif()
  if(ota_DEVICE_INFO_ARG)
    list(APPEND program "${ota_DEVICE_INFO_ARG}" "{device_info}")
  endif()
  add_test(NAME "${ota_NAME}" COMMAND ${hub} -- ${program} ${ota_ARGS})
  # The hub ends by itself, with a word on why; this is for a hub that hangs.
  math(EXPR limit "${ota_TIMEOUT} + 30")
  set_tests_properties("${ota_NAME}" PROPERTIES LABELS ota TIMEOUT "${limit}")
endfunction()
