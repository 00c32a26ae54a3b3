/* SPDX-License-Identifier: Apache-2.0 OR BSD-2-Clause
 *
 * lib/wire/spool.h — the files of the agent's spool folder. Little-endian, packed, no OS, no
 * allocation.
 *
 * <epoch 16 hex>.<stream>.active   one per (epoch, stream): a header, then frames. Written by one
 * writev-like call per pump round; a file that holds just its header is the mark of how far the
 * stream got. <batch name>.zst                 a sealed batch, see batch.h aside.<batch name>.zst
 * a batch that the server refused or that is corrupt, kept for people; bounded losses.state
 * cumulative losses after the ring, see endpoint/agent/src/losses.h
 * *.tmp                            unfinished; removed at start
 * reserve                          zeros: room for a seal when the disk is full
 */
#pragma once

#include "core/base/attr.h"
#include "wedr/wire/event.h"

#define WEDR_SPOOL_MAGIC "WEDRSPL7"
#define WEDR_SPOOL_FRAME_MAGIC 0x4d415246u /* "FRAM" */
#define WEDR_SPOOL_ACTIVE_SUFFIX ".active"
#define WEDR_SPOOL_ASIDE_PREFIX "aside."
#define WEDR_SPOOL_TMP_SUFFIX ".tmp"

#define WEDR_SPOOL_F_CLOSED 0x1u /* the epoch ended; nothing is added any more */

/* Header of an active file. Replaced as a whole (temp, fsync, rename), never changed in place. */
struct WEDR_PACKED wedr_spool_header {
    char magic[8];
    uint32_t size; /* of this header; frames begin here */
    uint32_t crc;  /* CRC-32C of the header with this field 0 */
    uint64_t epoch;
    uint8_t boot_id[WEDR_BOOT_ID_LEN];
    char stream[WEDR_STREAM_NAME_MAX]; /* NUL-padded */
    uint64_t base_seq;  /* last seq that a seal covered; frames hold higher ones only */
    uint64_t produced;  /* every seq up to it was written or is a known hole; >= base_seq */
    uint64_t lost;      /* producer's own loss counter at that moment */
    uint64_t explained; /* holes so far that this counter explains */
    uint32_t flags;     /* WEDR_SPOOL_F_* */
    uint32_t reserved;
    int64_t utc_us; /* when the header was written */
};

/* Header of a frame; `len` bytes of whole NDJSON lines follow. */
struct WEDR_PACKED wedr_spool_frame {
    uint32_t magic;
    uint32_t len;
    uint32_t payload_crc; /* CRC-32C of the lines */
    uint32_t count;       /* lines; 0 only with len 0: the counters alone moved */
    uint64_t first_seq, last_seq;
    uint64_t produced, lost, explained; /* as in the header, after this frame */
    uint32_t reserved;
    uint32_t crc; /* CRC-32C of this header with this field 0 */
};

_Static_assert(sizeof(struct wedr_spool_header) == 136,
               "spool header layout is frozen per wire version");
_Static_assert(sizeof(struct wedr_spool_frame) == 64,
               "spool frame layout is frozen per wire version");
