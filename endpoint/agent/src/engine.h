/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/engine.h — what the core process does, without its process: source -> reorder
 * -> encode -> rules -> spool, the streams "agent" and "alert", and the sealed batches waiting to
 * be shipped. One thread. The main loop in core_main.c drives it and talks to holder and net; tests
 * drive it directly.
 */
#pragma once

#include "core/base/attr.h"
#include "core/util/errinfo.h"
#include "detect/detect.h"
#include "wedr/plat/fs.h"
#include "wedr/wire/batch.h"
#include "wedr/wire/msg.h"
#include <stdbool.h>
#include <stdint.h>

struct wedr_engine;
struct wedr_facts;

struct wedr_engine_cfg {
    const char *spool_dir;    /* exists, writable */
    uint64_t segment_raw_max; /* seal at this many NDJSON bytes, <= WEDR_BATCH_RAW_MAX */
    uint32_t segment_age_ms;  /* seal a non-empty active file after this time */
    uint64_t spool_bytes_max; /* over it the oldest bulk batches go first */
    int zstd_level;
    uint8_t boot_id[WEDR_BOOT_ID_LEN]; /* of this boot: the agent stream's */
    const char *agent_version, *os_name, *os_release;
    struct wedr_facts *facts; /* about executables and users, borrowed; NULL: none. Of no use to
                                 replayed records */
    const char *redact_names; /* secrets behind these names go (encode/redact.h); NULL: none do */
    bool reenrolled; /* the spool was filled under another identity: all of it is dropped as
                        lost(reenrolled) at open */
};

/* Kernel source as the holder passes it; handles are taken by wedr_engine_source_*. */
struct wedr_engine_ebpf {
    wedr_handle ring[WEDR_LANE_COUNT];
    wedr_handle state;   /* read-only map of struct wedr_sensor_state */
    uint32_t ring_bytes; /* of each ring; 0 = WEDR_RING_BYTES */
    bool adopted;
    bool proc; /* filled by the source without BPF */
};
struct wedr_engine_replay {
    wedr_handle file;
    uint64_t rate;  /* records a second over both lanes; 0 = as fast as it goes */
    uint64_t epoch; /* 0: the file's; else stands in for it (--new-epoch) */
};

/* Recovers the spool (cuts torn tails, drops what a seal already covers, reports what is corrupt as
 * losses), begins a new epoch of the stream agent and records agent_start in it. */
WEDR_MUST_USE int wedr_engine_open(const struct wedr_engine_cfg *cfg,
                                   struct wedr_engine **ret,
                                   struct wedr_errinfo *ei);
/* Seals what is active (best effort) and frees. NULL is allowed. */
void wedr_engine_close(struct wedr_engine *e);

/* At most one source at a time. The first call for an epoch records epoch_start for each of its
 * streams. */
WEDR_MUST_USE int wedr_engine_source_ebpf_take(struct wedr_engine *e,
                                               const struct wedr_engine_ebpf *src,
                                               struct wedr_errinfo *ei);
WEDR_MUST_USE int wedr_engine_source_replay_take(struct wedr_engine *e,
                                                 const struct wedr_engine_replay *src,
                                                 struct wedr_errinfo *ei);
/* The producers ended (detached, stopped): drains what is left, records the final losses and
 * epoch_end with `reason`, closes the source. */
WEDR_MUST_USE int wedr_engine_source_end(struct wedr_engine *e, const char *reason);
/* Records a coverage gap of both kernel streams (stream "kernel"): it is in the spool after the
 * next round without an error. reason: enum wedr_label_code GAP_REASON. WEDR_E_FULL: too many
 * records wait. */
WEDR_MUST_USE int
wedr_engine_gap(struct wedr_engine *e, int64_t from_us, int64_t to_us, uint16_t reason);
/* What the sensor sees now: a record sensor_state in the stream agent. Only the newest is kept
 * until it can be written. */
void wedr_engine_sensor_state(struct wedr_engine *e, const struct wedr_msg_sensor_state *s);

/* Puts a verified rule bundle to work between two events; as wedr_detect_load. */
WEDR_MUST_USE int wedr_engine_rules(struct wedr_engine *e,
                                    const void *bytes,
                                    size_t len,
                                    const struct wedr_detect_bundle *info,
                                    struct wedr_errinfo *ei);
/* Takes the next process that a rule wants ended. False: none. */
WEDR_MUST_USE bool wedr_engine_next_kill(struct wedr_engine *e, struct wedr_detect_kill *ret);
/* Records what became of it in the stream alert. WEDR_E_STATE after wedr_engine_stop. */
WEDR_MUST_USE int wedr_engine_response(struct wedr_engine *e, const struct wedr_detect_outcome *o);

/* One pump round: reads what is there (bounded), writes it, releases it, seals what is due, notes
 * losses. *ret_busy: call again at once; otherwise *ret_wait_ms says how long to wait at most.
 * WEDR_E_NOSPC: nothing was lost, the records stay in the ring; try again later. */
WEDR_MUST_USE int wedr_engine_round(struct wedr_engine *e, bool *ret_busy, uint32_t *ret_wait_ms);
/* Seals every active file now (stop, tests). */
WEDR_MUST_USE int wedr_engine_seal(struct wedr_engine *e);
/* Orderly end of the agent: records epoch_end of the stream agent with `reason` (the kernel's
 * epochs stay as they are) and seals everything. Rounds and batches go on working, so that the rest
 * can be shipped. */
WEDR_MUST_USE int wedr_engine_stop(struct wedr_engine *e, const char *reason);
/* True when a replay has been read to its end, all epochs (also agent's) are closed, and every
 * batch is acknowledged. For this the engine ends its own epoch when the replay ends. */
bool wedr_engine_finished(const struct wedr_engine *e);

/* The next batch to send that is not under way: alerts first, bulk last, then oldest; its
 * file is checked against its digest first (a corrupt one is set aside with a loss record and
 * skipped). The handle is the caller's. WEDR_E_NOENT when there is none, WEDR_E_AGAIN when all are
 * under way. */
WEDR_MUST_USE int
wedr_engine_next_batch(struct wedr_engine *e, struct wedr_batch_id *ret_id, wedr_handle *ret_file);

enum wedr_batch_outcome {
    WEDR_BATCH_ACKED,    /* the server has it: delete */
    WEDR_BATCH_RETRY,    /* not now: it may be offered again */
    WEDR_BATCH_CONFLICT, /* 409: set aside, loss record `conflict` */
    WEDR_BATCH_POISON    /* 400, 413: set aside, loss record `poison` */
};
/* WEDR_E_NOENT for a batch that was not under way (net lied or repeated itself): nothing changes.
 */
WEDR_MUST_USE int wedr_engine_outcome(struct wedr_engine *e,
                                      const struct wedr_batch_id *id,
                                      enum wedr_batch_outcome outcome);

struct wedr_engine_lane_stats {
    uint64_t produced, lost_ring; /* the producer's own counters, read now */
    uint64_t read, released, malformed, late;
    uint64_t spooled;     /* records written to the spool */
    uint64_t spooled_seq; /* last seq written or accounted for */
    uint64_t in_flight;   /* produced - lost - acknowledged, as far as known */
};
struct wedr_engine_stats {
    uint64_t epoch; /* of the kernel source, 0 without */
    uint64_t agent_epoch;
    char source[16]; /* "ebpf", "proc", "replay", "none" */
    struct wedr_engine_lane_stats lane[WEDR_LANE_COUNT];
    uint64_t agent_produced, agent_acked, alert_acked;
    struct wedr_detect_stats detect;
    uint64_t redacted; /* command lines that lost a secret */
    uint64_t batches_sealed, batches_acked, batches_waiting, batches_set_aside;
    uint64_t spool_bytes, spool_bytes_max;
    uint64_t evicted, corrupt; /* records */
    uint64_t torn_bytes_cut;   /* at recovery */
    bool disk_full;
};
void wedr_engine_stats(const struct wedr_engine *e, struct wedr_engine_stats *ret);
