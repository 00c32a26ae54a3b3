/* SPDX-License-Identifier: Apache-2.0
 * tests/fuzz/fuzz_batch_name.c — any bytes as the name of a sealed batch: refused, or an identity
 * whose name is these very bytes; and as the header of a capture file. */
#include "core/base/err.h"
#include "wedr/wire/batch.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int ok)
{
    if (!ok) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t agent[WEDR_AGENT_ID_LEN] = {1};
    struct wedr_capture_header h;
    struct wedr_batch_id id;
    char name[WEDR_BATCH_NAME_MAX];
    uint8_t to_sign[WEDR_BATCH_SIGNED_LEN];

    if (wedr_batch_name_parse((const char *)data, size, &id) == WEDR_OK) {
        require(wedr_batch_id_check(&id) == WEDR_OK);
        require(wedr_batch_name(&id, name) == WEDR_OK);
        require(strlen(name) == size && memcmp(name, data, size) == 0);
        wedr_batch_signed_bytes(agent, &id, to_sign);
    }
    if (wedr_capture_header_decode(wedr_span(data, size), &h) == WEDR_OK) {
        require(h.size >= sizeof(h) && h.size <= WEDR_CAPTURE_HEADER_MAX && h.epoch != 0);
    }
    (void)wedr_stream_name_valid((const char *)data, size);
    return 0;
}
