/* SPDX-License-Identifier: Apache-2.0
 * rules/settings.h — what an administrator says about the sensor of an endpoint: the section
 * `sensor` of agent.json, and the lines `sensor.key=value` that a profile carries inside its signed
 * bundle. Server and agent check both with this one table. No OS. Any thread. */
#pragma once

#include "core/util/cfg.h"
#include "core/util/errinfo.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEDR_SETTINGS_TEXT_MAX 8192u /* bytes of all lines of a profile */
#define WEDR_SETTINGS_KINDS 64u      /* type codes of kernel events are below */
#define WEDR_SETTINGS_UIDS_MAX 256u
#define WEDR_SETTINGS_PATHS_MAX 256u
#define WEDR_SETTINGS_PATH_MAX 120u /* bytes of one prefix */

/* Lists as WEDR_CFG_LIST has them. */
struct wedr_sensor_settings {
    char kinds_off[1024];
    char exclude_paths[4096];
    char watch_paths[4096];
    char watch_xattrs[512];
    char exclude_uids[2048];
    char exclude_cgroups[2048];
    char budgets[1024];
    uint64_t budget_window_ms;
    uint64_t cpu_percent;
    bool from_profile;
};

/* The rows for an option table; AT(member) gives offset and size. */
#define WEDR_SETTINGS_ROWS(AT)                                                                     \
    {"sensor.kinds_off",                                                                           \
     WEDR_CFG_LIST,                                                                                \
     AT(kinds_off),                                                                                \
     0,                                                                                            \
     0,                                                                                            \
     "thread_create,thread_exit",                                                                  \
     "event types that are not recorded; process events always are"},                              \
        {"sensor.exclude_paths",                                                                   \
         WEDR_CFG_LIST,                                                                            \
         AT(exclude_paths),                                                                        \
         0,                                                                                        \
         0,                                                                                        \
         "",                                                                                       \
         "beginnings of paths that bulk file events leave out, the longest that fits decides; "    \
         "what starts code on its own is recorded all the same"},                                  \
        {"sensor.watch_paths",                                                                     \
         WEDR_CFG_LIST,                                                                            \
         AT(watch_paths),                                                                          \
         0,                                                                                        \
         0,                                                                                        \
         "",                                                                                       \
         "beginnings of paths that are recorded whatever else is left out, and without a budget"}, \
        {"sensor.watch_xattrs",                                                                    \
         WEDR_CFG_LIST,                                                                            \
         AT(watch_xattrs),                                                                         \
         0,                                                                                        \
         0,                                                                                        \
         "security.,trusted.,system.posix_acl",                                                    \
         "beginnings of names of extended attributes whose changes are recorded"},                 \
        {"sensor.exclude_uids",                                                                    \
         WEDR_CFG_LIST,                                                                            \
         AT(exclude_uids),                                                                         \
         0,                                                                                        \
         0,                                                                                        \
         "",                                                                                       \
         "user ids whose bulk events are left out"},                                               \
        {"sensor.exclude_cgroups",                                                                 \
         WEDR_CFG_LIST,                                                                            \
         AT(exclude_cgroups),                                                                      \
         0,                                                                                        \
         0,                                                                                        \
         "",                                                                                       \
         "cgroups (paths below the root of version 2) whose bulk events are left out, with those " \
         "below them"},                                                                            \
        {"sensor.budgets",                                                                         \
         WEDR_CFG_LIST,                                                                            \
         AT(budgets),                                                                              \
         0,                                                                                        \
         0,                                                                                        \
         "*:2000",                                                                                 \
         "type:count, how many events of a bulk kind one process may make in a window; * stands "  \
         "for all that are not named, 0 for no limit; what is over is counted and told by "        \
         "activity_summary"},                                                                      \
        {"sensor.budget_window_ms", WEDR_CFG_U64, AT(budget_window_ms), 100, 60000, "1000",        \
         "length of that window"},                                                                 \
        {"sensor.cpu_percent",                                                                     \
         WEDR_CFG_U64,                                                                             \
         AT(cpu_percent),                                                                          \
         1,                                                                                        \
         6400,                                                                                     \
         "50",                                                                                     \
         "percent of one core that the agent may use for longer than some seconds; above it "      \
         "budgets of bulk kinds shrink, then bulk kinds stop, and sensor_state says so"},          \
    {                                                                                              \
        "sensor.from_profile", WEDR_CFG_BOOL, AT(from_profile), 0, 0, "true",                      \
            "false: what the profile of the server says about the sensor is ignored"               \
    }

/* What the settings mean, in numbers. */
struct wedr_settings_meaning {
    uint64_t kinds;                       /* bit c: events of type code c are recorded */
    uint32_t budget[WEDR_SETTINGS_KINDS]; /* of bulk kinds; 0: no limit */
    uint32_t uids[WEDR_SETTINGS_UIDS_MAX];
    size_t uid_count;
};

/* WEDR_E_FORMAT: an event type that no sensor makes or that is always on, a user id that is no
 * number, a budget of another form, a prefix that is no absolute path or too long, too many. */
WEDR_MUST_USE int wedr_settings_mean(const struct wedr_sensor_settings *s,
                                     struct wedr_settings_meaning *ret,
                                     struct wedr_errinfo *ei);
/* Is this a kind that budgets hold back? Bulk ones, but for what tells what was held back. */
bool wedr_settings_is_budgeted(uint16_t code);
/* The next entry of a list, NULL at its end. *at: the list at first. */
const char *wedr_settings_next(const char **at);

/* Lines `sensor.key=value` (each ends with a newline) over what s holds; a list is comma-separated,
 * an empty value is an empty list. sensor.from_profile is not a profile's to say. WEDR_E_FORMAT,
 * WEDR_E_RANGE with the key; s is then as before. */
WEDR_MUST_USE int wedr_settings_apply(struct wedr_sensor_settings *s,
                                      const char *lines,
                                      size_t len,
                                      struct wedr_errinfo *ei);
void wedr_settings_defaults(struct wedr_sensor_settings *ret);
