/* SPDX-License-Identifier: Apache-2.0
 * rules/src/match/engine.h — inside of a compiled ruleset.
 *
 * An atom is a bit that the passes over an event's values set: a literal was found, a number was
 * equal, a field exists. An `or` of atoms is an atom of its own. Each rule has a set of atoms of
 * which one must be set for it to match (its triggers); without one it is looked at for every event
 * of its scope. A scope is what logsource asks for (classes and guard); rules with the same one
 * share it. */
#pragma once

#include "match/automaton.h"
#include "match/eval.h"
#include "match/grams.h"
#include "wedr/rules/engine.h"

#define WEDR_ENGINE_MAGIC 0x57454e31u

enum wedr_x_kind {
    WEDR_X_FALSE,
    WEDR_X_TRUE,
    WEDR_X_ATOM,
    WEDR_X_RESIDUAL,
    WEDR_X_NOT,
    WEDR_X_AND,
    WEDR_X_OR,
    WEDR_X_AT_LEAST
};

/* What expressions refer to each other by once they are built: most of them are atoms. */
enum wedr_ref { WEDR_REF_X, WEDR_REF_ATOM /* the passes know it */, WEDR_REF_ASK };
#define WEDR_REF_SHIFT 30
#define WEDR_REF_ID ((1u << WEDR_REF_SHIFT) - 1)

/* An expression over atoms and residual predicates. */
struct wedr_x {
    uint8_t kind; /* enum wedr_x_kind */
    uint32_t arg; /* atom, residual, or how many */
    uint32_t kid_first, kid_count;
};

/* A predicate that is evaluated when an expression asks, and only when its gate is set. */
struct wedr_residual {
    uint32_t pred;
    uint32_t gate; /* atom or WEDR_IR_NONE */
};

struct wedr_exact {
    struct wedr_text text; /* folded */
    uint32_t atom;
};

struct wedr_exact_number {
    struct wedr_number number;
    uint32_t atom;
};

struct wedr_list {
    uint32_t set, atom;
};

#define WEDR_ASK_GRAMS 4u
#define WEDR_ASK_BITS 13u /* of a place in a filter */

/* Of the gram at s, in a filter (ask.c). */
static inline uint32_t wedr_ask_place(const void *s)
{
    return wedr_gram_hash(wedr_gram_at(s)) >> (32 - WEDR_ASK_BITS);
}

/* How an atom is known that the passes do not look for. */
struct wedr_ask {
    uint32_t twin; /* table that decides it; WEDR_IR_NONE: none, it may be a group */
    uint32_t text; /* of a literal, in ask_texts, folded */
    uint16_t len;  /* of it; 0: no literal, the twin must be passed */
    uint8_t place; /* enum wedr_place */
    bool filtered; /* it has grams */
    uint16_t grams[WEDR_ASK_GRAMS]; /* places in a filter, of which one is set where it stands */
};

/* What is looked for in the values of one field. */
enum wedr_sought {
    WEDR_SOUGHT_EXACTS = 1,
    WEDR_SOUGHT_GRAMS = 2,
    WEDR_SOUGHT_FRONT = 4,
    WEDR_SOUGHT_END = 8,
    WEDR_SOUGHT_TEXTS = 15, /* any of the above */
    WEDR_SOUGHT_NUMBERS = 16,
    WEDR_SOUGHT_BOOL = 32,
    WEDR_SOUGHT_LISTS = 64
};
struct wedr_table {
    uint32_t field;                  /* or WEDR_FIELD_ANY */
    uint8_t sought;                  /* enum wedr_sought: what there is to look for */
    bool texts;                      /* it has exacts or literals */
    bool whole;                      /* nothing but literals anywhere */
    bool numeric;                    /* one of its texts could be one of a number */
    uint32_t exists, empty, yes, no; /* atoms or WEDR_IR_NONE */
    uint32_t lazy;                   /* its twin that is passed on demand, or WEDR_IR_NONE */
    uint32_t lazy_literals;  /* the same of its literals, which are asked for by themselves */
    struct wedr_grams grams; /* literals anywhere, and others that cost nothing beside them */
    struct wedr_automaton front, end; /* of end: reversed */
    struct wedr_vec exacts;           /* struct wedr_exact */
    struct wedr_vec numbers;          /* struct wedr_exact_number */
    struct wedr_vec lists;            /* struct wedr_list */
    struct wedr_index exact_index, number_index;
    uint64_t exact_lengths; /* bit n: of n bytes; bit 63: of 63 and more */
    uint32_t exact_longest;
};

/* What setting an atom does. */
enum wedr_effect { WEDR_EFFECT_RULE, WEDR_EFFECT_ATOM, WEDR_EFFECT_SCOPE, WEDR_EFFECT_LIST };
#define WEDR_EFFECT_SHIFT 30
#define WEDR_EFFECT_ID ((1u << WEDR_EFFECT_SHIFT) - 1)

struct wedr_scope {
    uint32_t guard;          /* x, at last a reference, or WEDR_IR_NONE */
    const uint32_t *classes; /* of the first rule that has it */
    uint32_t class_count;
    uint32_t rule_first, rule_count;     /* of the engine's rules */
    uint32_t always_first, always_count; /* into always: rules without triggers */
    uint32_t node;                       /* guard in the ruleset */
    uint32_t any;                        /* table of its keywords, or WEDR_IR_NONE */
    bool by_class;                       /* only its classes decide */
};

struct wedr_engine_rule {
    uint32_t rule;     /* in the ruleset */
    uint32_t x, scope; /* x: at last a reference */
};

struct wedr_engine {
    uint32_t magic;
    struct wedr_ruleset *rs; /* owned */
    struct wedr_pool pool;
    struct wedr_engine_options opts;
    struct wedr_vec tables;         /* struct wedr_table */
    uint32_t *table_of_field;       /* field count; WEDR_IR_NONE */
    struct wedr_vec guard_keywords; /* uint32_t: tables of keywords that guards of scopes have */
    struct wedr_vec xs;             /* struct wedr_x */
    struct wedr_vec kids;           /* uint32_t: x, at last enum wedr_ref << 30 | id */
    struct wedr_vec residuals;      /* struct wedr_residual */
    struct wedr_need *needs;        /* by regex of the ruleset */
    struct wedr_vec rules;          /* struct wedr_engine_rule, by scope, then rule */
    struct wedr_vec scopes;         /* struct wedr_scope */
    struct wedr_vec always;         /* uint32_t: engine rules */
    uint32_t atom_count, literal_count;
    uint32_t *effect_of;     /* by atom: enum wedr_effect << 30 | id, or WEDR_IR_NONE */
    struct wedr_vec effects; /* uint32_t: lists of such, each behind its length */
    struct wedr_ask *asks;   /* by atom */
    char *ask_texts;
    uint32_t *member_first;       /* by atom, and one more: of a group that is not eager */
    struct wedr_vec members;      /* uint32_t: atoms of which one makes the group true */
    uint32_t field_tables;        /* the first of the tables; twins follow */
    uint32_t table_words;         /* 64-bit words of a set of tables */
    const uint64_t *guard_tables; /* those that guards look at: they go first */
    uint64_t *scope_tables;       /* by scope: tables that its rules look at */
    struct wedr_vec open_scopes; /* uint32_t: scopes that no trigger picks and no class restricts */
    struct wedr_vec class_scopes; /* uint32_t: scopes by class, that no trigger picks */
    uint32_t *class_first;        /* by class, and one more */
    size_t automaton_bytes;
};

static inline const struct wedr_x *wedr_engine_x(const struct wedr_engine *e, uint32_t x)
{
    return WEDR_VEC_AT(const struct wedr_x, e->xs, x);
}

static inline const uint32_t *wedr_engine_kids(const struct wedr_engine *e, const struct wedr_x *x)
{
    return x->kid_count ? WEDR_VEC_AT(const uint32_t, e->kids, x->kid_first) : NULL;
}

/* --- Compiling (compile*.c). */

struct wedr_edge {
    uint32_t atom, effect;
};

struct wedr_literal_entry {
    struct wedr_literal literal;
    uint32_t table;
};

struct wedr_builder {
    const struct wedr_ruleset *rs;
    struct wedr_engine *e;
    struct wedr_pool tmp;
    struct wedr_vec literals; /* struct wedr_literal_entry */
    struct wedr_index literal_index;
    struct wedr_vec edges;   /* struct wedr_edge */
    struct wedr_vec costs;   /* uint32_t by atom */
    struct wedr_vec x_costs; /* uint32_t by x */
    struct wedr_index scope_index;
    struct wedr_vec scoped; /* struct wedr_scoped_x */
    struct wedr_index scoped_index;
    uint32_t scope, any; /* that is being built, and its table of keywords */
    uint8_t *keywords;   /* by node: 0 not known, 1 none below it, 2 some */
    uint32_t *x_of_node; /* WEDR_IR_NONE: not compiled */
    uint32_t *x_of_pred;
    uint8_t *eager; /* by atom: passes must know it */
    char *fold;     /* WEDR_FOLD_MAX(WEDR_IR_TEXT_MAX) bytes */
};

/* Keywords have a table for each scope, so that those of one log source cost nothing in another:
 * what contains them is compiled for each scope anew. */
struct wedr_scoped_x {
    uint32_t scope, id, x;
    bool pred; /* id is a predicate, not a node */
};

#define WEDR_COST_NEVER UINT32_MAX /* nothing triggers it */

/* A new bit. cost: how often events set it, in no unit. */
WEDR_MUST_USE int wedr_build_atom(struct wedr_builder *b, uint32_t cost, uint32_t *ret_atom);
WEDR_MUST_USE int wedr_build_x(struct wedr_builder *b,
                               enum wedr_x_kind kind,
                               uint32_t arg,
                               const uint32_t *kids,
                               size_t count,
                               uint32_t *ret_x);
/* The expression of a predicate (atoms.c) or a node (program.c). */
WEDR_MUST_USE int wedr_build_pred(struct wedr_builder *b, uint32_t pred, uint32_t *ret_x);
WEDR_MUST_USE int wedr_build_node(struct wedr_builder *b, uint32_t node, uint32_t *ret_x);
/* Cost of the cheapest set of atoms of which one is set whenever x is true (trigger.c), from the
 * costs of its kids. */
uint32_t wedr_trigger_cost(const struct wedr_builder *b, uint32_t id);
static inline uint32_t wedr_build_cost(const struct wedr_builder *b, uint32_t x)
{
    return *WEDR_VEC_AT(const uint32_t, b->x_costs, x);
}
/* Adds that set's edges to effect. */
WEDR_MUST_USE int wedr_build_trigger(struct wedr_builder *b, uint32_t x, uint32_t effect);
/* How often a text of that kind is met in a value. */
uint32_t wedr_literal_cost(struct wedr_text folded, uint8_t pred_kind);
/* Moves what need not be known of every event into the tables' twins (lazy.c). */
WEDR_MUST_USE int wedr_build_lazy(struct wedr_builder *b);
/* Puts the kids of expressions in the order in which they are asked (order.c). */
WEDR_MUST_USE int wedr_build_order(struct wedr_builder *b);
/* Makes references of what expressions, rules and scopes refer to (order.c). */
void wedr_build_refs(struct wedr_builder *b);
/* Literals that are asked for by themselves (ask.c). */
WEDR_MUST_USE int wedr_build_asks(struct wedr_builder *b);
/* What finds the literals of each table (finders.c). */
WEDR_MUST_USE int wedr_build_finders(struct wedr_builder *b);
/* Tables of all predicates below node, as bits; any: that of keywords. */
void wedr_build_tables(const struct wedr_builder *b, uint32_t node, uint32_t any, uint64_t *bits);
/* What was compiled for the scope at hand, or WEDR_IR_NONE; and the note that it was. */
uint32_t wedr_scoped_find(const struct wedr_builder *b, uint32_t id, bool pred);
WEDR_MUST_USE int wedr_scoped_add(struct wedr_builder *b, uint32_t id, bool pred, uint32_t x);
/* The table of a field, made on first use. */
WEDR_MUST_USE int wedr_build_table(struct wedr_builder *b, uint32_t field, uint32_t *ret_table);
static inline struct wedr_table wedr_table_init(uint32_t field)
{
    struct wedr_table t = {.field = field,
                           .exists = WEDR_IR_NONE,
                           .empty = WEDR_IR_NONE,
                           .yes = WEDR_IR_NONE,
                           .no = WEDR_IR_NONE,
                           .lazy = WEDR_IR_NONE,
                           .lazy_literals = WEDR_IR_NONE};
    return t;
}
