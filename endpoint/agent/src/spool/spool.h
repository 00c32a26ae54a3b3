/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/spool/spool.h — the spool folder: one active file per (epoch, stream), sealed
 * batches, batches set aside. Formats: lib/wire/include/wedr/wire/spool.h. Nothing leaves it but by
 * an acknowledgement, or as a loss that was made durable first. One thread.
 */
#pragma once

#include "core/base/attr.h"
#include "core/base/err.h"
#include "core/util/errinfo.h"
#include "wedr/plat/fs.h"
#include "wedr/wire/batch.h"
#include "wedr/wire/spool.h"
#include <stdbool.h>
#include <stdint.h>

#define WEDR_SPOOL_FILES_MAX 16384u /* sealed batches; over it the cap applies as well */
#define WEDR_SPOOL_MARKS_MAX 64u    /* headers of other epochs that are kept */
#define WEDR_SPOOL_ASIDE_FILES_MAX 64u
#define WEDR_SPOOL_ASIDE_BYTES_MAX (64u << 20)
#define WEDR_SPOOL_STREAMS_MAX 256u
#define WEDR_SPOOL_FRAME_ROOM sizeof(struct wedr_spool_frame)

struct wedr_spool;

/* Records that the spool gives up. note: count records of [first, last] (a hole inside is not among
 * them); flush makes what was noted durable, before the records go. */
struct wedr_spool_losses {
    void (*note)(void *arg, const struct wedr_batch_id *id, uint32_t reason);
    int (*flush)(void *arg);
    void *arg;
};

struct wedr_spool_cfg {
    const char *dir;
    uint64_t raw_max;   /* NDJSON bytes of a batch */
    uint64_t bytes_max; /* cap of all sealed and active files */
    int zstd_level;
    struct wedr_spool_losses losses;
    /* Tests: called between the steps that must be safe to stop at; other than 0 stops right there,
     * as a kill would. */
    int (*hook)(void *arg, const char *step);
    void *hook_arg;
};

/* An active file. Owned by the spool; fields are read-only outside. */
struct wedr_spool_stream {
    uint64_t epoch;
    uint8_t boot_id[WEDR_BOOT_ID_LEN];
    char name[WEDR_STREAM_NAME_MAX];
    uint64_t base_seq;                  /* sealed up to here */
    uint64_t produced, lost, explained; /* after the last frame */
    bool closed;
    bool in_use;
    bool stale; /* the file on disk still holds what a seal covers: replaced before anything else */
    int64_t utc_us;               /* of the header */
    wedr_handle file;             /* WEDR_HANDLE_NONE when nothing is appended */
    uint64_t size;                /* bytes of the file */
    uint64_t raw;                 /* NDJSON bytes in frames */
    uint64_t first_seq, last_seq; /* of the lines in frames, 0 when there are none */
    uint32_t count;
    uint64_t since_ms; /* when the first line of the frames was written (monotonic) */
};

struct wedr_spool_frame_in {
    char *lines;
    size_t len;
    uint32_t count;
    uint64_t first_seq, last_seq;
    uint64_t produced, lost, explained;
};

struct wedr_spool_stats {
    uint64_t sealed, acked, waiting, set_aside;
    uint64_t bytes;
    uint64_t evicted, corrupt; /* records */
    uint64_t torn_bytes_cut;
};

/* Recovers what is there: removes unfinished files, cuts torn tails, drops frames that a seal
 * covers, sets corrupt files aside. WEDR_E_CORRUPT is never returned for a file's content. */
WEDR_MUST_USE int
wedr_spool_open(const struct wedr_spool_cfg *cfg, struct wedr_spool **ret, struct wedr_errinfo *ei);
void wedr_spool_close(struct wedr_spool *s); /* seals nothing; NULL is allowed */

/* The stream of this epoch, as an earlier run left it or new. WEDR_E_LIMIT: too many are open. */
WEDR_MUST_USE int wedr_spool_stream(struct wedr_spool *s,
                                    uint64_t epoch,
                                    const uint8_t boot_id[WEDR_BOOT_ID_LEN],
                                    const char *name,
                                    struct wedr_spool_stream **ret);
/* The stream when it is there, else NULL. */
struct wedr_spool_stream *wedr_spool_find(struct wedr_spool *s, uint64_t epoch, const char *name);
/* NDJSON bytes that the stream takes before it has to be sealed. */
uint64_t wedr_spool_room(const struct wedr_spool *s, const struct wedr_spool_stream *st);
/* One write: f->lines has WEDR_SPOOL_FRAME_ROOM writable bytes before it. WEDR_E_NOSPC: nothing was
 * added (a part that was written is cut off again). WEDR_E_FULL: seal first. */
WEDR_MUST_USE int wedr_spool_append(struct wedr_spool *s,
                                    struct wedr_spool_stream *st,
                                    const struct wedr_spool_frame_in *f);
/* Turns the frames into a batch. WEDR_OK also when there is nothing to seal. WEDR_E_NOSPC: nothing
 * changed. */
WEDR_MUST_USE int wedr_spool_seal(struct wedr_spool *s, struct wedr_spool_stream *st);
/* Seals, then marks the epoch as ended. */
WEDR_MUST_USE int wedr_spool_end(struct wedr_spool *s, struct wedr_spool_stream *st);
/* Every stream whose epoch is not among the given ones is sealed; of the empty ones the newest
 * WEDR_SPOOL_MARKS_MAX stay as marks, those of the agent's own epochs do not. */
WEDR_MUST_USE int
wedr_spool_retire(struct wedr_spool *s, const uint64_t *keep_epochs, size_t count);
/* Gives up everything that is not acknowledged, for this reason. */
WEDR_MUST_USE int wedr_spool_drop_all(struct wedr_spool *s, uint32_t reason);
/* Gives up batches until the cap is kept: bulk first, alerts last, the oldest
 * of each; none that is under way. Makes the reserve for a full disk, when it is not there. */
WEDR_MUST_USE int wedr_spool_keep_cap(struct wedr_spool *s);

/* As wedr_engine_next_batch and wedr_engine_outcome. */
WEDR_MUST_USE int
wedr_spool_next(struct wedr_spool *s, struct wedr_batch_id *ret_id, wedr_handle *ret_file);
WEDR_MUST_USE int wedr_spool_acked(struct wedr_spool *s, const struct wedr_batch_id *id);
WEDR_MUST_USE int wedr_spool_retry(struct wedr_spool *s, const struct wedr_batch_id *id);
/* Sets the batch aside and notes the loss. */
WEDR_MUST_USE int
wedr_spool_refused(struct wedr_spool *s, const struct wedr_batch_id *id, uint32_t reason);

/* Records of this stream that wait here, sealed or not. */
uint64_t wedr_spool_waiting(const struct wedr_spool *s, uint64_t epoch, const char *name);
/* Sealed batches that leave before a new one of a stream with this name: bulk holds up nobody. */
size_t wedr_spool_backlog(const struct wedr_spool *s, const char *name);
void wedr_spool_stats(const struct wedr_spool *s, struct wedr_spool_stats *ret);
