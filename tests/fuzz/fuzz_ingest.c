/* SPDX-License-Identifier: Apache-2.0
 *
 * A whole batch: the first byte says whether the rest is the frame itself or text to be compressed
 * into one. */
#include "core/util/alloc.h"
#include "core/util/sha256.h"
#include "ingest/ingest.h"
#include <string.h>
#include <zstd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const streams[4] = {"kernel.critical", "agent", "plugin.x", "kernel.bulk"};
    static uint8_t z[1u << 20];
    struct wedr_ingest_batch b = {.agent_id = "11111111-2222-4333-8444-555555555555",
                                  .hostname = "h"};
    struct wedr_prepared *p = NULL;
    if (size < 4 || size > sizeof(z) / 2) {
        return 0;
    }
    const char *stream = streams[data[0] / 2 % 4];
    memcpy(b.id.stream, stream, strlen(stream));
    b.id.epoch = 1;
    b.id.first_seq = 1;
    b.id.count = data[1] == 0 ? 1 : data[1];
    b.id.last_seq = b.id.produced = (uint64_t)b.id.count + data[2];
    b.z = data + 3;
    b.z_len = size - 3;
    if (data[0] % 2 == 0) {
        b.z_len = ZSTD_compress(z, sizeof(z), data + 3, size - 3, 1);
        b.z = z;
    }
    wedr_sha256(b.z, b.z_len, b.id.sha256);
    if (wedr_ingest_prepare(&b, &p, NULL) == 0) {
        uint32_t good = 0, bad = 0;
        wedr_prepared_counts(p, &good, &bad);
        if (good + bad != b.id.count) {
            __builtin_trap();
        }
    }
    wedr_prepared_free(p);
    return 0;
}
