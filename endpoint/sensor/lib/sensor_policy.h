/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/sensor/lib/sensor_policy.h — what the programs leave out, changed while they run.
 * Whoever has the sensor open (the holder); one thread. docs/sensor.md says what a filter can and
 * cannot hide.
 */
#pragma once

#include "sensor.h"
#include "wedr/wire/sensor_policy.h"

struct wedr_sensor_policy {
    uint64_t kinds; /* bit c: records of type code c are made; the process kinds always are */
    /* What follows holds for bulk kinds alone. */
    const uint32_t *uids; /* whose doing is left out */
    size_t uid_count;
    const uint64_t *cgroups; /* ids of version 2; what lies below them too */
    size_t cgroup_count;
    /* A prefix is compared byte by byte: end a folder's with "/". The longest that matches decides.
     * At most WEDR_POLICY_PREFIX_MAX bytes, not empty. */
    const char *const *paths_out;
    size_t path_out_count;
    const char *const *paths_watched;
    size_t path_watched_count;
    const char *const *xattrs_watched; /* names of extended attributes, "security." */
    size_t xattr_count;
    uint32_t budget[WEDR_POLICY_KINDS]; /* records of a kind per process and window; 0: no limit */
    uint32_t window_ms;
};

/* What holds until a policy is set: every kind but thread_create and thread_exit, nothing left out,
 * no budgets. */
void wedr_sensor_policy_init(struct wedr_sensor_policy *ret);

/* The new policy replaces the old one as a whole and at one moment: every event is judged by one of
 * the two. Copies what it needs. WEDR_E_RANGE: more members than WEDR_POLICY_SET_MAX, or a prefix
 * that is empty or too long. After a failure the old policy holds. May take some milliseconds: it
 * waits until no program still uses the policy before the last one. */
WEDR_MUST_USE int wedr_sensor_policy_set(struct wedr_sensor *s,
                                         const struct wedr_sensor_policy *p,
                                         struct wedr_errinfo *ei);

/* The agent's own processes, left out of bulk kinds; again after each start of a child, with all of
 * them. WEDR_E_RANGE: more than WEDR_POLICY_SELF_MAX. */
WEDR_MUST_USE int wedr_sensor_self_set(struct wedr_sensor *s, const uint32_t *pids, size_t count);

/* Id of a cgroup by its path below the root of the version 2 hierarchy ("/system.slice").
 * WEDR_E_NOENT: there is none of that name now. */
WEDR_MUST_USE int wedr_sensor_cgroup_id(const char *path, uint64_t *ret);
