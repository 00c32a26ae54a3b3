/* SPDX-License-Identifier: Apache-2.0
 * The first bytes of an executable, as anybody may have written them. */
#include "core/base/err.h"
#include "enrich/elf.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wedr_elf e;
    int err = wedr_elf_read(data, size, &e);
    if (e.build_id_len > WEDR_ELF_BUILD_ID_MAX ||
        memchr(e.interpreter, 0, sizeof(e.interpreter)) == NULL ||
        (err != WEDR_OK && (e.build_id_len != 0 || e.interpreter[0] != '\0'))) {
        __builtin_trap();
    }
    return 0;
}
