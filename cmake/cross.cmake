# What the cross builds share: cmocka, libmnl and their .pc files lie in a root of their own, filled by
# tools/foreign-root (Debian's packages of that architecture, unpacked, nothing installed).
set(CMAKE_SYSTEM_NAME Linux)
set(foreign_root ${CMAKE_CURRENT_LIST_DIR}/../build/foreign/${CMAKE_SYSTEM_PROCESSOR})
get_filename_component(foreign_root ${foreign_root} ABSOLUTE)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${foreign_root})
set(ENV{PKG_CONFIG_LIBDIR} ${foreign_root}/usr/lib/${foreign_triplet}/pkgconfig)
set(CMAKE_EXE_LINKER_FLAGS_INIT "-Wl,-rpath,${foreign_root}/usr/lib/${foreign_triplet}")
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
