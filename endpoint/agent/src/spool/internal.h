/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/spool/internal.h — shared by the files of spool/ only.
 */
#pragma once

#include "spool/spool.h"

enum sealed_state { SEALED_WAITING, SEALED_UNDER_WAY };

struct sealed {
    struct wedr_batch_id id;
    uint64_t bytes;
    uint64_t order; /* age: lower is older */
    enum sealed_state state;
};

#define SPOOL_RANKS 4u

struct wedr_spool {
    struct wedr_spool_cfg cfg;
    wedr_handle dir;
    struct wedr_spool_stream *streams; /* WEDR_SPOOL_STREAMS_MAX */
    struct sealed *sealed;             /* sealed_cap */
    size_t sealed_count, sealed_cap;
    size_t of_rank[SPOOL_RANKS]; /* how many of them */
    uint64_t order_next;
    uint64_t sealed_bytes;
    uint64_t temp_next;
    bool reserve;        /* is there */
    uint64_t reserve_ms; /* not made before this time (monotonic) */
    struct wedr_spool_stats stats;
};

/* One frame as it lies in a file that was read into memory. */
struct frame_view {
    struct wedr_spool_frame f;
    const uint8_t *lines;
    bool intact; /* false: the header is, the lines are not */
};

/* What a scan of an active file found. */
struct scan {
    size_t at;      /* next frame */
    size_t torn;    /* bytes at the end that are no frame */
    size_t skipped; /* bytes before the frame returned that are none */
};

WEDR_MUST_USE int spool_hook(struct wedr_spool *s, const char *step);
void spool_active_name(const struct wedr_spool_stream *st, char ret[WEDR_BATCH_NAME_MAX]);
/* True and the next frame; false at the end or before a torn tail (then sc->torn says how much is
 * left). */
bool spool_next_frame(const uint8_t *file, size_t len, struct scan *sc, struct frame_view *ret);
/* Reads the header into st. WEDR_E_CORRUPT. */
WEDR_MUST_USE int spool_read_header(const uint8_t *file, size_t len, struct wedr_spool_stream *st);
/* Puts a file with just the header in the active one's place, durable. */
WEDR_MUST_USE int spool_write_header(struct wedr_spool *s, struct wedr_spool_stream *st);
/* The whole active file; freed with wedr_buf_fini by the caller, also on failure. */
WEDR_MUST_USE int
spool_read_active(struct wedr_spool *s, const struct wedr_spool_stream *st, struct wedr_buf *ret);
WEDR_MUST_USE int spool_open_active(struct wedr_spool *s, struct wedr_spool_stream *st);
WEDR_MUST_USE int
spool_add_sealed(struct wedr_spool *s, const struct wedr_batch_id *id, uint64_t bytes);
WEDR_MUST_USE int spool_recover(struct wedr_spool *s);
/* Notes the loss, makes it durable, sets the file aside (keep) or removes it, drops the entry. */
WEDR_MUST_USE int spool_give_up(struct wedr_spool *s, size_t index, uint32_t reason, bool keep);
void spool_note_range(struct wedr_spool *s,
                      const struct wedr_spool_stream *st,
                      const struct wedr_spool_frame *f,
                      uint32_t reason);
void spool_free_stream(struct wedr_spool_stream *st);
struct wedr_spool_stream *spool_new_stream(struct wedr_spool *s);
/* Which batches go first to the server and last when the cap is reached: 0 alerts, then what
 * the agent says of itself (its losses), then the other streams, then bulk. */
unsigned spool_rank(const char *stream);
void spool_bound_aside(struct wedr_spool *s);
/* reserve.c: room for a seal on a full disk. _find: whether an earlier run left it. _make: unless
 * it is there; nothing happens when there is no room. _give: true when it was there and its room is
 * free now. */
void spool_reserve_find(struct wedr_spool *s);
void spool_reserve_make(struct wedr_spool *s);
bool spool_reserve_give(struct wedr_spool *s);
