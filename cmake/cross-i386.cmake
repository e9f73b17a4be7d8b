# 32 bit, little endian; the programs run under qemu-user.
set(CMAKE_SYSTEM_PROCESSOR i386)
set(CMAKE_C_COMPILER i686-linux-gnu-gcc)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-i386 -L /usr/i686-linux-gnu)
set(foreign_triplet i386-linux-gnu)
include(${CMAKE_CURRENT_LIST_DIR}/cross.cmake)
