/* SPDX-License-Identifier: Apache-2.0
 * A package header of rpm's database. */
#include "core/util/alloc.h"
#include "enrich/packages_i.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct index x;
    memset(&x, 0, sizeof(x));
    wedr_buf_init(&x.text, WEDR_PACKAGE_TEXT_MAX);
    (void)!rpm_header_read(data, size, &x);
    for (uint32_t i = 0; i < x.file_count; i++) {
        if ((x.file[i] & 0xffff) >= x.package_count) {
            __builtin_trap();
        }
    }
    wedr_buf_fini(&x.text);
    wedr_free(x.package);
    wedr_free(x.file);
    return 0;
}
