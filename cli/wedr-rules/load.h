/* SPDX-License-Identifier: Apache-2.0
 * cli/wedr-rules/load.h — rule files of every language, and the rules that come with the program,
 * into an engine and a field map for every form of events. */
#pragma once

#include "args.h"
#include "core/util/buf.h"
#include "facts.h"
#include "wedr/rules/engine.h"

#define WEDR_LOAD_RULESET_MAX ((size_t)256 << 20) /* bytes */
#define WEDR_LOAD_TABLES_MAX ((size_t)256 << 20)

extern const char *const wedr_load_endings[]; /* of rule files */

/* Not rules, but what rules are tested with: NAME.test.yml, info.yml. */
bool wedr_load_is_test(const char *path);

/* Whether a file of the pack ("linux/x.yml") is meant by "@pack", "@pack/linux" or its whole name.
 */
bool wedr_load_in_pack(const char *argument, const char *name);

/* A rule that does not compile, or a file (line 0) that cannot be read. shown: the same for a
 * person, of several lines; NULL when "file:line: reason" says it all. */
typedef void wedr_load_failed_fn(
    void *ctx, const char *file, uint32_t line, const char *reason, const char *shown);

struct wedr_load {
    const struct wedr_rules_args *args; /* which rules, pipelines and fields */
    wedr_load_failed_fn *failed_fn;     /* NULL: printed on standard error */
    void *ctx;
    bool with_disabled; /* rules that are off are on */
    bool want_facts;    /* fill facts */
    struct wedr_facts facts;
    struct wedr_ruleset *rs; /* until the engine took it */
    struct wedr_engine *engine;
    struct wedr_field_map *map;
    uint64_t files;    /* found, those that could not be read too */
    uint64_t rules;    /* in them: rules, correlations, filters, lists; compiled or refused */
    uint64_t compiled; /* of the rules */
    uint64_t correlations, filters; /* of the compiled */
    uint64_t need_list;             /* of the compiled: a placeholder has no list */
    uint64_t expired;               /* lists and entries of lists whose time is over */
    uint64_t warnings;
    uint64_t failed; /* calls of failed_fn */
    uint32_t chosen; /* rules that are matched and reported */
};

/* Fills l->rs, whose rules may still be changed. args, failed_fn and ctx of l are set; the counts
 * are valid in any case. WEDR_E_NOMEM and the like, when there is no ruleset at all; single bad
 * rules are no error. */
WEDR_MUST_USE int wedr_load_ruleset(struct wedr_load *l, struct wedr_errinfo *ei);
/* wedr_load_ruleset, then the choice of args, the engine and the map. */
WEDR_MUST_USE int wedr_load_rules(struct wedr_load *l, struct wedr_errinfo *ei);
/* The map alone, for a ruleset that is not l's or has no engine. */
WEDR_MUST_USE int wedr_load_map(struct wedr_load *l,
                                const struct wedr_ruleset *rs,
                                struct wedr_field_map **ret_map,
                                struct wedr_errinfo *ei);
void wedr_load_fini(struct wedr_load *l);
/* For what the commands find wrong themselves. */
void wedr_load_failed(
    struct wedr_load *l, const char *file, uint32_t line, const char *reason, const char *shown);
