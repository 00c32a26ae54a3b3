/* SPDX-License-Identifier: Apache-2.0
 *
 * server/ingest/unpack.h — bounded decompression of one zstd frame. Nothing the frame says about
 * itself is believed.
 */
#pragma once

#include "core/base/attr.h"
#include <stddef.h>

/* Exactly one frame in [z, z + z_len), no dictionary, nothing behind it. *ret (free with wedr_free)
 * has WEDR_LINE_PADDING zero bytes behind *ret_len. WEDR_E_LIMIT: more than max bytes come out, or
 * the frame says so; WEDR_E_FORMAT: no zstd frame, more than one, or its declared size is a lie;
 * WEDR_E_CORRUPT: broken inside; WEDR_E_NOMEM. */
WEDR_MUST_USE int wedr_unpack(const void *z, size_t z_len, size_t max, char **ret, size_t *ret_len);
/* Room that is used for one text after another. */
struct wedr_room {
    char *p; /* wedr_free; NULL: none yet */
    size_t cap;
};
/* The same into the caller's room, which grows when it is too small; what was in it is lost, also
 * on errors. */
WEDR_MUST_USE int
wedr_unpack_into(const void *z, size_t z_len, size_t max, struct wedr_room *room, size_t *ret_len);
