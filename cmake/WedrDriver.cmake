# SPDX-License-Identifier: Apache-2.0
# The Windows driver is built from the Linux presets by custom commands: clang and lld-link make the one that ships,
# mingw's gcc and ld a second one as a check. The compiler that CMake knows has no part in it.
#
# The commands run in the build folder and see the sources through the link `root` in it, so that no object holds a path
# of the machine: the same sources give the same .sys and the same .pdb wherever they lie.
find_program(WEDR_CLANG NAMES clang clang-14 REQUIRED)
find_program(WEDR_LLD_LINK NAMES lld-link lld-link-14 REQUIRED)
find_program(WEDR_MINGW_GCC NAMES x86_64-w64-mingw32-gcc-win32 x86_64-w64-mingw32-gcc REQUIRED)
find_program(WEDR_OSSLSIGNCODE NAMES osslsigncode REQUIRED)
find_path(WEDR_DDK NAMES ntifs.h PATHS /usr/share/mingw-w64/include/ddk NO_DEFAULT_PATH REQUIRED)
find_file(WEDR_NTOSKRNL NAMES libntoskrnl.a PATHS /usr/x86_64-w64-mingw32/lib NO_DEFAULT_PATH REQUIRED)

set(WEDR_DRIVER_WARNINGS -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2
  -Wimplicit-fallthrough -Wframe-larger-than=1024 -Werror)
set(WEDR_DRIVER_INCLUDES -isystem ${WEDR_DDK} -Iroot/lib -Iroot/lib/wire/include -Iroot/endpoint/driver/src)
# Unwind data for every function (clang leaves out those without a frame, so each has one), frames that need no probe of
# the stack, no code of a C library but what NT exports.
set(WEDR_DRIVER_FLAGS -std=c11 -O2 -ffreestanding -fno-builtin -fno-ident -fno-common -fno-strict-aliasing
  -fasynchronous-unwind-tables -fno-omit-frame-pointer -fstack-protector-strong -mno-red-zone -mno-stack-arg-probe
  -D_WIN32_WINNT=0x0A00 -DNTDDI_VERSION=0x0A000000)
set(WEDR_DRIVER_CLANG_FLAGS --target=x86_64-w64-windows-gnu -g -gcodeview -fno-color-diagnostics -ffile-compilation-dir=.
  -ffile-prefix-map=root/=)
set(WEDR_DRIVER_GCC_FLAGS -mno-mmx -mno-80387)
# The compiler's command line is part of the debug information: the cache must not add flags of its own to it.
set(WEDR_DRIVER_LAUNCHER "")
if(CMAKE_C_COMPILER_LAUNCHER)
  set(WEDR_DRIVER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_COMPILERTYPE=other ${CMAKE_C_COMPILER_LAUNCHER})
endif()

# wedr_driver(NAME SOURCES x.c ... SEH x.c ... ENTRY x.c INF file IMPORTS file)
#   SOURCES: paths from the root of the project. SEH: those of them with __try, by clang in every build. ENTRY: stack
#   guard and entry point. Makes in <build>/driver:
#     NAME.sys NAME.pdb           clang and lld; the one that ships
#     checked/NAME.sys .pdb       the same with WEDR_DRIVER_CHECKED=1
#     gcc/NAME.gcc.sys            by gcc and GNU ld: a second opinion, not shipped
#     signed/NAME.{sys,pdb,inf,cat} and test-ca.cer, signed by the throw-away test CA in test-ca/
#   Every .sys passes tools/pe_gate or is not made.
function(wedr_driver name)
  cmake_parse_arguments(A "" "ENTRY;INF;IMPORTS" "SOURCES;SEH" ${ARGN})
  set(out ${CMAKE_BINARY_DIR}/driver)
  file(MAKE_DIRECTORY ${out}/checked ${out}/gcc ${out}/signed)
  file(CREATE_LINK ${CMAKE_SOURCE_DIR} ${CMAKE_CURRENT_BINARY_DIR}/root SYMBOLIC)
  set(gate ${CMAKE_SOURCE_DIR}/tools/pe_gate --imports ${A_IMPORTS}
    --forbid ${CMAKE_SOURCE_DIR} --forbid ${CMAKE_BINARY_DIR})
  set(gate_files ${CMAKE_SOURCE_DIR}/tools/pe_gate ${CMAKE_SOURCE_DIR}/tools/pe_checksum
    ${CMAKE_SOURCE_DIR}/tools/pe_image.py ${A_IMPORTS})

  foreach(variant shipped checked gcc)
    _wedr_driver_objects(${variant} objects "${A_SOURCES};${A_ENTRY}" "${A_SEH}")
    set(sys_shipped ${out}/${name}.sys)
    set(sys_checked ${out}/checked/${name}.sys)
    set(sys_gcc ${out}/gcc/${name}.gcc.sys)
    set(sys ${sys_${variant}})
    if(variant STREQUAL gcc)
      set(link ${WEDR_MINGW_GCC} -s -nostdlib -nostartfiles -Wl,--subsystem,native:10.0 -Wl,--major-os-version,10
        -Wl,--minor-os-version,0 -Wl,--entry,GsDriverEntry -Wl,--image-base,0x140000000 -Wl,--dynamicbase
        -Wl,--high-entropy-va -Wl,--nxcompat -Wl,--forceinteg -Wl,--disable-auto-import
        -Wl,--disable-runtime-pseudo-reloc -Wl,--section-alignment,4096 -Wl,--file-alignment,512
        -Wl,--no-insert-timestamp -Wl,--exclude-all-symbols -o ${sys} ${objects} ${WEDR_NTOSKRNL})
      set(products ${sys})
    else()
      # The names inside the .pdb are relative to a root that exists on no machine. Nothing is left out of the image:
      # with sections per function, lld drops the unwind data with what it thinks unused.
      set(link ${WEDR_LLD_LINK} /nologo /driver /integritycheck /subsystem:native,10.0 /osversion:10.0
        /entry:GsDriverEntry /nodefaultlib /base:0x140000000 /tsaware:no /opt:noref /opt:noicf /Brepro
        /debug /pdb:${variant}/${name}.pdb /pdbaltpath:${name}.pdb /pdbsourcepath:C:\\${name}
        /out:${variant}/${name}.sys ${objects} ${WEDR_NTOSKRNL})
      get_filename_component(folder ${sys} DIRECTORY)
      set(products ${sys} ${folder}/${name}.pdb)
      list(APPEND link COMMAND ${CMAKE_COMMAND} -E copy ${variant}/${name}.pdb ${folder}/${name}.pdb
        COMMAND ${CMAKE_SOURCE_DIR}/tools/pe_checksum ${variant}/${name}.sys
        COMMAND ${CMAKE_COMMAND} -E copy ${variant}/${name}.sys ${sys})
    endif()
    add_custom_command(OUTPUT ${products}
      COMMAND ${link}
      COMMAND ${gate} ${sys}
      DEPENDS ${objects} ${gate_files} WORKING_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}
      COMMENT "Driver ${variant}" VERBATIM)
    list(APPEND all ${products})
  endforeach()

  set(signed ${out}/signed)
  set(sign ${CMAKE_SOURCE_DIR}/tools/sign_driver)
  add_custom_command(OUTPUT ${signed}/${name}.sys ${signed}/${name}.cat ${signed}/${name}.inf ${signed}/test-ca.cer
    COMMAND ${sign} ca ${out}/test-ca
    COMMAND ${sign} sign ${out}/test-ca ${out}/${name}.sys ${signed}/${name}.sys
    COMMAND ${CMAKE_COMMAND} -E copy ${A_INF} ${out}/${name}.pdb ${signed}
    COMMAND ${CMAKE_SOURCE_DIR}/tools/make_catalog -o ${out}/${name}.unsigned.cat ${signed}/${name}.sys
      ${signed}/${name}.inf
    COMMAND ${sign} sign ${out}/test-ca ${out}/${name}.unsigned.cat ${signed}/${name}.cat
    COMMAND ${sign} verify ${out}/test-ca ${signed}/${name}.sys ${signed}/${name}.cat
    COMMAND ${CMAKE_COMMAND} -E copy ${out}/test-ca/ca.cer ${signed}/test-ca.cer
    COMMAND ${gate} ${signed}/${name}.sys
    DEPENDS ${out}/${name}.sys ${out}/${name}.pdb ${A_INF} ${sign} ${CMAKE_SOURCE_DIR}/tools/make_catalog ${gate_files}
    COMMENT "Driver signed with the test CA" VERBATIM)
  add_custom_target(driver ALL DEPENDS ${all} ${signed}/${name}.sys)
endfunction()

# One object per source in <binary dir>/<variant>/, compiled there; `ret` gets their relative names.
function(_wedr_driver_objects variant ret sources seh)
  set(objects "")
  file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/${variant})
  foreach(source IN LISTS sources)
    get_filename_component(base ${source} NAME_WE)
    set(object ${variant}/${base}.o)
    set(compile ${WEDR_DRIVER_LAUNCHER} ${WEDR_CLANG} ${WEDR_DRIVER_CLANG_FLAGS})
    if(source IN_LIST seh)
      list(APPEND compile -fms-extensions)
    elseif(variant STREQUAL gcc)
      set(compile ${WEDR_DRIVER_LAUNCHER} ${WEDR_MINGW_GCC} ${WEDR_DRIVER_GCC_FLAGS})
    endif()
    if(variant STREQUAL checked)
      list(APPEND compile -DWEDR_DRIVER_CHECKED=1)
    endif()
    add_custom_command(OUTPUT ${object}
      COMMAND ${compile} ${WEDR_DRIVER_FLAGS} ${WEDR_DRIVER_WARNINGS} ${WEDR_DRIVER_INCLUDES}
        -MD -MT ${object} -MF ${object}.d -c root/${source} -o ${object}
      DEPENDS ${CMAKE_SOURCE_DIR}/${source} DEPFILE ${CMAKE_CURRENT_BINARY_DIR}/${object}.d
      WORKING_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR} COMMENT "Driver ${object}" VERBATIM)
    list(APPEND objects ${object})
  endforeach()
  set(${ret} ${objects} PARENT_SCOPE)
endfunction()
