/* SPDX-License-Identifier: Apache-2.0
 *
 * server/admin/tail.h — what is stored is told to those who watch: new events, alerts that are made
 * or changed, as server-sent events. One thread looks five times a second for what was committed
 * (it sleeps while nobody watches) and writes to all watchers; a watcher that does not read fast
 * enough loses events and is told how many. Nothing here ever holds up ingest, detection or another
 * watcher.
 */
#pragma once

#include "admin/data.h"

#define WEDR_TAIL_WATCHERS_MAX 64u
#define WEDR_TAIL_USER_MAX 8u                  /* watchers of one user */
#define WEDR_TAIL_BUFFER ((size_t)1 << 20)     /* bytes that may wait for a watcher */
#define WEDR_TAIL_LINE_MAX ((size_t)256 << 10) /* larger events are named, not sent */
#define WEDR_TAIL_PER_SECOND 2000u             /* events to one watcher */

struct wedr_tail;

struct wedr_tail_cfg {
    const char *data_dir;
    const struct wedr_state_ops *state_ops;
    struct wedr_state *state;
    const struct wedr_events_ops *events_ops;
    uint64_t life_ms; /* of a stream: then it asks anew, and so do its rights */
};

/* What somebody wants to see. */
struct wedr_tail_ask {
    int64_t user_id;
    const char *groups;   /* as wedr_person.groups; copied */
    bool alerts;          /* else events: */
    const char *agent_id; /* NULL: of all; copied */
    const bool *types;    /* 256 stored type codes, NULL: all; copied */
    bool again;           /* it was connected before: what came meanwhile is lost to it */
};

WEDR_MUST_USE int wedr_tail_start(const struct wedr_tail_cfg *cfg, struct wedr_tail **ret);
/* Ends the thread; the listener must have closed the streams. NULL is allowed. */
void wedr_tail_stop(struct wedr_tail *t);
/* These alerts were changed. Any thread, never waits; NULL is allowed. */
void wedr_tail_alerts_changed(struct wedr_tail *t, const int64_t *ids, size_t count);
/* Takes a place before the stream begins: WEDR_E_LIMIT when there is none. */
WEDR_MUST_USE int wedr_tail_reserve(struct wedr_tail *t, int64_t user_id);
void wedr_tail_release(struct wedr_tail *t, int64_t user_id);
/* Takes st (a reference) and the reserved place; when it fails both are given back. */
void wedr_tail_add_take(struct wedr_tail *t,
                        const struct wedr_tail_ask *ask,
                        struct wedr_answer_stream *st);

/* --- Between the files of the tail. */

struct wedr_watcher {
    struct wedr_answer_stream *st;
    int64_t user_id;
    bool alerts, all_types, has_agent;
    bool types[256];
    char agent_id[WEDR_AGENT_ID_TEXT];
    struct wedr_person person; /* only its groups */
    struct wedr_asker who;
    struct wedr_seen seen; /* of who, looked up now and then */
    uint64_t seen_ms, begun_ms, wrote_ms, second;
    unsigned in_second;
    uint64_t lost;
    bool gone;
};

/* The thread's own. */
struct wedr_pump {
    struct wedr_server view; /* data_dir and stores, for what takes a server */
    const struct wedr_events_ops *events_ops;
    struct wedr_events_reader *reader; /* while events are watched */
    int64_t at;                        /* arrival of the last block that was told */
    int64_t begun;                     /* of one that an error cut short: it goes on at row */
    uint32_t row;
    struct wedr_watcher *watchers[WEDR_TAIL_WATCHERS_MAX];
    size_t count;
    struct wedr_buf text; /* of one message */
};

/* Writes one message, or counts it as lost. */
void wedr_tail_send(struct wedr_watcher *w, const struct wedr_buf *message, uint64_t now_ms);
/* tail_events.c: tells what was stored since the last call, for at most about 200 ms. *ret_more:
 * there is more. */
WEDR_MUST_USE int wedr_tail_pump_events(struct wedr_pump *p, bool *ret_more);
/* Opens the reader (there is none): nothing that is stored already is told. */
WEDR_MUST_USE int wedr_tail_begin_events(struct wedr_pump *p);
/* tail_alerts.c: those behind *at, and the changed ones. */
WEDR_MUST_USE int
wedr_tail_pump_alerts(struct wedr_pump *p, int64_t *at, const int64_t *changed, size_t count);
