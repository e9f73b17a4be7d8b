# Fuzz targets: each test/fuzz/fuzz_*.c, with libFuzzer (clang only). `make fuzz` runs them for a
# time with coverage of the core; the clang-asan build runs each briefly as a test.

function(hf_fuzz_targets names)
    set(folder ${PROJECT_SOURCE_DIR}/test/fuzz)
    file(GLOB sources CONFIGURE_DEPENDS ${folder}/fuzz_*.c)
    pkg_check_modules(LWIP QUIET lwip)
    if(NOT LWIP_FOUND)
        list(REMOVE_ITEM sources ${folder}/fuzz_lwip.c)
        message(STATUS "lwip is not here (apt install liblwip-dev): left out test/fuzz/fuzz_lwip.c")
    endif()
    # Its own edges are nobody's business.
    add_library(fuzz_bench STATIC ${folder}/bench.c ${folder}/policy.c)
    target_include_directories(fuzz_bench PUBLIC ${PROJECT_SOURCE_DIR}/src)
    target_include_directories(fuzz_bench PRIVATE ${PROJECT_SOURCE_DIR})
    target_link_libraries(fuzz_bench PUBLIC handfast_static)
    set(found "")
    foreach(source IN LISTS sources)
        get_filename_component(name ${source} NAME_WE)
        add_executable(${name} ${source})
        set_target_properties(${name} PROPERTIES
            RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/fuzz)
        # libFuzzer calls the target by a name it declares itself.
        target_compile_options(${name} PRIVATE -fsanitize=fuzzer
            -fno-sanitize-coverage=trace-cmp -Wno-missing-prototypes)
        target_link_options(${name} PRIVATE -fsanitize=fuzzer)
        target_link_libraries(${name} PRIVATE fuzz_bench)
        list(APPEND found ${name})
    endforeach()
    add_library(fuzz_steps OBJECT ${folder}/steps.c)
    target_link_libraries(fuzz_steps PUBLIC fuzz_bench)
    foreach(name fuzz_calls fuzz_input fuzz_segments) # their inputs are lists of steps
        target_link_libraries(${name} PRIVATE fuzz_steps)
    endforeach()
    target_sources(fuzz_input PRIVATE ${folder}/input_steps.c)
    if(LWIP_FOUND)
        target_sources(fuzz_lwip PRIVATE ${folder}/lwip_ends.c ${folder}/lwip_opening.c
            ${folder}/lwip_pair.c ${folder}/lwip_side.c)
        target_include_directories(fuzz_lwip SYSTEM PRIVATE ${LWIP_INCLUDE_DIRS})
    endif()
    set(${names} "${found}" PARENT_SCOPE)
endfunction()
