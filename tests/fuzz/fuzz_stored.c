/* SPDX-License-Identifier: Apache-2.0
 *
 * Column parts and filters as they lie in a database that someone else may have written. */
#include "core/util/alloc.h"
#include "ingest/columns.h"
#include "ingest/filter.h"
#include "ingest/unpack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t bits[WEDR_NGRAM_BYTES];
    struct wedr_columns *c = NULL;
    char *text = NULL;
    size_t len = 0;
    if (size < 2) {
        return 0;
    }
    uint32_t n = data[0];
    (void)wedr_bloom_may_contain(data + 1, size - 1, wedr_filter_hash("pid=1", 5));
    if (wedr_ngram_unpack(data + 1, size - 1, bits) == 0) {
        (void)wedr_ngram_may_contain(bits, "needle", 6);
    }
    if (wedr_unpack(data + 1, size - 1, 1u << 20, &text, &len) == 0) {
        wedr_free(text);
    }
    if (wedr_columns_open(data + 1, size - 1, n, 1, &c) == 0) {
        int64_t sum = 0;
        const uint8_t *types = NULL;
        for (int id = 1; id < WEDR_COLUMN_MAX; id++) {
            const int64_t *v = NULL;
            if (wedr_columns_ints(c, (enum wedr_column_id)id, &v) == 0) {
                for (uint32_t i = 0; i < n; i++) {
                    sum ^= v[i];
                }
            }
        }
        if (wedr_columns_types(c, &types) == 0 && n != 0) {
            sum ^= types[n - 1];
        }
        for (uint32_t i = 0; i < n; i++) {
            struct wedr_span s;
            if (wedr_columns_name(c, i, &s) == 0 && s.len != 0) {
                sum ^= s.p[s.len - 1];
            }
        }
        volatile int64_t sink = sum; /* every element was really read */
        (void)sink;
    }
    wedr_columns_close(c);
    return 0;
}
