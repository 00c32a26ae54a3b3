/* SPDX-License-Identifier: Apache-2.0
 *
 * server/fleet/control.h — what agents say on the control plane besides heartbeats: what became of
 * a command, and alerts in the plain form of agents that keep no streams. Hostile bytes, strict as
 * in fleet.h. Pure, any thread. Fuzzed.
 */
#pragma once

#include "core/base/attr.h"
#include "core/util/errinfo.h"
#include "store/state_command.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEDR_FLEET_ALERTS_MAX 64u
#define WEDR_FLEET_ALERTS_BODY_MAX (1u << 20)
#define WEDR_FLEET_EVIDENCE_MAX 16384u /* bytes of one alert's evidence as compact JSON */

struct wedr_fleet_ack {
    bool success;
    char result[WEDR_COMMAND_RESULT_MAX + 1]; /* JSON object; "{}" when there was none */
};
/* {"status": "success"|"completed"|"failed", "result": {...}}. WEDR_E_FORMAT; WEDR_E_LIMIT: the
 * result is too long. */
WEDR_MUST_USE int wedr_fleet_ack_parse(const void *body,
                                       size_t len,
                                       struct wedr_fleet_ack *ret,
                                       struct wedr_errinfo *ei);

struct wedr_fleet_alert {
    char id[33]; /* hex, made of the agent and everything that the alert says: the same again is the
                    same alert */
    int64_t ts_us;
    char rule_id[256], rule_name[256];
    const char *severity; /* a constant */
    bool killed;          /* action_taken was "kill", not "alert" */
    int64_t pid;          /* of the evidence; < 0: none */
    char process_key[17]; /* the same; "": none */
    char *evidence;       /* JSON object, at most WEDR_FLEET_EVIDENCE_MAX; owned */
};
struct wedr_fleet_alerts {
    struct wedr_fleet_alert v[WEDR_FLEET_ALERTS_MAX];
    size_t count;
    uint64_t skipped; /* elements that are no alert */
};
/* {"alerts": [...]}. WEDR_E_FORMAT, WEDR_E_LIMIT (too many), WEDR_E_NOMEM. On success *ret is the
 * caller's to fini. */
WEDR_MUST_USE int wedr_fleet_alerts_parse(const char *agent_id,
                                          const void *body,
                                          size_t len,
                                          struct wedr_fleet_alerts *ret,
                                          struct wedr_errinfo *ei);
void wedr_fleet_alerts_fini(struct wedr_fleet_alerts *a);
