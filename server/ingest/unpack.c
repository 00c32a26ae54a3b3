/* SPDX-License-Identifier: Apache-2.0 */
#define ZSTD_STATIC_LINKING_ONLY /* ZSTD_getFrameHeader */
#include "ingest/unpack.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include "ingest/line_parse.h"
#include "ingest/zframe.h"
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

#define FIRST_CHUNK (256u << 10)
#define WINDOW_LOG_MAX 25 /* 32 MiB */

static int
unpack_known(const void *z, size_t z_len, size_t size, struct wedr_room *room, size_t *ret_len)
{
    if (room->p == NULL || room->cap < size + WEDR_LINE_PADDING) {
        wedr_free(room->p);
        room->cap = 0;
        room->p = wedr_realloc(NULL, size + WEDR_LINE_PADDING, 1);
        if (room->p == NULL) {
            return WEDR_E_NOMEM;
        }
        room->cap = size + WEDR_LINE_PADDING;
    }
    size_t n = wedr_zframe_unpack(room->p, size, z, z_len);
    if (ZSTD_isError(n) || n != size) {
        return ZSTD_isError(n) && ZSTD_getErrorCode(n) == ZSTD_error_dstSize_tooSmall
                   ? WEDR_E_FORMAT
                   : WEDR_E_CORRUPT;
    }
    memset(room->p + n, 0, WEDR_LINE_PADDING);
    *ret_len = n;
    return WEDR_OK;
}

/* The frame does not say its size: grows step by step up to max. */
static int unpack_stream(ZSTD_DCtx *ctx,
                         const void *z,
                         size_t z_len,
                         size_t max,
                         struct wedr_room *room,
                         size_t *ret_len)
{
    ZSTD_inBuffer in = {z, z_len, 0};
    size_t cap = max < FIRST_CHUNK ? max : FIRST_CHUNK;
    char *out = wedr_realloc(NULL, cap + WEDR_LINE_PADDING, 1);
    size_t len = 0, left = 1;
    int rc = out == NULL ? WEDR_E_NOMEM : WEDR_OK;
    while (rc == WEDR_OK && left != 0) {
        ZSTD_outBuffer ob = {out, cap, len};
        left = ZSTD_decompressStream(ctx, &ob, &in);
        bool stuck = ob.pos == len && in.pos == in.size && ob.pos < cap;
        len = ob.pos;
        if (ZSTD_isError(left) || (left != 0 && stuck)) {
            rc = WEDR_E_CORRUPT;
        } else if (left != 0 && len == cap && cap == max) {
            rc = WEDR_E_LIMIT;
        } else if (left != 0 && len == cap) {
            size_t more = cap * 2 < max ? cap * 2 : max;
            char *grown = wedr_realloc(out, more + WEDR_LINE_PADDING, 1);
            rc = grown == NULL ? WEDR_E_NOMEM : WEDR_OK;
            out = grown == NULL ? out : grown;
            cap = grown == NULL ? cap : more;
        }
    }
    if (rc != WEDR_OK) {
        wedr_free(out);
        return rc;
    }
    memset(out + len, 0, WEDR_LINE_PADDING);
    wedr_free(room->p);
    *room = (struct wedr_room){out, cap + WEDR_LINE_PADDING};
    *ret_len = len;
    return WEDR_OK;
}

int wedr_unpack(const void *z, size_t z_len, size_t max, char **ret, size_t *ret_len)
{
    struct wedr_room room = {NULL, 0};
    int rc = wedr_unpack_into(z, z_len, max, &room, ret_len);
    if (rc == WEDR_OK) {
        *ret = room.p;
    } else {
        wedr_free(room.p);
    }
    return rc;
}

int wedr_unpack_into(
    const void *z, size_t z_len, size_t max, struct wedr_room *room, size_t *ret_len)
{
    ZSTD_frameHeader fh;
    if (z_len < 4 || ZSTD_getFrameHeader(&fh, z, z_len) != 0 || fh.frameType != ZSTD_frame ||
        fh.dictID != 0) {
        return WEDR_E_FORMAT;
    }
    size_t frame = ZSTD_findFrameCompressedSize(z, z_len);
    if (ZSTD_isError(frame) || frame != z_len) {
        return WEDR_E_FORMAT;
    }
    if (fh.frameContentSize != ZSTD_CONTENTSIZE_UNKNOWN) {
        if (fh.frameContentSize > max) {
            return WEDR_E_LIMIT;
        }
        return unpack_known(z, z_len, (size_t)fh.frameContentSize, room, ret_len);
    }
    ZSTD_DCtx *ctx = ZSTD_createDCtx();
    if (ctx == NULL) {
        return WEDR_E_NOMEM;
    }
    int rc = WEDR_E_NOMEM;
    if (!ZSTD_isError(ZSTD_DCtx_setParameter(ctx, ZSTD_d_windowLogMax, WINDOW_LOG_MAX))) {
        rc = unpack_stream(ctx, z, z_len, max, room, ret_len);
    }
    ZSTD_freeDCtx(ctx);
    return rc;
}
