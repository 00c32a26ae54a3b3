/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/enrich/resolver.h — names of users and groups, looked up by a thread of its
 * own. One thread asks and takes answers.
 */
#pragma once

#include "core/base/attr.h"
#include "wedr/wire/msg.h"
#include <stdbool.h>

#define WEDR_RESOLVER_QUEUE 256u

struct wedr_resolver;

/* Starts the thread. */
WEDR_MUST_USE int wedr_resolver_new(struct wedr_resolver **ret);
/* Waits for the lookup that is under way; NULL is allowed. */
void wedr_resolver_free(struct wedr_resolver *r);
/* What does not fit is forgotten: the one who asked does so again. */
void wedr_resolver_ask(struct wedr_resolver *r, const struct wedr_msg_name_ask *m);
/* True: *ret is an answer. *ret_pending: questions are open. */
WEDR_MUST_USE bool
wedr_resolver_next(struct wedr_resolver *r, struct wedr_msg_name *ret, bool *ret_pending);
