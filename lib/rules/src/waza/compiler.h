/* SPDX-License-Identifier: Apache-2.0
 * rules/src/waza/compiler.h — from the tree of a group to rules. An event variable stands for one
 * event that a condition speaks of: all leaves of one line that name the same event type share one,
 * a label ($x) has one in the whole group. A condition with one variable is a rule by itself; with
 * several it is a pattern over hidden rules, one for each variable. */
#pragma once

#include "waza/syntax.h"
#include "wedr/wire/schema.h"

#define WEDR_WAZA_VAR_NONE UINT32_MAX        /* constants */
#define WEDR_WAZA_VAR_MANY (UINT32_MAX - 1u) /* more than one */
#define WEDR_WAZA_VARS_MAX 4096u             /* of one group */
#define WEDR_WAZA_CLASSES_MAX 64u            /* of one rule */

/* What kind of event. */
struct wedr_waza_event {
    uint8_t kind;                      /* enum wedr_waza_event_kind */
    struct wedr_text module, type;     /* TYPE */
    const struct wedr_type_info *info; /* TYPE: NULL when lib/wire does not have it */
    struct wedr_text source;           /* SOURCE of a label; p NULL: the group's own */
    struct wedr_text name;             /* RULE */
    uint32_t rule;                     /* RULE: index */
};

struct wedr_waza_var {
    struct wedr_waza_event event;
    const struct wedr_waza_label *label;
    struct wedr_waza_span span; /* where it was met first */
};

struct wedr_waza {
    uint32_t magic;
    struct wedr_ruleset *rs;
    struct wedr_waza_options options;
    struct wedr_waza_stats stats;
    struct wedr_arena *arena;
    struct wedr_waza_file *files, *files_last;
    uint32_t file_count, visit;
    struct wedr_waza_named *lists; /* of the options */
    struct wedr_pool pool;         /* of the indexes */
    struct wedr_index names, ids;
    struct wedr_vec name_files; /* struct wedr_waza_file * by number in names */
    struct wedr_vec id_groups;  /* struct wedr_waza_taken by number in ids */
    struct wedr_vec waiting;    /* struct wedr_waza_waiting: groups that name rules */
    bool finished;
};

/* An id that a rule has. */
struct wedr_waza_taken {
    struct wedr_text id;
    const struct wedr_waza_file *file;
    uint32_t line;
};

struct wedr_waza_waiting {
    struct wedr_waza_file *file;
    struct wedr_waza_group *group;
    bool done;
};

struct wedr_waza_compiler {
    struct wedr_waza *w;
    struct wedr_waza_file *file;
    struct wedr_waza_source *source;
    struct wedr_ruleset *rs;
    struct wedr_waza_group *group;
    struct wedr_vec vars;                  /* struct wedr_waza_var; in the loader's pool */
    uint32_t scope;                        /* first variable of the line at hand */
    uint32_t labels[WEDR_WAZA_LABELS_MAX]; /* label by number: variable + 1 */
};

/* --- field.c */
/* Event variable and field that a path names; field WEDR_FIELD_ANY for a star. */
int wedr_waza_resolve(struct wedr_waza_compiler *c,
                      const struct wedr_waza_path *path,
                      uint32_t *ret_var,
                      uint32_t *ret_field);
/* $label or rule "id" alone. */
int wedr_waza_resolve_event(struct wedr_waza_compiler *c,
                            const struct wedr_waza_expr *x,
                            uint32_t *ret_var);
const struct wedr_waza_var *wedr_waza_var(const struct wedr_waza_compiler *c, uint32_t var);
bool wedr_waza_same_event(const struct wedr_waza_event *a, const struct wedr_waza_event *b);

/* --- pred.c: a comparison, whose fields are resolved, as a node. */
int wedr_waza_compare_node(struct wedr_waza_compiler *c,
                           const struct wedr_waza_compare *k,
                           struct wedr_waza_span span,
                           uint32_t *ret_node);
/* What the intermediate form refused, with our place. */
int wedr_waza_refused(struct wedr_waza_compiler *c,
                      struct wedr_waza_span span,
                      int err,
                      const struct wedr_errinfo *ei);
/* --- value.c */
int wedr_waza_value_node(struct wedr_waza_compiler *c,
                         const struct wedr_waza_compare *k,
                         const struct wedr_waza_value *v,
                         uint32_t *ret_node);
int wedr_waza_in_node(struct wedr_waza_compiler *c,
                      const struct wedr_waza_compare *k,
                      uint32_t *ret_node);
/* --- names.c: the list of that name which the file sees; NULL. */
struct wedr_waza_named *
wedr_waza_find_list(struct wedr_waza *w, struct wedr_waza_file *f, struct wedr_text name);

/* --- condition.c */
/* Resolves all below x and says which variables it has (x->var). */
int wedr_waza_analyse(struct wedr_waza_compiler *c, struct wedr_waza_expr *x);
/* x with one variable or none, as a node. */
int wedr_waza_node(struct wedr_waza_compiler *c,
                   const struct wedr_waza_expr *x,
                   uint32_t *ret_node);
/* x names rules. */
bool wedr_waza_names_rules(const struct wedr_waza_group *g);
/* All rules that the group names are there. */
bool wedr_waza_rules_known(const struct wedr_ruleset *rs, const struct wedr_waza_group *g);

/* --- term.c: a condition over several events as alternatives of conjunctions. */
struct wedr_waza_atom {
    const struct wedr_waza_expr *x; /* with one variable, or a join of two */
    bool negated;
};

struct wedr_waza_term {
    struct wedr_waza_atom *atoms;
    uint32_t count;
};

struct wedr_waza_terms {
    struct wedr_waza_term *v;
    uint32_t count;
};

int wedr_waza_terms(struct wedr_waza_compiler *c,
                    const struct wedr_waza_expr *x,
                    bool negated,
                    struct wedr_waza_terms *ret_terms);
/* Both hold. */
int wedr_waza_terms_and(struct wedr_waza_compiler *c,
                        struct wedr_waza_span span,
                        const struct wedr_waza_terms *a,
                        const struct wedr_waza_terms *b,
                        struct wedr_waza_terms *ret_terms);

/* --- rule.c: a group, whose other section is there, as rules. */
int wedr_waza_compile(struct wedr_waza *w, struct wedr_waza_file *f, struct wedr_waza_group *g);
/* Classes and guard of an event into rule; classes: room for WEDR_WAZA_CLASSES_MAX. */
int wedr_waza_bind(struct wedr_waza_compiler *c,
                   const struct wedr_waza_event *event,
                   struct wedr_rule *rule,
                   uint32_t *classes);
/* module and event_type as predicates. */
int wedr_waza_tell_apart(struct wedr_waza_compiler *c,
                         const struct wedr_waza_event *event,
                         uint32_t *ret_node);
/* The exceptions of the group that speak of that event; WEDR_IR_NONE when none does. */
int wedr_waza_exception(struct wedr_waza_compiler *c,
                        const struct wedr_waza_event *event,
                        uint32_t *ret_node);
/* Metadata of the group; `texts` of exceptions live in the arena. */
int wedr_waza_describe(struct wedr_waza_compiler *c, struct wedr_rule *rule);

/* --- pattern.c: the same for a group that looks at several events. */
int wedr_waza_pattern(struct wedr_waza_compiler *c, uint32_t *ret_rule);
