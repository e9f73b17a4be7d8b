# Installation, pkg-config file and a Debian package through cpack.

# Relative to where it lies, so that `cmake --install --prefix` may choose another place.
file(RELATIVE_PATH HF_PC_TO_PREFIX
    /p/${CMAKE_INSTALL_LIBDIR}/pkgconfig /p)
configure_file(cmake/handfast.pc.in handfast.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/handfast.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(DIRECTORY include/handfast DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
    FILES_MATCHING PATTERN "*.h")
install(TARGETS handfast_static ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(HF_LTO) # what only this very compiler can read stays here
    install(CODE "execute_process(COMMAND ${CMAKE_OBJCOPY} --wildcard --remove-section=.gnu.lto_*
        --remove-section=.gnu.debuglto_* --strip-symbol=__gnu_lto_*
        \$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_LIBDIR}/libhandfast.a
        COMMAND_ERROR_IS_FATAL ANY)")
endif()
if(TARGET handfast_shared)
    install(TARGETS handfast_shared LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()
if(TARGET handfast)
    install(TARGETS handfast RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
foreach(section IN ITEMS 1 3 5 7)
    file(GLOB pages CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/doc/man/*.${section})
    if(pages)
        install(FILES ${pages} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
    endif()
endforeach()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_CONTACT "Handfast contributors")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_STRIP_FILES ON)
include(CPack)
