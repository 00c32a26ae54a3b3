/* SPDX-License-Identifier: Apache-2.0
 *
 * server/ingest/zframe.h — one zstd frame in one call, as ZSTD_compress and ZSTD_decompress, which
 * make a context each time: of a small frame that is nine tenths of the work. A few contexts are
 * kept for the process. Thread-safe.
 */
#pragma once

#include <stddef.h>

/* Both return what the library's functions do: bytes written, or an error for ZSTD_isError. */
size_t wedr_zframe_unpack(void *ret, size_t cap, const void *z, size_t z_len);
/* For parts of a block: the memory of a context grows with what it packed. */
size_t wedr_zframe_pack(void *ret, size_t cap, const void *p, size_t len, int level);
