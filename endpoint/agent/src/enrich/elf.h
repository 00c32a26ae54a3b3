/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/enrich/elf.h — build id and interpreter out of the first bytes of an
 * executable. The bytes are anybody's: everything is checked against what is there, nothing is
 * followed beyond it, and the work is bounded. No allocation; any thread.
 */
#pragma once

#include "core/base/attr.h"
#include <stddef.h>
#include <stdint.h>

#define WEDR_ELF_BUILD_ID_MAX 32u
#define WEDR_ELF_INTERPRETER_MAX 64u /* with NUL */
#define WEDR_ELF_PROGRAM_HEADERS_MAX 64u
#define WEDR_ELF_NOTES_MAX 64u

struct wedr_elf {
    uint8_t build_id[WEDR_ELF_BUILD_ID_MAX];
    uint8_t build_id_len;                       /* 0: none among these bytes */
    char interpreter[WEDR_ELF_INTERPRETER_MAX]; /* "": none among these bytes */
};

/* WEDR_E_FORMAT: no ELF file of 32 or 64 bits. What lies beyond n or does not fit is left out, not
 * an error. */
WEDR_MUST_USE int wedr_elf_read(const void *p, size_t n, struct wedr_elf *ret);
