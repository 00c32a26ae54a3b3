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
