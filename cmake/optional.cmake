# Optional libraries. A library is looked up only when a source file includes its header. Where it
# is absent, the files that need it are left out and one configure line says so; where it is there,
# HF_WITH_<NAME> is defined for everybody and it is linked.
#
#   hf_optional(NAME pkg-config-module header-regex debian-package LIST...)
#
# drops unusable files from each variable LIST and appends to HF_LIBRARIES and HF_PRIVATE_LIBS.

find_package(PkgConfig REQUIRED)
set(HF_LIBRARIES "")
set(HF_PRIVATE_LIBS "-pthread")

macro(hf_optional name module header package)
    set(users "")
    foreach(list IN ITEMS ${ARGN})
        foreach(file IN LISTS ${list})
            file(STRINGS ${file} includes REGEX "^#include <${header}")
            if(includes)
                list(APPEND users ${file})
            endif()
        endforeach()
    endforeach()
    if(users)
        pkg_check_modules(${name} QUIET IMPORTED_TARGET ${module})
        if(${name}_FOUND)
            list(APPEND HF_LIBRARIES PkgConfig::${name})
            list(TRANSFORM ${name}_LIBRARIES PREPEND " -l" OUTPUT_VARIABLE flags)
            string(APPEND HF_PRIVATE_LIBS ${flags})
            add_compile_definitions(HF_WITH_${name})
        else()
            foreach(file IN LISTS users)
                file(RELATIVE_PATH shown ${PROJECT_SOURCE_DIR} ${file})
                message(STATUS "${module} is not here (apt install ${package}): left out ${shown}")
            endforeach()
            foreach(list IN ITEMS ${ARGN})
                list(REMOVE_ITEM ${list} ${users})
            endforeach()
        endif()
    endif()
endmacro()
