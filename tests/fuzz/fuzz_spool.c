/* SPDX-License-Identifier: Apache-2.0
 *
 * What a start makes of any bytes in an active file or in losses.state (first byte: which). The
 * engine must come up, take records and seal them, whatever was there.
 */
#include "support_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *dir = fuzz_dir();
    if (size < 1) {
        return 0;
    }
    fuzz_put(dir, data[0] % 2 == 0 ? "1122334455667788.kernel.critical.active" : "losses.state",
             data + 1, size - 1);
    struct wedr_engine *e = fuzz_engine(dir);
    fuzz_rounds(e);
    wedr_engine_close(e);
    fuzz_clean(dir);
    return 0;
}
