/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/config.h — agent.json: one option table behind parser, defaults and
 * docs/agent-config.md. The file is parsed by a short-lived child without rights, which hands back
 * the filled structure; the holder checks every member of it again against the table. One thread.
 */
#pragma once

#include "core/base/attr.h"
#include "core/util/cfg.h"
#include "core/util/errinfo.h"
#include "wedr/rules/settings.h"
#include <stdbool.h>
#include <stdint.h>

#define WEDR_CONFIG_FILE "agent.json"
#define WEDR_CONFIG_FILE_MAX (1u << 20)

struct wedr_agent_cfg {
    uint64_t max_bytes_per_file, max_age_ms, max_total_bytes, zstd_level;
    char source[16]; /* "auto", "ebpf", "proc" */
    uint64_t core_uid, net_uid, facts_uid;
    char hooks_off[1024]; /* list */
    bool enrich, packages, redact;
    uint64_t hash_bytes_per_sec, hash_file_bytes_max;
    char redact_names[512];
    bool shipper_enabled;
    char server_url[512];
    char proxy[256];
    uint64_t timeout_secs, connect_timeout_secs, max_backoff_secs;
    uint64_t heartbeat_interval_secs;
    char log_level[16];
    uint64_t log_max_bytes;
    struct wedr_sensor_settings sensor;
};

const struct wedr_cfg_option *wedr_agent_options(size_t *ret_count);

/* Defaults, then <state>/agent.json over them when it is there. WEDR_E_FORMAT with the line,
 * WEDR_E_PERM when the file may be written by others than its owner. Starts and ends one child. */
WEDR_MUST_USE int
wedr_agent_config_load(const char *state_dir, struct wedr_agent_cfg *ret, struct wedr_errinfo *ei);
/* The same, and the profile's lines of rules/settings.h over it unless sensor.from_profile forbids.
 * An error in the lines begins with "profile: ". */
WEDR_MUST_USE int wedr_agent_config_load_with(const char *state_dir,
                                              const char *lines,
                                              size_t len,
                                              struct wedr_agent_cfg *ret,
                                              struct wedr_errinfo *ei);
/* The parse alone, in this process: for the child, tests and the fuzz target. */
WEDR_MUST_USE int wedr_agent_config_parse(const char *json,
                                          size_t len,
                                          struct wedr_agent_cfg *ret,
                                          struct wedr_errinfo *ei);
/* Checks a block of bytes that claims to be the structure: size, every text ended, every number
 * within its range, every truth value 0 or 1, and what the members mean together. */
WEDR_MUST_USE int wedr_agent_config_check(const void *block,
                                          size_t len,
                                          struct wedr_agent_cfg *ret,
                                          struct wedr_errinfo *ei);
