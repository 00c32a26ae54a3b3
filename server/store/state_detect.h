/* SPDX-License-Identifier: Apache-2.0
 *
 * server/store/state_detect.h — what detection found: alerts with their evidence, responses of
 * agents, the processes of every agent, and how far the events were read. Part of the state store.
 * Everything that one step of reading found is stored with the new cursor in one transaction: a
 * crash neither loses nor doubles.
 */
#pragma once

#include "core/base/attr.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The oldest go first, of the agent that has the most: a noisy one pushes out only its own. */
#define WEDR_ALERTS_KEPT 1000000u
#define WEDR_ALERTS_AGENT_KEPT 100000u            /* of one agent */
#define WEDR_ALERT_BYTES_KEPT (UINT64_C(4) << 30) /* of all alerts with their evidence */
#define WEDR_ALERT_BYTES_AGENT_KEPT (UINT64_C(256) << 20)
#define WEDR_RESPONSES_KEPT 1000000u
#define WEDR_RESPONSES_AGENT_KEPT 100000u
#define WEDR_PROCESSES_KEPT 1000000u /* shared among the agents, at most so many of one: */
#define WEDR_PROCESSES_AGENT_KEPT 8192u
#define WEDR_ALERT_EVIDENCE_MAX 64u
/* Of the lines of one alert: the newest that fit are kept, the others lead to `events`. */
#define WEDR_ALERT_EVIDENCE_BYTES_MAX ((size_t)64 << 10)

struct wedr_state;

struct wedr_evidence_row {
    const char *agent_id;
    uint64_t epoch;
    const char *stream;
    uint64_t seq;
    const char *event; /* the line; NULL when it was cut away */
};

/* Texts may be NULL where a column may be (pid < 0: none). tags, actions, ancestry and matched are
 * JSON. */
struct wedr_alert_row {
    const char *alert_id; /* with agent_id, unique: the same one again is not stored */
    const char *agent_id; /* "" of the server's own over several agents */
    const char *hostname;
    const char *origin; /* "agent", "server" */
    int64_t ts_us;      /* of the event that completed the match */
    int64_t received_us;
    const char *rule_id, *rule_title, *rule_language, *severity, *message, *tags, *actions;
    int64_t pid;
    const char *process_key, *image_path, *command_line, *user, *entity;
    uint64_t suppressed, match_count;
    const char *rules_serial, *profile, *ancestry, *matched;
    const struct wedr_evidence_row *evidence;
    size_t evidence_count; /* at most WEDR_ALERT_EVIDENCE_MAX */
    /* From queries. */
    int64_t id, stored_us;
};

struct wedr_response_row {
    const char *agent_id, *hostname;
    uint64_t epoch;
    const char *stream;
    uint64_t seq;
    int64_t ts_us;
    const char *alert_id, *rule_id, *action, *result;
    int64_t pid;
    const char *process_key, *detail;
    uint64_t duration_us;
};

enum wedr_process_event { WEDR_PROCESS_CREATED, WEDR_PROCESS_FORKED, WEDR_PROCESS_ENDED };

struct wedr_process_row {
    uint8_t event; /* enum wedr_process_event: a fork says less about a process than its start */
    const char *agent_id, *process_key, *parent_key;
    int64_t pid, ppid; /* < 0: none */
    const char *image_path, *command_line, *user;
    int64_t ts_us;
};

struct wedr_detect_step {
    const struct wedr_alert_row *alerts;
    size_t alert_count;
    const struct wedr_response_row *responses;
    size_t response_count;
    const struct wedr_process_row *processes;
    size_t process_count;
    int64_t now_us;
    int64_t cursor; /* < 0: stays as it is */
    /* Set by apply. */
    uint64_t alerts_new, alerts_again, alerts_dropped, processes_dropped;
    uint64_t alert_bytes_dropped, evidence_cut; /* cut: lines that were not kept */
    uint64_t alert_bytes;                       /* of all alerts, now */
};

struct wedr_alert_query {
    int64_t since_us;     /* event time */
    int64_t behind_id;    /* only newer rows */
    const char *agent_id; /* NULL: all */
    const char *rule_id;
    uint64_t limit; /* the newest ones */
};

/* Texts are borrowed during the call. Anything but 0 ends the walk and is returned. */
typedef int wedr_alert_fn(void *ctx, const struct wedr_alert_row *row);
typedef int wedr_evidence_fn(void *ctx, const struct wedr_evidence_row *row);
typedef int wedr_process_fn(void *ctx, const struct wedr_process_row *row);

struct wedr_state_detect_ops {
    /* All of it and the cursor, or nothing. */
    int (*apply)(struct wedr_state *s, struct wedr_detect_step *step);
    /* WEDR_E_NOENT before the first apply. */
    int (*cursor)(struct wedr_state *s, int64_t *ret);
    /* Oldest first, without evidence. */
    int (*alerts)(struct wedr_state *s,
                  const struct wedr_alert_query *q,
                  wedr_alert_fn *fn,
                  void *ctx);
    int (*evidence)(struct wedr_state *s, int64_t alert, wedr_evidence_fn *fn, void *ctx);
    /* The process and its known ancestors, at most max. */
    int (*ancestry)(struct wedr_state *s,
                    const char *agent_id,
                    const char *process_key,
                    size_t max,
                    wedr_process_fn *fn,
                    void *ctx);
};
