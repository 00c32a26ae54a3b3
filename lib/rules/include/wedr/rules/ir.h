/* SPDX-License-Identifier: Apache-2.0
 * rules/ir.h — the intermediate form that every rule language compiles to: predicates over fields,
 * boolean nodes, rules with their metadata, correlations. A ruleset owns everything in it and grows
 * up to a hard cap; ids are indexes that stay valid. Structures are public to be read; only the
 * functions below write them. One thread builds; afterwards any number may read.
 *
 * Truth has two values. A field that the event does not have makes every predicate on it false,
 * except WEDR_PRED_NULL; `not` turns that false into true. A field with several values (JSON array)
 * satisfies a predicate when any one of them does. Every value has a text form: a number the text
 * that it was written with, a boolean "true" or "false", null none. */
#pragma once

#include "core/base/attr.h"
#include "core/util/errinfo.h"
#include "wedr/rules/text.h"

#define WEDR_IR_NONE UINT32_MAX          /* no node, no field, no rule */
#define WEDR_FIELD_ANY (UINT32_MAX - 1u) /* keyword: any value of the event, whatever its field */
#define WEDR_IR_TEXT_MAX 65535u          /* bytes of one literal, pattern or metadata text */
#define WEDR_IR_KIDS_MAX 65535u          /* of one node */
#define WEDR_IR_DEPTH_MAX 64u            /* of an expression */
#define WEDR_IR_WEIGHT_MAX 1000000u      /* nodes of an expression when it is written out */
#define WEDR_IR_FIELDS_MAX 65535u
#define WEDR_IR_CLASSES_MAX 1024u
#define WEDR_IR_SET_MAX 1000000u  /* entries of one set */
#define WEDR_IR_MEMBERS_MAX 64u   /* rules that one correlation names */
#define WEDR_IR_GROUP_MAX 8u      /* group-by fields */
#define WEDR_IR_JOIN_SIDES_MAX 4u /* fields of one member that joins name */
#define WEDR_IR_COUNT_MAX 50000   /* threshold of an event count */
#define WEDR_IR_DISTINCT_MAX 4096 /* threshold of a value count */

enum wedr_pred_kind {
    WEDR_PRED_EQUALS,   /* text; an empty text is equal to a value that is there and empty */
    WEDR_PRED_PREFIX,   /* text */
    WEDR_PRED_SUFFIX,   /* text */
    WEDR_PRED_CONTAINS, /* text */
    WEDR_PRED_WILDCARD, /* text: a pattern as in wedr_text_wildcard, over the whole value */
    WEDR_PRED_REGEX,    /* text: PCRE2, found anywhere in the value */
    WEDR_PRED_CIDR,   /* net: the value is an IPv4 or IPv6 address in it (a mapped ::ffff:a.b.c.d is
                         v4) */
    WEDR_PRED_NUMBER, /* number, op: the value is a number, or a text that is one from end to end */
    WEDR_PRED_BOOL,   /* boolean: the value is that boolean, or its text (uncased) */
    WEDR_PRED_EXISTS, /* at least one value that is not null */
    WEDR_PRED_NULL,   /* the opposite of EXISTS */
    WEDR_PRED_FIELD,  /* op, other: compares with another field of the event; any pair of values */
    WEDR_PRED_BITS,   /* bits, op ALL or ANY: integers, also as text, also hexadecimal (0x...) */
    WEDR_PRED_TIME,   /* part, op, number: of a timestamp, in UTC */
    WEDR_PRED_SET,    /* set: member of a list */
    WEDR_PRED_KIND_COUNT
};

enum wedr_pred_op {
    WEDR_OP_EQ,
    WEDR_OP_NE,
    WEDR_OP_LT,
    WEDR_OP_LE,
    WEDR_OP_GT,
    WEDR_OP_GE, /* NE: of a value that is a number */
    WEDR_OP_CONTAINS,
    WEDR_OP_STARTS,
    WEDR_OP_ENDS, /* FIELD only */
    WEDR_OP_ALL,
    WEDR_OP_ANY /* BITS only */
};

enum wedr_pred_flag {
    WEDR_PRED_CASED = 1, /* EQUALS .. WILDCARD, FIELD; without it letters match in any case */
    WEDR_PRED_RE_I = 2,  /* REGEX: caseless */
    WEDR_PRED_RE_M = 4,  /* REGEX: ^ and $ at each line */
    WEDR_PRED_RE_S = 8   /* REGEX: . matches a line feed */
};

/* Minute 0-59, hour 0-23, day of the month 1-31, ISO 8601 week 1-53, month 1-12, year. A timestamp
 * is an ISO 8601 text (T or blank between date and time, fraction and offset optional, UTC without
 * one) or a number of seconds, ms, us or ns since 1970, told apart by size. */
enum wedr_time_part {
    WEDR_TIME_MINUTE,
    WEDR_TIME_HOUR,
    WEDR_TIME_DAY,
    WEDR_TIME_WEEK,
    WEDR_TIME_MONTH,
    WEDR_TIME_YEAR
};

struct wedr_net {
    uint8_t family; /* 4 or 6 */
    uint8_t bits;   /* of the prefix */
    uint8_t addr[16];
};

struct wedr_pred {
    uint32_t field; /* id, or WEDR_FIELD_ANY: any value (not for EXISTS, NULL, FIELD) */
    uint8_t kind;   /* enum wedr_pred_kind */
    uint8_t op;     /* enum wedr_pred_op */
    uint8_t flags;  /* enum wedr_pred_flag */
    uint8_t part;   /* enum wedr_time_part */
    union {
        struct wedr_text text; /* as written, NUL behind it */
        struct wedr_number number;
        struct wedr_net net;
        bool boolean;
        uint32_t other; /* field id */
        uint64_t bits;
        uint32_t set;
    } u;
    uint32_t regex; /* index of the compiled pattern, WEDR_IR_NONE otherwise */
};

enum wedr_node_kind {
    WEDR_NODE_TRUE,
    WEDR_NODE_FALSE,
    WEDR_NODE_PRED,     /* arg: predicate */
    WEDR_NODE_NOT,      /* one kid */
    WEDR_NODE_AND,      /* kids; none: true */
    WEDR_NODE_OR,       /* kids; none: false */
    WEDR_NODE_AT_LEAST, /* arg: how many of the kids */
    WEDR_NODE_MEMBER    /* arg: index into a correlation's members; only in its expression */
};

struct wedr_node {
    uint8_t kind;  /* enum wedr_node_kind */
    uint8_t depth; /* 1 for leaves */
    uint32_t arg;
    uint32_t kid_first; /* into wedr_ruleset_kids() */
    uint32_t kid_count;
    uint32_t weight; /* nodes below it, itself and repetitions counted */
};

enum wedr_set_mode {
    WEDR_SET_EXACT,  /* the value is an entry */
    WEDR_SET_DOMAIN, /* the value, without a last dot, is an entry or a subdomain of one */
    WEDR_SET_WORDS,  /* a run of letters, digits in the value is an entry (Hashes: "SHA1=..,MD5=..")
                      */
    WEDR_SET_CIDR    /* the value is an address in an entry (address or network) */
};

enum wedr_severity {
    WEDR_SEVERITY_INFORMATIONAL,
    WEDR_SEVERITY_LOW,
    WEDR_SEVERITY_MEDIUM,
    WEDR_SEVERITY_HIGH,
    WEDR_SEVERITY_CRITICAL
};

enum wedr_rule_flag {
    WEDR_RULE_HIDDEN = 1, /* only feeds correlations; a match by itself is not reported to people */
    WEDR_RULE_DISABLED = 2, /* kept, never matched */
    WEDR_RULE_NEEDS_LIST =
        4,               /* a placeholder has no list: `needs` names it, the rule cannot match */
    WEDR_RULE_SERVER = 8 /* matched by the server alone, over the events of all hosts */
};

enum wedr_rule_action { WEDR_ACTION_LOG = 1, WEDR_ACTION_ALERT = 2, WEDR_ACTION_KILL = 4 };

struct wedr_rule {
    struct wedr_text id, title, description, author, date, modified, status, license;
    struct wedr_text category, product, service;            /* logsource as written */
    struct wedr_text source_file, needs, message, language; /* language: "sigma", "waza", "ioc" */
    struct wedr_text_list tags, references, false_positives,
        exceptions; /* exceptions: their names */
    const uint32_t
        *classes; /* event class ids, one of which the event must have; none: any event */
    uint32_t class_count;
    uint32_t guard;          /* node that logsource and pipeline ask for besides, or WEDR_IR_NONE */
    uint32_t condition;      /* node; WEDR_IR_NONE for a correlation */
    uint32_t exception;      /* node: true suppresses a match, or WEDR_IR_NONE */
    uint32_t correlation;    /* index, or WEDR_IR_NONE */
    uint32_t source_line;    /* 1-based, 0 unknown */
    uint16_t flags;          /* enum wedr_rule_flag */
    uint8_t severity;        /* enum wedr_severity */
    uint8_t actions;         /* enum wedr_rule_action */
    uint32_t throttle_count; /* alerts per throttle_ms and entity; 0 none */
    uint64_t throttle_ms;
    uint32_t entity_field; /* its first value is the entity; WEDR_IR_NONE: the process of the event,
                              or the host when there is none */
};

enum wedr_correlation_kind {
    WEDR_CORR_EVENT_COUNT,
    WEDR_CORR_VALUE_COUNT,      /* distinct values of value_field */
    WEDR_CORR_TEMPORAL,         /* every member within the timespan */
    WEDR_CORR_TEMPORAL_ORDERED, /* in the order of members */
    WEDR_CORR_PATTERN           /* `expression` over members within the timespan, with joins */
};

struct wedr_correlation_limit {
    uint8_t op; /* WEDR_OP_EQ .. WEDR_OP_GE */
    struct wedr_number number;
};

/* Field of a member that takes the place of group-by field `group`. */
struct wedr_correlation_alias {
    uint32_t group;  /* index into group_by */
    uint32_t member; /* index into members */
    uint32_t field;
};

/* PATTERN: the first value of member a's field equals that of member b's field. */
struct wedr_correlation_join {
    uint32_t member_a, field_a, member_b, field_b;
};

struct wedr_correlation {
    uint8_t kind;            /* enum wedr_correlation_kind */
    bool ordered;            /* PATTERN: events in the order of members */
    bool consume;            /* a match empties the window of its group */
    uint64_t timespan_ms;    /* 0: only one and the same event (PATTERN) or the same ms */
    const uint32_t *members; /* rule indexes, correlations too if they come earlier */
    uint32_t member_count;
    const uint32_t *group_by; /* field ids */
    uint32_t group_count;
    const struct wedr_correlation_alias *aliases;
    uint32_t alias_count;
    const struct wedr_correlation_join *joins;
    uint32_t join_count;
    struct wedr_correlation_limit limits[2]; /* counts: all of them hold */
    uint32_t limit_count;
    uint32_t value_field; /* VALUE_COUNT */
    uint32_t expression;  /* PATTERN: node over WEDR_NODE_MEMBER; WEDR_IR_NONE: all members */
    uint32_t rule;        /* the rule that carries its metadata; set by wedr_ruleset_add_rule */
};

struct wedr_ruleset;

/* A ruleset that never holds more than memory_max bytes. NULL when out of memory. */
WEDR_MUST_USE struct wedr_ruleset *wedr_ruleset_new(size_t memory_max);
/* NULL is allowed. */
void wedr_ruleset_free(struct wedr_ruleset *rs);
/* Bytes held now. */
size_t wedr_ruleset_memory(const struct wedr_ruleset *rs);

/* --- Building. Every function returns WEDR_E_NOMEM when memory ran out, WEDR_E_LIMIT past the cap
 * or a maximum above, WEDR_E_INVAL for ids that do not exist; the ruleset stays usable and what
 * was added before stays. Texts are copied. */

/* Interns a field name (case matters; up to 255 bytes, not empty). */
WEDR_MUST_USE int
wedr_ruleset_field(struct wedr_ruleset *rs, const char *name, size_t len, uint32_t *ret_field);
/* Interns the name of an event class ("windows/process_creation"): see event.h. */
WEDR_MUST_USE int
wedr_ruleset_class(struct wedr_ruleset *rs, const char *name, size_t len, uint32_t *ret_class);

/* The node of a predicate; the same predicate gives the same node. `regex` of p is ignored. Also:
 * WEDR_E_FORMAT when a regex does not compile (ei: reason and offset), WEDR_E_INVAL for a kind, op
 * or part out of range or a set that is not sealed. A WILDCARD of a simpler shape becomes EQUALS,
 * PREFIX, SUFFIX, CONTAINS or (only *) EXISTS. */
WEDR_MUST_USE int wedr_ir_pred(struct wedr_ruleset *rs,
                               const struct wedr_pred *p,
                               uint32_t *ret_node,
                               struct wedr_errinfo *ei);
/* The most frequent ones: kind EQUALS .. REGEX. */
WEDR_MUST_USE int wedr_ir_text(struct wedr_ruleset *rs,
                               uint32_t field,
                               enum wedr_pred_kind kind,
                               struct wedr_text text,
                               unsigned flags,
                               uint32_t *ret_node,
                               struct wedr_errinfo *ei);
WEDR_MUST_USE int wedr_ir_number(struct wedr_ruleset *rs,
                                 uint32_t field,
                                 enum wedr_pred_op op,
                                 struct wedr_number number,
                                 uint32_t *ret_node);
/* EXISTS or NULL. */
WEDR_MUST_USE int
wedr_ir_exists(struct wedr_ruleset *rs, uint32_t field, bool exists, uint32_t *ret_node);
/* "10.0.0.0/8", "fe80::/10" or an address; WEDR_E_FORMAT. Bits below the prefix are cleared. */
WEDR_MUST_USE int wedr_net_parse(const char *s, size_t len, struct wedr_net *ret_net);

/* Kids are copied (the array must not be the ruleset's own). AND and OR with one kid give that kid;
 * kids of the same kind are merged in, constants are folded away, NOT NOT x gives x. */
WEDR_MUST_USE int
wedr_ir_and(struct wedr_ruleset *rs, const uint32_t *kids, size_t count, uint32_t *ret_node);
WEDR_MUST_USE int
wedr_ir_or(struct wedr_ruleset *rs, const uint32_t *kids, size_t count, uint32_t *ret_node);
WEDR_MUST_USE int wedr_ir_not(struct wedr_ruleset *rs, uint32_t kid, uint32_t *ret_node);
WEDR_MUST_USE int wedr_ir_at_least(
    struct wedr_ruleset *rs, uint32_t need, const uint32_t *kids, size_t count, uint32_t *ret_node);
WEDR_MUST_USE int wedr_ir_constant(struct wedr_ruleset *rs, bool value, uint32_t *ret_node);
WEDR_MUST_USE int wedr_ir_member(struct wedr_ruleset *rs, uint32_t member, uint32_t *ret_node);

/* A list: new, add each entry, seal; sealed sets go into WEDR_PRED_SET. cased false folds entries
 * (EXACT, WORDS); DOMAIN is never cased. Duplicates are dropped. Adding to a sealed set is
 * WEDR_E_STATE; a bad CIDR entry is WEDR_E_FORMAT and only skips that entry. */
WEDR_MUST_USE int wedr_ruleset_set_new(struct wedr_ruleset *rs,
                                       enum wedr_set_mode mode,
                                       bool cased,
                                       uint32_t *ret_set);
WEDR_MUST_USE int
wedr_ruleset_set_add(struct wedr_ruleset *rs, uint32_t set, const char *entry, size_t len);
WEDR_MUST_USE int wedr_ruleset_set_seal(struct wedr_ruleset *rs, uint32_t set);

/* Copies rule with everything that it points to. `correlation` of rule is ignored. */
WEDR_MUST_USE int
wedr_ruleset_add_rule(struct wedr_ruleset *rs, const struct wedr_rule *rule, uint32_t *ret_rule);
/* A rule (condition WEDR_IR_NONE) that fires by correlation; both are copied. WEDR_E_INVAL also for
 * a member that is not an earlier rule, for an alias, join or limit out of range; WEDR_E_LIMIT for
 * a threshold or a number of joins above a maximum. */
WEDR_MUST_USE int wedr_ruleset_add_correlation(struct wedr_ruleset *rs,
                                               const struct wedr_rule *rule,
                                               const struct wedr_correlation *correlation,
                                               uint32_t *ret_rule);
/* A rule with every text empty, every id WEDR_IR_NONE, severity medium, action alert. */
struct wedr_rule wedr_rule_init(void);
/* A correlation with every id WEDR_IR_NONE. */
struct wedr_correlation wedr_correlation_init(void);
/* For front ends that meet filters, exceptions and `generate` after the rule. WEDR_E_INVAL. */
WEDR_MUST_USE int
wedr_ruleset_set_condition(struct wedr_ruleset *rs, uint32_t rule, uint32_t condition);
WEDR_MUST_USE int
wedr_ruleset_set_exception(struct wedr_ruleset *rs, uint32_t rule, uint32_t exception);
WEDR_MUST_USE int wedr_ruleset_set_flags(struct wedr_ruleset *rs, uint32_t rule, uint16_t flags);

/* --- Reading. Pointers are borrowed and may move when something is added. */
uint32_t wedr_ruleset_field_count(const struct wedr_ruleset *rs);
struct wedr_text wedr_ruleset_field_name(const struct wedr_ruleset *rs, uint32_t field);
/* WEDR_IR_NONE when no rule mentions it. */
uint32_t wedr_ruleset_field_find(const struct wedr_ruleset *rs, const char *name, size_t len);
uint32_t wedr_ruleset_class_count(const struct wedr_ruleset *rs);
struct wedr_text wedr_ruleset_class_name(const struct wedr_ruleset *rs, uint32_t event_class);
uint32_t wedr_ruleset_class_find(const struct wedr_ruleset *rs, const char *name, size_t len);
uint32_t wedr_ruleset_pred_count(const struct wedr_ruleset *rs);
const struct wedr_pred *wedr_ruleset_pred(const struct wedr_ruleset *rs, uint32_t pred);
uint32_t wedr_ruleset_node_count(const struct wedr_ruleset *rs);
const struct wedr_node *wedr_ruleset_node(const struct wedr_ruleset *rs, uint32_t node);
const uint32_t *wedr_ruleset_kids(const struct wedr_ruleset *rs, const struct wedr_node *node);
uint32_t wedr_ruleset_rule_count(const struct wedr_ruleset *rs);
const struct wedr_rule *wedr_ruleset_rule(const struct wedr_ruleset *rs, uint32_t rule);
/* By id or, when no id is it, by title; WEDR_IR_NONE. */
uint32_t wedr_ruleset_rule_find(const struct wedr_ruleset *rs, const char *id, size_t len);
uint32_t wedr_ruleset_correlation_count(const struct wedr_ruleset *rs);
const struct wedr_correlation *wedr_ruleset_correlation(const struct wedr_ruleset *rs,
                                                        uint32_t index);
uint32_t wedr_ruleset_set_count(const struct wedr_ruleset *rs);
/* Entries as stored (folded; CIDR: none, use wedr_set_net), in no particular order. */
uint32_t wedr_set_entry_count(const struct wedr_ruleset *rs, uint32_t set);
struct wedr_text wedr_set_entry(const struct wedr_ruleset *rs, uint32_t set, uint32_t index);
struct wedr_net wedr_set_net(const struct wedr_ruleset *rs, uint32_t set, uint32_t index);
enum wedr_set_mode wedr_set_mode(const struct wedr_ruleset *rs, uint32_t set, bool *ret_cased);

const char *wedr_severity_name(uint8_t severity);
/* Any case, "info" too; WEDR_E_NOENT. */
WEDR_MUST_USE int wedr_severity_parse(const char *s, size_t len, uint8_t *ret_severity);
