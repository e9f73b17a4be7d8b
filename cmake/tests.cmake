# Tests. Each test_*.c is one cmocka program, compiled with the helpers (other *.c) beside it
# and in test/common; the
# folder is the CTest label. test/system/*.sh and *.py are tests too. A test may ask for more in a
# comment within its first lines:
#
#   ctest: timeout=300      seconds it may take (60 without); three times as many in sanitizer
#                           builds and under qemu-user
#   ctest: serial           nothing else runs beside it
#   ctest: plain            not in sanitizer builds (too slow there, or watches memory itself)
#   ctest: native           not under qemu-user (starts processes, which it does not always survive)
#   ctest: own              with a stack of its own: nothing for tools/seeded, mutate, coverage
#   ctest: long             only in the build "long": `make test-all`, `make soak`
#
# The environment gives HF_SOURCE_DIR, HF_BUILD_DIR, HF_HANDFAST (the program), HF_EXAMPLES and
# HF_SANITIZE; in the build "long" also HF_LONG=1: more seeds, more bytes.

set(HF_TEST_PREFIX "" CACHE STRING "Put before each test's name, to tell builds apart")
option(HF_LONG_TESTS "The long tests too, and HF_LONG=1 for all" OFF)
option(HF_SYSTEM_TESTS "The tests with programs, devices and namespaces" ON)
set(test_folders unit tcp grid peers stack trace conformance sim explore attack)
if(CMAKE_CROSSCOMPILING)
    set(HF_SYSTEM_TESTS OFF) # qemu-user has neither namespaces nor TUN
    list(REMOVE_ITEM test_folders sim explore attack) # minutes of virtual floods; too slow there
endif()
if(HF_SYSTEM_TESTS)
    list(APPEND test_folders device host interop system packetdrill)
endif()

# Sets OUTCOME to what the test asks for, or to "no" when this build leaves it out.
function(hf_test_asks source outcome)
    file(STRINGS ${source} asked REGEX "ctest: " LIMIT_COUNT 4)
    if((asked MATCHES "ctest: .*plain" AND HF_SANITIZE) OR
       (asked MATCHES "ctest: .*native" AND CMAKE_CROSSCOMPILING) OR
       (asked MATCHES "ctest: .*long" AND NOT HF_LONG_TESTS))
        set(asked no)
    endif()
    set(${outcome} "${asked}" PARENT_SCOPE)
endfunction()

function(hf_test_settings test label asked)
    set(timeout 60)
    if(asked MATCHES "timeout=([0-9]+)")
        set(timeout ${CMAKE_MATCH_1})
    endif()
    if(HF_SANITIZE OR CMAKE_CROSSCOMPILING)
        math(EXPR timeout "${timeout} * 3")
    endif()
    set(work ${PROJECT_BINARY_DIR}/test/${label})
    file(MAKE_DIRECTORY ${work})
    set_tests_properties(${test} PROPERTIES LABELS ${label} TIMEOUT ${timeout}
        WORKING_DIRECTORY ${work} SKIP_RETURN_CODE 77
        ENVIRONMENT "HF_SOURCE_DIR=${PROJECT_SOURCE_DIR};HF_BUILD_DIR=${PROJECT_BINARY_DIR};\
HF_HANDFAST=${PROJECT_BINARY_DIR}/handfast;HF_EXAMPLES=${PROJECT_BINARY_DIR}/example;\
HF_SANITIZE=${HF_SANITIZE};$<$<BOOL:${HF_LONG_TESTS}>:HF_LONG=1;>ASAN_OPTIONS=detect_leaks=1:abort_on_error=0;\
UBSAN_OPTIONS=print_stacktrace=1;TSAN_OPTIONS=halt_on_error=1")
    if(asked MATCHES "serial")
        set_tests_properties(${test} PROPERTIES RUN_SERIAL ON)
    endif()
endfunction()

function(hf_c_tests folder)
    set(where ${PROJECT_SOURCE_DIR}/test/${folder})
    file(GLOB tests CONFIGURE_DEPENDS ${where}/test_*.c)
    file(GLOB helpers CONFIGURE_DEPENDS ${where}/*.c ${PROJECT_SOURCE_DIR}/test/common/*.c)
    list(FILTER helpers EXCLUDE REGEX "/test_[^/]*\\.c$")
    if(helpers AND tests)
        add_library(${folder}_helpers OBJECT ${helpers})
        target_include_directories(${folder}_helpers PRIVATE
            ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/test)
        target_link_libraries(${folder}_helpers PRIVATE PkgConfig::CMOCKA)
    endif()
    foreach(source IN LISTS tests)
        get_filename_component(name ${source} NAME_WE)
        set(target ${folder}_${name})
        add_executable(${target} ${source})
        if(helpers)
            target_sources(${target} PRIVATE $<TARGET_OBJECTS:${folder}_helpers>)
        endif()
        set_target_properties(${target} PROPERTIES
            OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/test/${folder})
        target_include_directories(${target} PRIVATE
            ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/test)
        # A test may include a .c file to try its other branch, hence without prototypes.
        target_compile_options(${target} PRIVATE -Wno-missing-prototypes)
        target_link_libraries(${target} PRIVATE handfast_static PkgConfig::CMOCKA m)
        set(test ${HF_TEST_PREFIX}${folder}.${name})
        hf_test_asks(${source} asked)
        if(NOT asked STREQUAL "no")
            add_test(NAME ${test} COMMAND ${target})
            hf_test_settings(${test} ${folder} "${asked}")
        endif()
    endforeach()
endfunction()

function(hf_script_tests folder)
    file(GLOB scripts CONFIGURE_DEPENDS
        ${PROJECT_SOURCE_DIR}/test/${folder}/*.sh ${PROJECT_SOURCE_DIR}/test/${folder}/*.py)
    foreach(script IN LISTS scripts)
        get_filename_component(name ${script} NAME_WE)
        if(name MATCHES "^(lib|common|helper)")
            continue()
        endif()
        set(test ${HF_TEST_PREFIX}${folder}.${name})
        hf_test_asks(${script} asked)
        if(NOT asked STREQUAL "no")
            add_test(NAME ${test}
                COMMAND ${PROJECT_SOURCE_DIR}/tools/run-script-test ${script})
            hf_test_settings(${test} ${folder} "${asked}")
        endif()
    endforeach()
endfunction()

pkg_check_modules(CMOCKA IMPORTED_TARGET cmocka)
if(CMOCKA_FOUND)
    foreach(folder IN LISTS test_folders)
        hf_c_tests(${folder})
    endforeach()
else()
    message(STATUS "cmocka is not here (apt install libcmocka-dev): left out the tests in C")
endif()
foreach(test IN ITEMS test_sim test_sim_shrink)
    if(TARGET sim_${test})
        target_link_libraries(sim_${test} PRIVATE sim)
    endif()
endforeach()
get_property(lacking GLOBAL PROPERTY HF_WITHOUT_sequence-check)
if(TARGET sim_test_sim_shrink AND lacking)
    target_sources(sim_test_sim_shrink PRIVATE ${lacking})
elseif(TARGET sim_test_sim_shrink)
    set_tests_properties(${HF_TEST_PREFIX}sim.test_sim_shrink PROPERTIES DISABLED TRUE)
endif()
foreach(test IN ITEMS test_explore test_side test_store)
    if(TARGET explore_${test})
        target_link_libraries(explore_${test} PRIVATE explore)
    endif()
endforeach()
foreach(test IN ITEMS test_growth test_record_octets)
    if(TARGET stack_${test})
        target_link_libraries(stack_${test} PRIVATE bench)
    endif()
endforeach()
if(TARGET packetdrill_test_adapter)
    add_dependencies(packetdrill_test_adapter packetdrill-adapter)
endif()
if(HF_SYSTEM_TESTS)
    hf_script_tests(system)
    hf_script_tests(interop)
endif()

if(NOT CMAKE_CROSSCOMPILING AND CMAKE_C_COMPILER_ID STREQUAL "Clang" AND HF_SANITIZE MATCHES address)
    hf_fuzz_targets(fuzzers)
    foreach(name IN LISTS fuzzers)
        set(test ${HF_TEST_PREFIX}fuzz.${name})
        file(GLOB inputs CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/test/fuzz/corpus/${name}/*)
        set(list ${PROJECT_BINARY_DIR}/fuzz/${name}.inputs) # a folder would get what is new
        list(JOIN inputs "," joined)
        file(WRITE ${list} "${joined}")
        add_test(NAME ${test}
            COMMAND ${name} -runs=5000 -seed=1 -timeout=10 -entropic=0 -seed_inputs=@${list}
                -error_exitcode=1) # libFuzzer's own, 77, is how a test says that it is skipped
        hf_test_settings(${test} fuzz "timeout=120")
        if(NOT name MATCHES "options|lwip") # those have no policy, or one of their own
            foreach(policy RANGE 1 6)
                add_test(NAME ${test}.policy${policy}
                    COMMAND ${name} -runs=1 -timeout=10 -seed_inputs=@${list} -error_exitcode=1)
                hf_test_settings(${test}.policy${policy} fuzz "timeout=120")
                set_property(TEST ${test}.policy${policy} APPEND PROPERTY
                    ENVIRONMENT HF_FUZZ_POLICY=${policy})
            endforeach()
        endif()
    endforeach()
endif()
