# Compiler flags: language, warnings as errors, hardening of shipped builds, sanitizers.
#
# HF_SANITIZE names what the compiler shall instrument ("address,undefined", "thread",
# "fuzzer-no-link,..."); it and HF_PURITY both switch hardening off: the first brings its own
# checks, the second must see the bare calls of the core.

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_C_FLAGS_RELEASE "-O2 -g" CACHE STRING "Release flags: NDEBUG stays off" FORCE)
set(CMAKE_C_FLAGS_DEBUG "-O1 -g3 -fno-omit-frame-pointer" CACHE STRING "Debug flags" FORCE)

include(CheckPIESupported)
check_pie_supported(LANGUAGES C)

# _GNU_SOURCE is for the rooms that make system calls; the core calls nothing, so it costs nothing.
add_compile_definitions(_GNU_SOURCE HF_VERSION="${PROJECT_VERSION}")
if(HF_ASSERTIONS)
    add_compile_definitions(HF_ASSERTIONS)
endif()

add_compile_options(
    -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wcast-qual
    -Wwrite-strings -Wundef -Wvla -Wformat=2 -Wimplicit-fallthrough -fno-common)
if(HF_WERROR)
    add_compile_options(-Werror)
endif()
# The library's functions call each other, not whatever a program has put in their place.
add_compile_options(-fno-semantic-interposition)
# A path of the building machine must not reach the shipped files.
add_compile_options(-ffile-prefix-map=${PROJECT_SOURCE_DIR}/=)

if(HF_SANITIZE)
    add_compile_options(-fsanitize=${HF_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${HF_SANITIZE})
elseif(HF_PURITY)
    add_compile_options(-fno-stack-protector -U_FORTIFY_SOURCE)
else()
    add_compile_options(-fstack-protector-strong -fstack-clash-protection)
    if(CMAKE_BUILD_TYPE STREQUAL "Release")
        add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
    endif()
    add_link_options(-Wl,-z,relro,-z,now,-z,noexecstack)
endif()
