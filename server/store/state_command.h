/* SPDX-License-Identifier: Apache-2.0
 *
 * server/store/state_command.h — what people told agents to do, and what became of it. Part of the
 * state store: same rules of threads and durability; questions of people take the asker's scope as
 * in state_triage.h. Every creation, cancellation and result writes its audit entry in the same
 * transaction.
 */
#pragma once

#include "core/base/attr.h"
#include "store/state_triage.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEDR_COMMANDS_OPEN_MAX 32u /* of one agent: pending and sent */
#define WEDR_COMMANDS_KEPT 1000u   /* of one agent, over ones; the oldest go first */
#define WEDR_COMMANDS_AT_ONCE 8u   /* in one answer to an agent */
#define WEDR_COMMAND_ID_TEXT 37u   /* a UUID with NUL */
#define WEDR_COMMAND_PAYLOAD_MAX 512u
#define WEDR_COMMAND_RESULT_MAX 4096u
#define WEDR_COMMAND_REASON_MAX 500u

/* The numbers are stored. */
enum wedr_command_state {
    WEDR_COMMAND_PENDING, /* waits for its agent */
    WEDR_COMMAND_SENT,    /* given to its agent, at least once */
    WEDR_COMMAND_SUCCESS,
    WEDR_COMMAND_FAILED,
    WEDR_COMMAND_EXPIRED,   /* nobody answered in time */
    WEDR_COMMAND_CANCELLED, /* by a person, before it was sent */
    WEDR_COMMAND_STATES
};
/* "pending" ...; NULL beyond the enum. */
const char *wedr_command_state_name(unsigned state);
WEDR_MUST_USE int wedr_command_state_of(const char *name, uint8_t *ret); /* WEDR_E_NOENT */

struct wedr_command_row {
    int64_t row;    /* rises; cursor of lists */
    const char *id; /* UUID */
    const char *agent_id, *hostname;
    const char *type, *payload; /* payload: JSON object */
    const char *created_by;
    const char *reason; /* why, in that person's words; NULL is "" */
    uint8_t state;
    uint64_t counter; /* rises with every command of the agent; <= INT64_MAX */
    int64_t created_us, expires_us;
    int64_t sent_us, done_us; /* 0: not yet */
    const char *result;       /* JSON object; NULL: none */
};
/* Texts are borrowed during the call. Anything but 0 ends the walk and is returned. */
typedef int wedr_command_fn(void *ctx, const struct wedr_command_row *c);

struct wedr_command_ask {
    const char *agent_id; /* NULL: any */
    const char *type;     /* NULL: any */
    int state;            /* enum wedr_command_state; < 0: any */
    int64_t now_us;       /* what is overdue now is shown as expired */
    int64_t before;       /* only older rows; 0: from the newest */
    uint32_t limit;
};

struct wedr_state_command_ops {
    /* id, agent_id, type, payload, created_by, reason, created_us, expires_us of c. The counter is
     * above every earlier one of the agent, and at least created_us, so that it rises even after
     * the store went back to a backup. WEDR_E_NOENT: no such agent in scope; WEDR_E_LIMIT: too many
     * wait for it, or a text is too long. */
    int (*add)(struct wedr_state *s,
               const struct wedr_scope *scope,
               const struct wedr_command_row *c,
               const struct wedr_audit *who);
    /* What the agent has not answered and may still do, at most WEDR_COMMANDS_AT_ONCE, by counter;
     * they are `sent` when this returns. Reads alone when there is nothing. fn runs under the
     * store's lock. */
    int (*take)(
        struct wedr_state *s, const char *agent_id, int64_t now_us, wedr_command_fn *fn, void *ctx);
    /* The agent's answer to one that was sent to it. The first one counts: a second changes
     * nothing. WEDR_E_NOENT: it has none of this id; WEDR_E_LIMIT: the result is too long. */
    int (*done)(struct wedr_state *s,
                const char *agent_id,
                const char *id,
                bool success,
                const char *result,
                const struct wedr_audit *who,
                bool *ret_again);
    /* WEDR_E_NOENT; WEDR_E_STATE: it is not pending any more. */
    int (*cancel)(struct wedr_state *s,
                  const struct wedr_scope *scope,
                  const char *id,
                  int64_t now_us,
                  const struct wedr_audit *who);
    /* The newest first. */
    int (*list)(struct wedr_state *s,
                const struct wedr_scope *scope,
                const struct wedr_command_ask *ask,
                wedr_command_fn *fn,
                void *ctx);
    int (*get)(struct wedr_state *s,
               const struct wedr_scope *scope,
               const char *id,
               int64_t now_us,
               wedr_command_fn *fn,
               void *ctx); /* WEDR_E_NOENT */
};
