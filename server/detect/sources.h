/* SPDX-License-Identifier: Apache-2.0
 *
 * server/detect/sources.h — rule sources in memory: what is stored, what somebody wants to add, and
 * what became of each when all were compiled together. One thread.
 */
#pragma once

#include "core/base/attr.h"
#include "core/util/errinfo.h"
#include "store/state.h"
#include "wedr/rules/event.h"

#define WEDR_SOURCES_MAX 100000u
#define WEDR_SOURCES_BYTES_MAX ((size_t)512 << 20)
#define WEDR_RULESET_BYTES_MAX ((size_t)256 << 20)

struct wedr_source {
    char *id; /* of a stored one; of a fresh one after compiling: its first rule's, or its name */
    const char *language; /* "sigma", "waza", "ioc" */
    char *name;           /* of the file, as errors give it */
    char *text;
    size_t len;
    bool enabled; /* a disabled one is not compiled; other files may include it */
    bool builtin, fresh;
    uint32_t version;
    char severity[16];   /* as stored */
    uint8_t severity_is; /* after compiling: enum wedr_severity of the gravest rule */
    /* After compiling. */
    uint32_t rule_count, first_rule; /* in the ruleset; hidden ones too */
    uint32_t problems;               /* that refuse something in it */
    char *title;                     /* of the first rule, its name when it has none */
    bool off; /* its first rule says that it is disabled: an operator has to enable it */
};

struct wedr_sources {
    struct wedr_source *v;
    size_t count, cap, bytes;
    struct wedr_source_list *lists; /* what placeholders stand for */
    size_t list_count;
};

/* Language by the name's ending (.yml .yaml, .waza, .ioc); NULL: no rule file. Test cases
 * (.test.yml) are none. */
const char *wedr_source_language(const char *name);

/* Everything that is stored, lists too. */
WEDR_MUST_USE int wedr_sources_load(struct wedr_sources *s,
                                    const struct wedr_state_ops *ops,
                                    struct wedr_state *state,
                                    struct wedr_errinfo *ei);
/* Adds a fresh source; one of that name is replaced (and keeps id, enabled and builtin). Texts are
 * copied. WEDR_E_LIMIT, WEDR_E_NOMEM, WEDR_E_INVAL (no language). */
WEDR_MUST_USE int
wedr_sources_add(struct wedr_sources *s, const char *name, const char *text, size_t len);
/* WEDR_IR_NONE when there is none. */
uint32_t wedr_sources_find(const struct wedr_sources *s, const char *name);
void wedr_sources_fini(struct wedr_sources *s);

struct wedr_problem {
    const char *file;
    uint32_t line, column; /* 0: unknown */
    bool warning;
    const char *text; /* one line */
};
typedef void wedr_problem_fn(void *ctx, const struct wedr_problem *p);

/* Compiles every enabled source together into a ruleset and the field map of our own events. What
 * cannot be compiled is told to fn (may be NULL) and left out; *ret_refused counts it. Fills in the
 * sources. An error is one of memory or limits. ret_rs is the caller's, so is ret_map, which goes
 * first. */
WEDR_MUST_USE int wedr_sources_compile(struct wedr_sources *s,
                                       int64_t now_us,
                                       wedr_problem_fn *fn,
                                       void *ctx,
                                       struct wedr_ruleset **ret_rs,
                                       struct wedr_field_map **ret_map,
                                       uint32_t *ret_refused,
                                       struct wedr_errinfo *ei);

/* Severity of the gravest rule of an enabled source as the store has it, after compiling. */
const char *wedr_source_severity(const struct wedr_source *e);
/* Stores the fresh sources that have no problem as new rules or new versions, and how grave they
 * are. *ret_stored counts versions that are new. */
WEDR_MUST_USE int wedr_sources_store(struct wedr_sources *s,
                                     const struct wedr_state_ops *ops,
                                     struct wedr_state *state,
                                     const char *author,
                                     int64_t now_us,
                                     uint32_t *ret_stored,
                                     struct wedr_errinfo *ei);

/* The map of our own events (pipeline "wedr") for a ruleset. */
WEDR_MUST_USE int wedr_own_field_map(const struct wedr_ruleset *rs,
                                     struct wedr_field_map **ret_map,
                                     struct wedr_errinfo *ei);
