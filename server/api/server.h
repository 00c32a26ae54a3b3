/* SPDX-License-Identifier: Apache-2.0
 * server/api/server.h — the running server's parts, for server/api and server/admin. */
#pragma once

#include "api/api.h"
#include "api/metrics.h"
#include "api/stages.h"
#include "auth/limit.h"
#include "http/http.h"
#include "http/static.h"
#include "store/state_people.h"
#include "wedr/plat/fs.h"

#define WEDR_AGENT_SLOTS 1024u
#define WEDR_BUNDLES_CACHED 8u

struct wedr_json;

struct wedr_cached_bundle {
    char sha256[65];
    struct wedr_shared *bytes;
    uint64_t used;
};

/* A profile's template as it was first asked for after a publishing; profile.c. */
struct wedr_cached_template {
    char sha256[65]; /* of the bundle that was published with it */
    struct wedr_shared *bytes;
    uint64_t used;
};

/* What the interface for people keeps in memory; admin/auth.c. */
struct wedr_people_live {
    struct wedr_mutex *lock; /* of what follows */
    struct wedr_settings settings;
    struct wedr_touch {
        int64_t id, us;
        bool token;
    } touch[256]; /* used since the last tick; more are noted the next time */
    size_t touch_count;
    struct wedr_limit *signin_limit; /* thread-safe by itself */
};

struct wedr_server {
    struct wedr_server_deps d;
    struct wedr_http_server *http;
    struct wedr_route *routes; /* owned: admin/routes.c */
    size_t route_count;
    struct wedr_static *files; /* of the console; NULL: none were built */
    struct wedr_stages *stages;
    struct wedr_tail *tail;       /* admin/tail.h */
    struct wedr_exports *exports; /* admin/export.h */
    struct wedr_limit *enroll_limit;
    struct wedr_people_live people;
    struct wedr_metrics metrics;
    wedr_handle listener;
    uint64_t names_checked_ms;
    atomic_bool store_ok;
    /* Compressed bytes in memory by hash of the agent; two agents may share a slot, which only
     * makes it stricter. */
    _Atomic uint64_t agent_bytes[WEDR_AGENT_SLOTS];
    struct wedr_cached_bundle bundles[WEDR_BUNDLES_CACHED]; /* of the control thread */
    struct wedr_cached_template templates[WEDR_BUNDLES_CACHED];
    uint64_t bundle_clock;
};

extern const struct wedr_route wedr_agent_routes[];
extern const size_t wedr_agent_route_count;

/* agents.c: who is asking; answers when the certificate does not open the route. */
void wedr_api_authenticate(struct wedr_server *s, struct wedr_request *rq);
void wedr_api_enroll_begin(void *arg, struct wedr_request *rq);
void wedr_api_enroll(void *arg, struct wedr_request *rq);
void wedr_api_renew(void *arg, struct wedr_request *rq);
void wedr_api_heartbeat(void *arg, struct wedr_request *rq);
/* The certificate of a renewal was used for the first time: it becomes the current one. */
void wedr_api_adopt_certificate(struct wedr_server *s, const struct wedr_request *rq);
/* rules.c: the bundle of the agent's profile. */
void wedr_api_rules(void *arg, struct wedr_request *rq);
/* Adds "rules" to a heartbeat's answer when there is a bundle. */
void wedr_api_rules_offer(struct wedr_server *s,
                          const struct wedr_request *rq,
                          struct wedr_json *j);
void wedr_api_rules_fini(struct wedr_server *s);
/* commands.c: what people want an agent to do. */
#define WEDR_HEARTBEAT_ANSWER_MAX 16384u
/* Adds "pending_commands" to an answer, each signed; what is in it counts as sent. */
WEDR_MUST_USE int wedr_api_commands_offer(struct wedr_server *s,
                                          const char *agent_id,
                                          const uint8_t sign_public[WEDR_SIGN_PUBLIC_LEN],
                                          int64_t now_us,
                                          struct wedr_json *j);
/* The same without a heartbeat. */
void wedr_api_commands(void *arg, struct wedr_request *rq);
void wedr_api_command_ack(void *arg, struct wedr_request *rq);
/* profile.c */
void wedr_api_profile(void *arg, struct wedr_request *rq);
void wedr_api_template(void *arg, struct wedr_request *rq);
void wedr_api_profile_fini(struct wedr_server *s);
/* alerts.c */
void wedr_api_alerts(void *arg, struct wedr_request *rq);
/* logs.c */
void wedr_api_logs_begin(void *arg, struct wedr_request *rq);
void wedr_api_logs(void *arg, struct wedr_request *rq);
/* Gives back what wedr_api_logs_begin reserved. */
void wedr_api_logs_release(struct wedr_server *s, struct wedr_request *rq);
