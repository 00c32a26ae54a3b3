/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/heartbeat.h — texts of the control plane: the heartbeat's body, and what the
 * server answers to it, to an enrolment and to a renewal. Hostile bytes: used only in processes
 * that may parse them. No state.
 */
#pragma once

#include "core/base/attr.h"
#include "core/util/buf.h"
#include "core/util/errinfo.h"
#include "wedr/wire/msg.h"
#include <stdbool.h>
#include <stdint.h>

struct wedr_heartbeat {
    const char *version;
    const struct wedr_msg_core_stats *core; /* NULL: none yet */
    const struct wedr_msg_net_stats *net;
    const struct wedr_msg_holder_state *holder; /* NULL: none yet */
};
#define WEDR_HEARTBEAT_MAX 16384u

/* The body into text[cap]; *ret_len its bytes. WEDR_E_RANGE when it does not fit. */
WEDR_MUST_USE int
wedr_heartbeat_write(const struct wedr_heartbeat *hb, char *text, size_t cap, size_t *ret_len);
/* "rules" of a heartbeat's answer: the bundle that the server has for this agent. */
struct wedr_rules_offer {
    bool there;
    uint8_t sha256[32];
    uint64_t size;
};
/* Not there, or malformed: there is false. */
void wedr_heartbeat_rules(const void *body, size_t len, struct wedr_rules_offer *ret);
/* *ret_next_s: seconds to the next one, within 1 .. 86,400; 0 when the server names none.
 * WEDR_E_FORMAT. */
WEDR_MUST_USE int wedr_heartbeat_answer(const void *body, size_t len, uint32_t *ret_next_s);
/* Copies the string `key` of the object. WEDR_E_NOENT, WEDR_E_FORMAT (no object, wrong type, NUL
 * inside), WEDR_E_RANGE (longer than cap - 1). */
WEDR_MUST_USE int
wedr_json_take_string(const void *body, size_t len, const char *key, char *ret, size_t cap);
/* {"csr_pem": "..."} into ret (init'ed by the caller). */
WEDR_MUST_USE int wedr_renew_body(const char *csr_pem, struct wedr_buf *ret);
