# The C++ compiler, for the C++ example and for tests: IOT_HAS_CXX says whether there is one. The library needs none, and
# many cross compilers come without. Runs after project().

include(CheckLanguage)
# None was found last time. One may have been installed since.
if(DEFINED CACHE{CMAKE_CXX_COMPILER} AND NOT CMAKE_CXX_COMPILER)
  unset(CMAKE_CXX_COMPILER CACHE)
endif()
if(NOT DEFINED CMAKE_CXX_COMPILER)
  if(IOT_CXX)
    set(iot_env_cxx "$ENV{CXX}")
    set(ENV{CXX} "${IOT_CXX}")
  endif()
  check_language(CXX)
  if(IOT_CXX)
    set(ENV{CXX} "${iot_env_cxx}")
  endif()
endif()
if(CMAKE_CXX_COMPILER)
  enable_language(CXX)
  set(IOT_HAS_CXX ON)
else()
  set(IOT_HAS_CXX OFF)
  message(STATUS "There is no C++ compiler ${IOT_CXX} that works beside ${CMAKE_C_COMPILER}: the C++ example and the "
                 "tests in C++ are left out, all else is built.")
endif()
