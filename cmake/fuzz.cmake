# Fuzz targets: each test/fuzz/fuzz_*.c, with libFuzzer (clang only). `make fuzz` runs them for a
# time with coverage of the whole library; the clang-asan build runs each briefly as a test.

function(hf_fuzz_targets names)
    file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/test/fuzz/fuzz_*.c)
    set(found "")
    foreach(source IN LISTS sources)
        get_filename_component(name ${source} NAME_WE)
        add_executable(${name} ${source})
        set_target_properties(${name} PROPERTIES
            RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/fuzz)
        target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/src)
        # libFuzzer calls the target by a name it declares itself.
        target_compile_options(${name} PRIVATE -fsanitize=fuzzer -Wno-missing-prototypes)
        target_link_options(${name} PRIVATE -fsanitize=fuzzer)
        target_link_libraries(${name} PRIVATE handfast_static)
        list(APPEND found ${name})
    endforeach()
    set(${names} "${found}" PARENT_SCOPE)
endfunction()
