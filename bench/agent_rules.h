/* SPDX-License-Identifier: Apache-2.0
 * bench/agent_rules.h — rules over the lines of an encoder, as an agent runs them. */
#pragma once

#include "encode/encode.h"
#include <stdbool.h>

struct agent_rules;

struct agent_rules_info {
    uint32_t rules;
    size_t bundle_bytes, memory_bytes;
    double write_ms, check_ms, load_ms, compile_ms, tap_ms; /* CPU */
    uint64_t wanted, filled, matches; /* events: of a type with rules, of a class */
};

/* Sigma files of a folder or file as a bundle; parts: enum wedr_bundle_part. NULL with a text on
 * stderr. */
struct agent_rules *
agent_rules_open(const char *path, uint32_t parts, const struct wedr_encoder *enc);
/* "linux", "windows" (agents) or "all"; UINT32_MAX for another word. */
uint32_t agent_rules_parts(const char *word);
void agent_rules_free(struct agent_rules *r);
/* The line that the encoder wrote last. */
void agent_rules_run(struct agent_rules *r,
                     const struct wedr_encoder *enc,
                     const struct wedr_event_view *v,
                     const char *line,
                     size_t len);
void agent_rules_info(const struct agent_rules *r, struct agent_rules_info *ret);
