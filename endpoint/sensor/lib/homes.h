/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/sensor/lib/homes.h — the homes of this machine's accounts, and what lies in them as seen
 * by root, whom their owners may lead by links wherever they like. Any thread.
 */
#pragma once

#include "core/base/attr.h"
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define WEDR_HOMES_MAX 1024u
#define WEDR_HOME_PATH 128u

struct wedr_home {
    char path[WEDR_HOME_PATH]; /* absolute, not the root */
    uid_t uid;                 /* the account's */
};

/* As /etc/passwd itself has them, not the name service, which may ask the network. At most
 * WEDR_HOMES_MAX; an array by wedr_alloc, whether they exist or not. WEDR_E_NOMEM. */
WEDR_MUST_USE int wedr_homes_read(struct wedr_home **ret, size_t *ret_count);

/* Opens (O_PATH) what lies at the relative path below dir, the home or a folder in it that was
 * opened so; its parts are neither "." nor "..". *over_link is false for the home itself; it
 * becomes true when a link was on the way, which is followed. What is reached without a link must
 * belong to the account or to root, anything else to the account: nobody makes a folder of others
 * his own by a link. -1: there is none, or it is not taken. The caller has asked wedr_mounts_local.
 */
int wedr_home_open(const struct wedr_home *h, int dir, const char *path, bool *over_link);
