/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/holder_kill.h — ends processes that rules or commands want ended. Core asks
 * for rules; what it says is not believed: the policy is that of the verified bundle, the process
 * is looked up here, by its number and by the key that only it has. A command's signature stands
 * for the policy. What is protected is never ended. Bounded, never waits. One thread.
 */
#pragma once

#include "core/base/attr.h"
#include "wedr/plat/ipc.h"
#include "wedr/plat/target.h"
#include "wedr/wire/msg.h"
#include <stdbool.h>
#include <stdint.h>

#define WEDR_KILLS_MAX 64u           /* under way at once */
#define WEDR_KILLS_WAITING_MAX 1024u /* asked for meanwhile; begun in their order */
#define WEDR_KILL_DEADLINE_MS                                           \
    5000u /* a process that has not ended by then is reported as failed \
           */
#define WEDR_KILL_PROTECTED_MAX 4u

/* What may be ended at all. */
struct wedr_kill_policy {
    bool allowed; /* by the bundle that is at work */
    bool replay;  /* the events are of another time: nothing is ended */
    uint32_t protected_pids[WEDR_KILL_PROTECTED_MAX]; /* the agent's processes; 0: none */
};

struct wedr_kill_slot {
    bool used, answered, command;
    uint64_t since_us, deadline_ms;
    struct wedr_target target;
    struct wedr_msg_kill_result result;
};
struct wedr_kill_waiting {
    uint64_t since_us;
    bool command;
    struct wedr_msg_kill m;
};
struct wedr_kills {
    struct wedr_kill_slot slot[WEDR_KILLS_MAX];
    struct wedr_kill_waiting waiting[WEDR_KILLS_WAITING_MAX]; /* a ring */
    size_t first_waiting, waiting_count;
    uint64_t asked, done, refused, failed;
};

void wedr_kills_init(struct wedr_kills *k);
void wedr_kills_fini(struct wedr_kills *k);
/* Takes a request. The answer, at once or later, is what wedr_kills_next gives; the same process
 * asked for again while it is under way or waits gives no second one. WEDR_E_FULL when no more may
 * wait: nothing is done. */
WEDR_MUST_USE int wedr_kills_ask(struct wedr_kills *k,
                                 const struct wedr_msg_kill *m,
                                 const struct wedr_kill_policy *policy);
/* The same by a command that was verified: whatever the bundle says, also where events are recorded
 * ones, and with an answer of its own also when the process is under way already. */
WEDR_MUST_USE int wedr_kills_command(struct wedr_kills *k,
                                     const struct wedr_msg_kill *m,
                                     const struct wedr_kill_policy *policy);
/* The answer to a request that was not taken. */
void wedr_kills_refuse(const struct wedr_msg_kill *m, int err, struct wedr_msg_kill_result *ret);
/* Looks which targets have ended or are overdue, and begins what waits where there is room: under
 * the policy of now, not of the time when it was asked for. */
void wedr_kills_tick(struct wedr_kills *k, const struct wedr_kill_policy *policy);
/* Fills w (WEDR_KILLS_MAX entries) with what to wait for. */
void wedr_kills_wait(const struct wedr_kills *k, struct wedr_wait *w);
/* The next answer to core, WEDR_E_NOENT when there is none; it stays until it is taken. */
WEDR_MUST_USE int
wedr_kills_next(const struct wedr_kills *k, size_t *ret_slot, struct wedr_msg_kill_result *ret);
/* The same to a command. */
WEDR_MUST_USE int wedr_kills_next_command(const struct wedr_kills *k,
                                          size_t *ret_slot,
                                          struct wedr_msg_kill_result *ret);
void wedr_kills_taken(struct wedr_kills *k, size_t slot);
