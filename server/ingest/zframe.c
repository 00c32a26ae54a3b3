/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/zframe.h"

#include <stdatomic.h>
#include <zstd.h>

#define KEPT 8u /* a thread that finds none makes one for itself */

static _Atomic(ZSTD_DCtx *) unpackers[KEPT];
static _Atomic(ZSTD_CCtx *) packers[KEPT];

size_t wedr_zframe_unpack(void *ret, size_t cap, const void *z, size_t z_len)
{
    ZSTD_DCtx *ctx = NULL;
    for (size_t i = 0; !ctx && i < KEPT; i++) {
        ctx = atomic_exchange(&unpackers[i], NULL);
    }
    ctx = ctx ? ctx : ZSTD_createDCtx();
    if (!ctx) {
        return ZSTD_decompress(ret, cap, z, z_len);
    }
    size_t n = ZSTD_decompressDCtx(ctx, ret, cap, z, z_len);
    for (size_t i = 0; ctx && i < KEPT; i++) {
        ZSTD_DCtx *none = NULL;
        ctx = atomic_compare_exchange_strong(&unpackers[i], &none, ctx) ? NULL : ctx;
    }
    ZSTD_freeDCtx(ctx);
    return n;
}

size_t wedr_zframe_pack(void *ret, size_t cap, const void *p, size_t len, int level)
{
    ZSTD_CCtx *ctx = NULL;
    for (size_t i = 0; !ctx && i < KEPT; i++) {
        ctx = atomic_exchange(&packers[i], NULL);
    }
    ctx = ctx ? ctx : ZSTD_createCCtx();
    if (!ctx) {
        return ZSTD_compress(ret, cap, p, len, level);
    }
    size_t n = ZSTD_compressCCtx(ctx, ret, cap, p, len, level);
    for (size_t i = 0; ctx && i < KEPT; i++) {
        ZSTD_CCtx *none = NULL;
        ctx = atomic_compare_exchange_strong(&packers[i], &none, ctx) ? NULL : ctx;
    }
    ZSTD_freeCCtx(ctx);
    return n;
}
