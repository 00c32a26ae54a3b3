/* SPDX-License-Identifier: Apache-2.0
 * cli/wedr-rules/load.h — rule files into an engine and a field map for every form of events. */
#pragma once

#include "core/util/buf.h"
#include "wedr/rules/engine.h"

#define WEDR_LOAD_RULESET_MAX ((size_t)256 << 20) /* bytes */
#define WEDR_LOAD_TABLES_MAX ((size_t)256 << 20)

extern const char *const wedr_load_endings[]; /* of rule files */

/* A rule that does not compile, or a file (line 0) that cannot be read. */
typedef void wedr_load_failed_fn(void *ctx, const char *file, uint32_t line, const char *reason);

struct wedr_load {
    wedr_load_failed_fn *failed_fn; /* NULL: printed on standard error */
    void *ctx;
    struct wedr_engine *engine;
    struct wedr_field_map *map;
    uint64_t files;    /* found, those that could not be read too */
    uint64_t rules;    /* documents in them: rules, correlations, filters; compiled or refused */
    uint64_t compiled; /* of the rules */
    uint64_t correlations, filters; /* of the compiled */
    uint64_t need_list;             /* of the compiled: a placeholder has no list */
    uint64_t failed;                /* calls of failed_fn */
};

/* Fills l, whose failed_fn and ctx are set; the counts are valid in any case. WEDR_E_NOMEM and what
 * wedr_engine_new_take says, when there is no engine at all; single bad rules are no error. */
WEDR_MUST_USE int
wedr_load_rules(struct wedr_load *l, char *const *paths, size_t count, struct wedr_errinfo *ei);
void wedr_load_fini(struct wedr_load *l);
