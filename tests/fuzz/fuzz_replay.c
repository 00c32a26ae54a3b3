/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a capture file, replayed to its end. Whatever the file says, every batch must be one
 * that the identity check accepts, and the replay must end.
 */
#include "support_fuzz.h"

#include "core/base/err.h"
#include "wedr/plat/fs.h"
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *dir = fuzz_dir();
    char path[128];
    struct wedr_engine_replay r = {.rate = 0};
    struct wedr_errinfo ei = {""};
    fuzz_put(dir, "capture", data, size);
    (void)snprintf(path, sizeof(path), "%s/capture", dir);
    struct wedr_engine *e = fuzz_engine(dir);
    if (wedr_fs_open(path, WEDR_FS_READ, 0, &r.file) != WEDR_OK) {
        abort();
    }
    if (wedr_engine_source_replay_take(e, &r, &ei) == WEDR_OK) {
        fuzz_rounds(e);
        if (!wedr_engine_finished(e)) {
            abort();
        }
    }
    wedr_engine_close(e);
    fuzz_clean(dir);
    return 0;
}
