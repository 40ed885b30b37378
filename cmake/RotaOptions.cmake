# How everything is compiled: language, warnings, visibility, sanitizers. The presets set the options.

option(ROTA_WERROR "Treat warnings as errors (CI does)" OFF)
option(ROTA_FUZZ "Build the fuzz targets with libFuzzer (needs clang) instead of as replays of their corpora" OFF)
option(ROTA_COVERAGE "Count executed lines with gcov" OFF)
option(ROTA_LINK_OPENSSL "Link OpenSSL instead of loading it when TLS is first asked for (for programs linked with -static)" OFF)
set(ROTA_SANITIZE "" CACHE STRING "Sanitizers for everything built, as in -fsanitize=: address,undefined or thread")

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Debug, Release, RelWithDebInfo or MinSizeRel" FORCE)
endif()

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_COMPILE_WARNING_AS_ERROR ${ROTA_WERROR})

# -O3 is for the files where it tells (HOT in a folder's CMakeLists.txt): elsewhere it costs a program more bytes than it saves it time.
string(REPLACE "-O3" "-O2" CMAKE_C_FLAGS_RELEASE "${CMAKE_C_FLAGS_RELEASE}")
# So that a program that links librota.a takes from it what it can reach, and no more.
add_compile_options(-ffunction-sections -fdata-sections)

# What assertions say does not depend on where this was built.
add_compile_options(-fmacro-prefix-map=${PROJECT_SOURCE_DIR}/=)

# C11 without extensions hides POSIX and the GNU calls (accept4, getline) that the headers offer on demand.
add_compile_definitions(_GNU_SOURCE)
add_compile_options(
    -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wvla -Wundef)

if(ROTA_LINK_OPENSSL)
    add_compile_definitions(ROTA_LINK_OPENSSL)
endif()
if(ROTA_SANITIZE)
    add_compile_options(-fsanitize=${ROTA_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${ROTA_SANITIZE})
endif()
if(ROTA_COVERAGE)
    add_compile_options(--coverage -fprofile-update=atomic)
    add_link_options(--coverage)
endif()
if(ROTA_FUZZ)
    if(NOT CMAKE_C_COMPILER_ID STREQUAL "Clang")
        message(FATAL_ERROR "ROTA_FUZZ needs clang (libFuzzer), but the compiler is ${CMAKE_C_COMPILER_ID}")
    endif()
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()
