/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/engine_internal.h — shared by the files of the engine and its tests only.
 */
#pragma once

#include "detect/detect.h"
#include "encode/dns.h"
#include "encode/encode.h"
#include "engine.h"
#include "losses.h"
#include "reorder.h"
#include "source/source.h"
#include "spool/spool.h"

#define ENGINE_MAGIC 0x57454e47u
#define ENGINE_NOTES_MAX 32u
#define ENGINE_FRAME_TARGET (512u << 10) /* NDJSON bytes of one write, but for one longer line */
#define ENGINE_OUT_BYTES (WEDR_SPOOL_FRAME_ROOM + ENGINE_FRAME_TARGET + WEDR_LINE_MAX)
#define ENGINE_PEEK_MAX 8192u /* records looked at per lane and round */
#define ENGINE_REFUSED_MAX 64u

/* A record of the stream agent that is still to be written. */
struct engine_note {
    uint16_t type; /* enum wedr_event_type */
    uint16_t code; /* gap reason */
    bool adopted;
    uint64_t epoch;
    uint8_t boot_id[WEDR_BOOT_ID_LEN];
    char stream[WEDR_STREAM_NAME_MAX];
    char reason[32];
    uint64_t number; /* produced, boot_ns */
    int64_t from_us, to_us;
};

struct engine_lane {
    struct wedr_reorder r;
    struct wedr_spool_stream *st;
    struct wedr_source_counters c; /* as read last */
    struct wedr_source_counters
        pending; /* losses that are reported when their holes have been passed */
    uint64_t pending_ms;
    bool has_pending;
    uint64_t unnumbered; /* records without a usable seq */
    uint64_t read, released, malformed, late, spooled;
    bool more;          /* the last look ended at a bound, not at the end */
    bool behind;        /* the last round left records that could have been written */
    uint64_t shown_seq; /* detection has seen every event up to it: a write that is tried again
                           shows none twice */
};

struct wedr_engine {
    uint32_t magic;
    struct wedr_engine_cfg cfg;
    char *strings[3]; /* copies of the cfg's texts */
    wedr_handle dir;
    struct wedr_spool *spool;
    struct wedr_losses *losses;
    struct wedr_encoder *encoder;
    struct wedr_source *source;
    struct engine_lane lane[WEDR_LANE_COUNT];
    struct wedr_clock_pair live;   /* of this machine, now */
    struct wedr_clock_pair kernel; /* of the source's records */
    char source_name[16];
    uint64_t kernel_epoch;
    char *out;                 /* ENGINE_OUT_BYTES; lines begin at WEDR_SPOOL_FRAME_ROOM */
    uint8_t *record;           /* WEDR_RECORD_MAX, for records of the stream agent */
    struct wedr_dns_room *dns; /* the dns_query that is encoded now, with what its message says */
    struct engine_note notes[ENGINE_NOTES_MAX];
    size_t note_count;
    struct wedr_msg_sensor_state sensor_state; /* the newest is told when it is due */
    bool sensor_state_due;
    struct wedr_detect *detect;
    struct wedr_spool_stream *agent;
    struct wedr_spool_stream *alert; /* NULL until there is something to say in it */
    uint64_t alert_acked, alert_sealed_ms;
    bool alert_announced;
    bool alert_ended; /* its end is said: nothing is matched any more */
    uint64_t agent_epoch, agent_seq, agent_shown_seq, agent_acked;
    bool agent_begun, agent_ended;
    bool need_retire;
    bool replay_done;
    bool disk_full;
    uint64_t opened_ms;
    int64_t (*utc_us)(void); /* wedr_time_utc_us; tests let it jump */
};

extern const char *const engine_lane_names[WEDR_LANE_COUNT];

/* Queues a record of the stream agent. WEDR_E_FULL when too many wait (the disk is full). */
WEDR_MUST_USE int engine_note(struct wedr_engine *e, const struct engine_note *n);
/* agent_start and the epoch_start of the stream itself. */
WEDR_MUST_USE int engine_agent_begin(struct wedr_engine *e);
/* Writes what is queued and the losses that are due (all: every one that is not reported). */
WEDR_MUST_USE int engine_agent_flush(struct wedr_engine *e, bool all);
/* Finishes a record of the stream agent, shows it to the rules and appends it; its seq is taken
 * only when it is in the spool. */
WEDR_MUST_USE int engine_agent_put(struct wedr_engine *e, struct wedr_record *r);
/* engine_facts.c. What came too late for the line of its process. */
bool engine_facts_late(const struct wedr_engine *e);
WEDR_MUST_USE int engine_facts_flush(struct wedr_engine *e);
/* epoch_end of the agent's own stream, sealed. */
WEDR_MUST_USE int engine_agent_end(struct wedr_engine *e, const char *reason);
/* engine_alert.c. One line to detection, right after it was encoded. */
void engine_alert_show(struct wedr_engine *e,
                       const struct wedr_event_view *v,
                       const char *line,
                       size_t len,
                       const struct wedr_spool_stream *st,
                       struct wedr_clock_pair clock);
/* Writes the alerts that wait. Touches neither e->out nor e->record. */
WEDR_MUST_USE int engine_alert_flush(struct wedr_engine *e);
/* Once a round: what throttles held back and is due. */
WEDR_MUST_USE int engine_alert_tick(struct wedr_engine *e);
/* Seals at once, but not more often than every 50 ms; as other streams when force is set or many
 * batches wait. */
WEDR_MUST_USE int engine_alert_seal(struct wedr_engine *e, bool force, bool backlog);
/* wait_ms, or less when alerts wait to be sealed. */
uint32_t engine_alert_wait_ms(const struct wedr_engine *e, uint32_t wait_ms);
/* Everything that was held back, then the end of the stream; its epoch_end waits as a note. Events
 * of later are not matched: what they raised would come after the end. Again: only marks the file.
 */
WEDR_MUST_USE int engine_alert_end(struct wedr_engine *e, const char *reason);
/* One look at a lane and one write. all: the producer ended. */
WEDR_MUST_USE int engine_lane_round(struct wedr_engine *e, unsigned lane, bool all, bool *ret_busy);
/* Seals when the stream's frames are old enough or force is set. */
WEDR_MUST_USE int engine_seal_due(struct wedr_engine *e, struct wedr_spool_stream *st, bool force);
WEDR_MUST_USE int engine_source_take(struct wedr_engine *e, struct wedr_source *src, bool replay);
/* Sees whether the wall clock was set. */
WEDR_MUST_USE int engine_check_clock(struct wedr_engine *e);
/* Writes to the spool; a full segment is sealed first. */
WEDR_MUST_USE int engine_append(struct wedr_engine *e,
                                struct wedr_spool_stream *st,
                                const struct wedr_spool_frame_in *f);
