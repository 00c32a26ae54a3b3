# SPDX-License-Identifier: Apache-2.0
# Toolchain of the preset arm64: Debian's cross compiler and the headers and libraries that tools/arm64_sysroot unpacks.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
get_filename_component(WEDR_SYSROOT "${CMAKE_CURRENT_LIST_DIR}/../build/arm64-sysroot" ABSOLUTE)
set(CMAKE_SYSROOT ${WEDR_SYSROOT})
set(CMAKE_FIND_ROOT_PATH ${WEDR_SYSROOT})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
# pkg-config looks there and nowhere else.
set(ENV{PKG_CONFIG_DIR} "")
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${WEDR_SYSROOT})
set(ENV{PKG_CONFIG_LIBDIR} ${WEDR_SYSROOT}/usr/lib/aarch64-linux-gnu/pkgconfig:${WEDR_SYSROOT}/usr/share/pkgconfig)
# Tests of the build machine's kind run under qemu-user where it is installed.
find_program(WEDR_QEMU_AARCH64 NAMES qemu-aarch64-static qemu-aarch64)
if(WEDR_QEMU_AARCH64)
  set(CMAKE_CROSSCOMPILING_EMULATOR ${WEDR_QEMU_AARCH64} -L ${WEDR_SYSROOT})
endif()
