# Stacks that lack one rule, for `handfast why`: explore/without/RULE.patch changes one file of the
# core in the build tree; a program of the explorer is linked with it instead of the core's own.

file(GLOB without_patches CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/explore/without/*.patch)
find_program(PATCH patch)
foreach(patch IN LISTS without_patches)
    get_filename_component(rule ${patch} NAME_WE)
    file(STRINGS ${patch} changed REGEX "^[+][+][+] b/")
    string(REGEX REPLACE "^[+][+][+] b/" "" changed "${changed}")
    set(tree ${PROJECT_BINARY_DIR}/without/${rule}.tree)
    if(NOT PATCH)
        message(STATUS "patch is not here (apt install patch): left out `handfast why ${rule}`")
        continue()
    endif()
    add_custom_command(OUTPUT ${tree}/${changed}
        COMMAND ${CMAKE_COMMAND} -E copy ${PROJECT_SOURCE_DIR}/${changed} ${tree}/${changed}
        COMMAND ${PATCH} -s -p1 -d ${tree} -i ${patch}
        DEPENDS ${PROJECT_SOURCE_DIR}/${changed} ${patch} VERBATIM)
    set_property(GLOBAL PROPERTY HF_WITHOUT_${rule} ${tree}/${changed})
    add_executable(without-${rule} ${tree}/${changed} ${PROJECT_SOURCE_DIR}/explore/without/main.c)
    set_target_properties(without-${rule} PROPERTIES
        OUTPUT_NAME ${rule} RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/without)
    target_include_directories(without-${rule} PRIVATE ${PROJECT_SOURCE_DIR}/src)
    target_link_libraries(without-${rule} PRIVATE explore handfast_static)
    install(TARGETS without-${rule} DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/handfast/without)
    if(TARGET handfast)
        add_dependencies(handfast without-${rule})
    endif()
endforeach()
