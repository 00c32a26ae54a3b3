/* SPDX-License-Identifier: Apache-2.0
 *
 * server/store/state_triage.h — what people make of what was found: state, assignee, labels and
 * comments of alerts; group and note of endpoints; and the questions that people ask of both. Part
 * of the state store. Reading has connections of its own, so that no question of a person holds up
 * an agent; each question has a time limit (WEDR_E_TIMEOUT). Every call takes the asker's scope:
 * what lies outside of it is not there (WEDR_E_NOENT), whatever was asked.
 */
#pragma once

#include "core/base/attr.h"
#include "store/state_detect.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEDR_GROUP_MAX 64u /* bytes of a group's name, with NUL */
#define WEDR_GROUP_DEFAULT "default"
#define WEDR_SCOPE_GROUPS_MAX 64u
#define WEDR_NOTE_MAX 4096u       /* with NUL */
#define WEDR_COMMENT_MAX 10000u   /* bytes of one */
#define WEDR_COMMENTS_MAX 1000u   /* of one alert */
#define WEDR_LABELS_MAX 32u       /* of one alert */
#define WEDR_LABEL_MAX 64u        /* bytes of one, with NUL */
#define WEDR_ASSIGNEE_MAX 128u    /* bytes, with NUL */
#define WEDR_BULK_MAX 500u        /* alerts in one change */
#define WEDR_TRIAGE_WORDS_MAX 8u  /* alternatives in one condition of a question */
#define WEDR_TRIAGE_TIME_MS 5000u /* of one question */

struct wedr_state;

/* Which endpoints somebody may see. groups NULL: all of them. An alert of the server over several
 * endpoints is in a scope when all of its evidence is. */
struct wedr_scope {
    const char *const *groups;
    size_t count; /* at most WEDR_SCOPE_GROUPS_MAX */
};

/* --- Alerts. */

enum wedr_alert_state {
    WEDR_ALERT_NEW,
    WEDR_ALERT_IN_PROGRESS,
    WEDR_ALERT_CLOSED,
    WEDR_ALERT_STATES
};
enum wedr_alert_resolution {
    WEDR_RESOLUTION_NONE,
    WEDR_RESOLUTION_TRUE_POSITIVE,
    WEDR_RESOLUTION_FALSE_POSITIVE,
    WEDR_RESOLUTION_BENIGN,
    WEDR_RESOLUTION_DUPLICATE,
    WEDR_RESOLUTIONS
};
/* "new", "true_positive", ... ; NULL beyond the enum and for WEDR_RESOLUTION_NONE. */
const char *wedr_alert_state_name(unsigned state);
const char *wedr_alert_resolution_name(unsigned resolution);
/* WEDR_E_NOENT. */
WEDR_MUST_USE int wedr_alert_state_of(const char *name, uint8_t *ret);
WEDR_MUST_USE int wedr_alert_resolution_of(const char *name, uint8_t *ret);

struct wedr_triage_alert {
    struct wedr_alert_row row; /* without evidence */
    uint8_t state, resolution; /* enums above */
    const char *assignee;      /* NULL: nobody */
    const char *labels;        /* JSON list of texts that people gave */
    uint64_t comments;         /* how many there are */
    uint64_t version;          /* rises with every change of the above */
    int64_t changed_us;        /* of the last change; 0: never */
};

/* Conditions; NULL or 0: any. Words are alternatives. */
struct wedr_alert_ask {
    const char *states[WEDR_TRIAGE_WORDS_MAX];
    size_t state_count;
    const char *severities[WEDR_TRIAGE_WORDS_MAX];
    size_t severity_count;
    const char *agent_id, *rule_id, *process_key;
    const char *assignee; /* "": those of nobody */
    const char *label;
    const char *q; /* part of host, rule, message, entity, path, command line, user or id */
    int64_t from_us, to_us; /* time of the event, from <= ts < to; to 0: no end */
    /* Newest event first, behind this place (behind_id 0: from the beginning) ... */
    int64_t behind_us, behind_id;
    /* ... or as they were stored, those behind this row. */
    bool by_id;
    int64_t after_id;
    uint32_t limit; /* at least 1 */
};

/* What is to change; a field is looked at when its flag is set. */
struct wedr_triage_change {
    bool set_state, set_resolution, set_assignee, set_labels;
    uint8_t state, resolution;
    const char *assignee; /* NULL: nobody */
    const char *labels;   /* JSON list */
};

struct wedr_comment_row {
    int64_t id;
    const char *author_id, *author, *text;
    int64_t ts_us;
};

/* Texts are borrowed during the call. Anything but 0 ends the walk and is returned. */
typedef int wedr_triage_alert_fn(void *ctx, const struct wedr_triage_alert *a);
typedef int wedr_comment_fn(void *ctx, const struct wedr_comment_row *c);
typedef int wedr_response_fn(void *ctx, const struct wedr_response_row *r);

/* `who` is written to the audit log in the same transaction; NULL: nothing is. */
struct wedr_audit;

/* --- Endpoints. */

enum wedr_endpoint_status {
    WEDR_ENDPOINT_ONLINE,
    WEDR_ENDPOINT_DEGRADED, /* online, and its heartbeat says that something is wrong */
    WEDR_ENDPOINT_OFFLINE,  /* no heartbeat for 2.5 intervals */
    WEDR_ENDPOINT_NEVER,    /* enrolled, no heartbeat so far */
    WEDR_ENDPOINT_REVOKED,
    WEDR_ENDPOINT_STATUSES
};
const char *wedr_endpoint_status_name(unsigned status);
WEDR_MUST_USE int wedr_endpoint_status_of(const char *name, uint8_t *ret); /* WEDR_E_NOENT */

struct wedr_endpoint_row {
    const char *agent_id, *hostname, *os, *os_version, *agent_version;
    const char *group, *note, *address; /* address "": not known yet */
    const char *profile;
    const char *status_json; /* the last heartbeat's, "{}" before the first; hostile */
    uint8_t status;
    int64_t enrolled_us, last_seen_us;
    uint64_t version; /* rises with every change by a person */
};
typedef int wedr_endpoint_fn(void *ctx, const struct wedr_endpoint_row *e);

struct wedr_endpoint_ask {
    int64_t online_since_us;             /* a heartbeat at or behind this is recent */
    const char *q, *group;               /* q: part of host name, id, system or address */
    int status;                          /* enum wedr_endpoint_status; < 0: any */
    const char *behind_host, *behind_id; /* by host name, behind this place; NULL: the beginning */
    uint32_t limit;
};

struct wedr_endpoint_change {
    const char *group, *note; /* NULL: stays */
    bool set_revoked, revoked;
};

struct wedr_endpoint_counts {
    uint64_t by_status[WEDR_ENDPOINT_STATUSES];
};

typedef int wedr_agent_stream_fn(void *ctx, uint64_t epoch, const char *stream, uint64_t in_flight);
typedef int wedr_group_fn(void *ctx, const char *group, uint64_t endpoints);

/* --- Processes, of those that the store still knows. */

struct wedr_process_info {
    const char *process_key, *parent_key; /* parent_key and texts may be NULL */
    int64_t pid, ppid;                    /* < 0: not known */
    const char *image_path, *command_line, *user;
    int64_t started_us, ended_us; /* < 0: not known */
};
typedef int wedr_process_info_fn(void *ctx, const struct wedr_process_info *p);

/* --- Rules, read only. */

struct wedr_rule_row {
    const char *id, *title, *language, *source;
    uint32_t version;
    bool enabled, builtin;
    int64_t updated_us;
    uint64_t alerts;      /* of the asked time, within the scope */
    const char *severity; /* of its gravest rule, else of its newest alert; NULL: not known */
};
typedef int wedr_rule_row_fn(void *ctx, const struct wedr_rule_row *r);

struct wedr_state_triage_ops {
    /* In the order that the ask says; at most limit. */
    int (*alerts)(struct wedr_state *s,
                  const struct wedr_scope *scope,
                  const struct wedr_alert_ask *ask,
                  wedr_triage_alert_fn *fn,
                  void *ctx);
    int (*alert)(struct wedr_state *s,
                 const struct wedr_scope *scope,
                 int64_t id,
                 wedr_triage_alert_fn *fn,
                 void *ctx);
    /* Newest row of all, 0 without any. */
    int (*alert_newest)(struct wedr_state *s, int64_t *ret_id);
    /* All of them or none. if_version: WEDR_E_CONFLICT when an alert has another one (0: any).
     * WEDR_E_NOENT: one is not there or not in scope. WEDR_E_STATE: a resolution of an alert that
     * is not closed then. A state that is not closed takes the resolution away. ret_changed: rows
     * that differ now; who is noted for each of them, with the alert as its object. */
    int (*alert_change)(struct wedr_state *s,
                        const struct wedr_scope *scope,
                        const int64_t *ids,
                        size_t count,
                        uint64_t if_version,
                        const struct wedr_triage_change *change,
                        int64_t now_us,
                        const struct wedr_audit *who,
                        size_t *ret_changed);
    /* Oldest first, those behind after_id. The caller has seen that the alert is in scope. */
    int (*comments)(struct wedr_state *s,
                    int64_t alert,
                    int64_t after_id,
                    uint32_t limit,
                    wedr_comment_fn *fn,
                    void *ctx);
    /* WEDR_E_NOENT; WEDR_E_LIMIT above WEDR_COMMENTS_MAX. Does not change the version: two people
     * may comment and change at the same time. */
    int (*comment_add)(struct wedr_state *s,
                       const struct wedr_scope *scope,
                       int64_t alert,
                       const struct wedr_comment_row *c, /* without id */
                       const struct wedr_audit *who,
                       int64_t *ret_id);
    /* WEDR_E_NOENT; WEDR_E_PERM: somebody else's. */
    int (*comment_delete)(struct wedr_state *s,
                          const struct wedr_scope *scope,
                          int64_t alert,
                          int64_t comment,
                          const char *author_id,
                          const struct wedr_audit *who);
    /* What agents did about this alert, oldest first. */
    int (*responses)(struct wedr_state *s,
                     const char *agent_id,
                     const char *alert_id,
                     uint32_t limit,
                     wedr_response_fn *fn,
                     void *ctx);

    int (*endpoints)(struct wedr_state *s,
                     const struct wedr_scope *scope,
                     const struct wedr_endpoint_ask *ask,
                     wedr_endpoint_fn *fn,
                     void *ctx);
    int (*endpoint)(struct wedr_state *s,
                    const struct wedr_scope *scope,
                    const char *agent_id,
                    int64_t online_since_us,
                    wedr_endpoint_fn *fn,
                    void *ctx);
    int (*endpoint_counts)(struct wedr_state *s,
                           const struct wedr_scope *scope,
                           int64_t online_since_us,
                           struct wedr_endpoint_counts *ret);
    int (*endpoint_streams)(struct wedr_state *s,
                            const char *agent_id,
                            wedr_agent_stream_fn *fn,
                            void *ctx);
    /* WEDR_E_NOENT, WEDR_E_CONFLICT as for alerts. */
    int (*endpoint_change)(struct wedr_state *s,
                           const struct wedr_scope *scope,
                           const char *agent_id,
                           uint64_t if_version,
                           const struct wedr_endpoint_change *change,
                           const struct wedr_audit *who);
    /* Where its last heartbeat came from. */
    int (*endpoint_address)(struct wedr_state *s, const char *agent_id, const char *address);
    /* True when the endpoint is there and in scope. */
    int (*in_scope)(struct wedr_state *s,
                    const struct wedr_scope *scope,
                    const char *agent_id,
                    bool *ret);
    /* Ids of all endpoints in a scope, each once: for what is filtered in memory. */
    int (*scope_agents)(struct wedr_state *s,
                        const struct wedr_scope *scope,
                        int (*fn)(void *ctx, const char *agent_id),
                        void *ctx);

    int (*process)(struct wedr_state *s,
                   const char *agent_id,
                   const char *process_key,
                   wedr_process_info_fn *fn,
                   void *ctx);
    /* In the order in which they began. */
    int (*children)(struct wedr_state *s,
                    const char *agent_id,
                    const char *process_key,
                    uint32_t limit,
                    wedr_process_info_fn *fn,
                    void *ctx);

    /* By id, behind `behind` (NULL: the beginning). */
    int (*rules)(struct wedr_state *s,
                 const struct wedr_scope *scope,
                 const char *behind,
                 int64_t alerts_since_us,
                 uint32_t limit,
                 wedr_rule_row_fn *fn,
                 void *ctx);
};
