/* SPDX-License-Identifier: Apache-2.0
 * rules/src/sigma/value.h — values of a detection on their way through modifiers to predicates.
 * Everything lives in the compiler's arena. */
#pragma once

#include "wedr/rules/sigma.h"
#include "yaml.h"

/* A text as codes: bytes below 0x100, and what has a meaning above. */
#define WEDR_SIGMA_STAR 0x100u
#define WEDR_SIGMA_ANY 0x101u             /* ? */
#define WEDR_SIGMA_PERCENT 0x102u         /* \% under `expand`: no placeholder begins here */
#define WEDR_SIGMA_ALTERNATIVES_MAX 4096u /* that one value may become */

struct wedr_sigma_text {
    uint16_t *c;
    uint32_t len;
};

enum wedr_sigma_kind {
    WEDR_SIGMA_TEXT,
    WEDR_SIGMA_REGEX, /* raw; starts, ends */
    WEDR_SIGMA_CIDR,  /* raw */
    WEDR_SIGMA_FIELD, /* raw; starts, ends; op NE under a comparison */
    WEDR_SIGMA_NUMBER,
    WEDR_SIGMA_TIME, /* part, op, number */
    WEDR_SIGMA_BOOL,
    WEDR_SIGMA_EXISTS, /* boolean */
    WEDR_SIGMA_NULL,
    WEDR_SIGMA_NEVER /* a placeholder without a list */
};

struct wedr_sigma_value {
    uint8_t kind;      /* enum wedr_sigma_kind */
    uint8_t op;        /* enum wedr_pred_op */
    uint8_t part;      /* enum wedr_time_part */
    uint8_t flags;     /* enum wedr_pred_flag */
    bool starts, ends; /* of the value only the beginning, the end, or both: anywhere */
    bool boolean;
    bool ordered; /* a comparison was asked for */
    bool changed; /* `text` is not what was written */
    struct wedr_number number;
    struct wedr_text raw; /* as written */
    struct wedr_sigma_text text;
    struct wedr_sigma_value *next;
};

/* What one value of a rule became: any of them does. */
struct wedr_sigma_group {
    struct wedr_sigma_value *first, *last;
    uint32_t count, line;
    struct wedr_sigma_group *next;
};

struct wedr_sigma_compiler {
    struct wedr_arena *arena;
    struct wedr_ruleset *rs;
    const struct wedr_sigma_options *options;
    struct wedr_errinfo *ei;
    uint32_t line;          /* of the error */
    struct wedr_text needs; /* placeholders without a list, separated by blanks */
    uint32_t depth;
};

/* field|modifier|...: value, with the modifiers applied. */
struct wedr_sigma_item {
    struct wedr_text field; /* empty: keyword */
    struct wedr_sigma_group *first;
    uint32_t count;
    bool all, negated;
    bool anchored; /* keyword whose place in the value is said by a modifier */
};

/* Sets the line and the text of an error, returns err. */
int wedr_sigma_fail(struct wedr_sigma_compiler *c, uint32_t line, int err, const char *fmt, ...)
    WEDR_PRINTF(4, 5);
/* Out of the arena: too big or no memory. */
int wedr_sigma_full(struct wedr_sigma_compiler *c, uint32_t line);

/* Wildcards and escapes of s; percent: \% keeps its meaning for `expand`. c NULL: no memory. */
struct wedr_sigma_text
wedr_sigma_text_parse(struct wedr_arena *a, struct wedr_text s, bool percent);
/* Every byte as it is. */
struct wedr_sigma_text wedr_sigma_text_plain(struct wedr_arena *a, struct wedr_text s);
bool wedr_sigma_text_special(struct wedr_sigma_text t);
/* The bytes of a text without wildcards; p NULL: no memory. */
struct wedr_text wedr_sigma_text_bytes(struct wedr_arena *a, struct wedr_sigma_text t);

/* Reads key and values of one entry of a map (key empty: plain values). */
WEDR_MUST_USE int wedr_sigma_item_read(struct wedr_sigma_compiler *c,
                                       const struct wedr_yaml *entry,
                                       struct wedr_text key,
                                       struct wedr_sigma_item *ret_item);

/* Modifiers that turn a text into several, or into another alphabet: each appends what v became to
 * g. */
typedef int wedr_sigma_modifier_fn(struct wedr_sigma_compiler *c,
                                   struct wedr_sigma_group *g,
                                   struct wedr_sigma_value *v);
wedr_sigma_modifier_fn wedr_sigma_windash, wedr_sigma_base64, wedr_sigma_base64offset,
    wedr_sigma_utf16, wedr_sigma_utf16le, wedr_sigma_utf16be, wedr_sigma_expand;
void wedr_sigma_push(struct wedr_sigma_group *g, struct wedr_sigma_value *v);

/* The node of an item, of a whole detection (any shape), of a condition over detections. */
WEDR_MUST_USE int wedr_sigma_item_node(struct wedr_sigma_compiler *c,
                                       const struct wedr_sigma_item *item,
                                       uint32_t *ret_node);
WEDR_MUST_USE int wedr_sigma_detection_node(struct wedr_sigma_compiler *c,
                                            const struct wedr_yaml *detection,
                                            uint32_t *ret_node);
/* `section` is the map with condition and search identifiers. */
WEDR_MUST_USE int wedr_sigma_condition_node(struct wedr_sigma_compiler *c,
                                            const struct wedr_yaml *section,
                                            uint32_t *ret_node);

/* An expression over names: names are looked up by the caller. */
struct wedr_sigma_names {
    /* The node of one name. WEDR_E_NOENT: unknown. */
    int (*node)(void *ctx, struct wedr_text name, uint32_t *ret_node);
    /* The nodes of all names that match a pattern (* any run), or of all (pattern empty), except
     * those that begin with _ when the pattern does not. */
    int (*match)(void *ctx, struct wedr_text pattern, uint32_t **ret_nodes, uint32_t *ret_count);
    void *ctx;
};
WEDR_MUST_USE int wedr_sigma_expression(struct wedr_sigma_compiler *c,
                                        struct wedr_text text,
                                        uint32_t line,
                                        const struct wedr_sigma_names *names,
                                        uint32_t *ret_node);
