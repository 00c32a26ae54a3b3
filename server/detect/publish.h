/* SPDX-License-Identifier: Apache-2.0
 *
 * server/detect/publish.h — from stored rules to signed bundles that agents and the server run. All
 * or nothing, in one transaction: while one enabled source does not compile or one bundle cannot be
 * stored, what is in force stays in force. One thread.
 */
#pragma once

#include "detect/sources.h"
#include "wedr/plat/pki.h"

struct wedr_publish {
    const struct wedr_state_ops *ops;
    struct wedr_state *state;
    const uint8_t *secret; /* WEDR_SIGN_SECRET_LEN bytes */
    int64_t now_us;
    const char *profile; /* NULL: all of them */
    wedr_problem_fn *problem;
    /* A bundle that was stored, with all the others; may be NULL. */
    void (*published)(void *ctx, const struct wedr_bundle_row *row);
    void *ctx;
};

/* Compiles and stores bundles for every profile (or one) and system, and the server's own. *ret
 * refused: rules that do not compile; then nothing is stored and WEDR_E_FORMAT returned.
 * WEDR_E_NOENT: no such profile. */
WEDR_MUST_USE int
wedr_publish(const struct wedr_publish *p, uint32_t *ret_refused, struct wedr_errinfo *ei);

/* Brings the built-in rules of this program into the store (new ones, new versions; those that the
 * program no longer has are removed) and publishes when something changed or nothing is published
 * yet. Finds the severity of rules that have none written down. Rules of operators that do not
 * compile are told, and then nothing is published. */
WEDR_MUST_USE int wedr_publish_builtin(const struct wedr_publish *p, struct wedr_errinfo *ei);
