/* SPDX-License-Identifier: Apache-2.0
 *
 * server/api/api.h — the running server: routes, worker threads, group commit. docs/server-api.md
 * says what each route takes and answers.
 */
#pragma once

#include "auth/ca.h"
#include "core/base/attr.h"
#include "core/util/cfg.h"
#include "core/util/errinfo.h"
#include "detect/worker.h"
#include "store/events.h"
#include "store/state.h"
#include "wedr/plat/pki.h"
#include <stddef.h>
#include <stdint.h>

#define WEDR_SERVER_VERSION "0.1.0"

struct wedr_server_cfg {
    char listen[128];
    char names[4096]; /* list */
    char console_dir[1024];
    uint64_t http_threads, connections_max, connections_per_address, header_bytes;
    uint64_t header_deadline_ms, open_deadline_ms, body_deadline_ms, work_deadline_ms, keepalive_ms;
    uint64_t enroll_attempts_per_minute, enrolments_per_minute;
    uint64_t query_threads, stream_life_ms, signins_per_minute, signins_total_per_minute;
    uint64_t workers, inflight_bytes, agent_inflight_bytes, commit_batches, commit_bytes,
        commit_wait_us, commit_longest_us;
    uint64_t checkin_interval_s, command_poll_s, sql_time_limit_ms, hunt_time_limit_ms;
    char log_level[8];
    struct wedr_events_settings events;
};
extern const struct wedr_cfg_option wedr_server_options[];
extern const size_t wedr_server_option_count;

struct wedr_server;

struct wedr_server_deps {
    const struct wedr_server_cfg *cfg; /* borrowed */
    const char *data_dir;              /* borrowed */
    const struct wedr_state_ops *state_ops;
    struct wedr_state *state; /* borrowed */
    const struct wedr_events_ops *events_ops;
    struct wedr_events *events;                 /* borrowed */
    struct wedr_ca *ca;                         /* borrowed */
    struct wedr_detect *detect;                 /* borrowed; NULL: nothing is detected */
    uint8_t rules_public[WEDR_SIGN_PUBLIC_LEN]; /* of the key that signs bundles */
    /* Of the key that signs commands; both halves. Whoever fills this in wipes it. */
    uint8_t command_public[WEDR_SIGN_PUBLIC_LEN], command_secret[WEDR_SIGN_SECRET_LEN];
};

/* Listens and serves. ret_address ("127.0.0.1:8443") has room for 64 bytes. */
WEDR_MUST_USE int wedr_server_start(const struct wedr_server_deps *deps,
                                    char ret_address[64],
                                    struct wedr_server **ret,
                                    struct wedr_errinfo *ei);
/* About once a second: store housekeeping is its own, this looks after the server's certificate. */
void wedr_server_tick(struct wedr_server *s);
/* Stops accepting, finishes what is under way (at most grace_ms), frees. NULL is allowed. */
void wedr_server_stop(struct wedr_server *s, uint32_t grace_ms);
