/* SPDX-License-Identifier: Apache-2.0
 * rules/src/event/event.h — inside of an event and of a field map. */
#pragma once

#include "ir/ruleset.h"
#include "wedr/rules/event.h"

#define WEDR_EVENT_MAGIC 0x57455631u
#define WEDR_EVENT_DEPTH_MAX 64u
#define WEDR_MAP_PREFIXES_MAX 32u
#define WEDR_MAP_PAIRS_MAX 8u

struct wedr_rule_event {
    uint32_t magic;
    const struct wedr_ruleset *rs;
    struct wedr_rule_event_limits limits;
    uint32_t field_count;
    uint32_t *first, *last; /* by field: value index */
    uint32_t *touched;      /* fields that have values */
    uint32_t touched_count;
    struct wedr_rule_value *values;
    uint32_t count;
    uint32_t classes[WEDR_EVENT_CLASSES_MAX];
    uint32_t class_count;
    uint64_t dropped; /* values that did not fit */
    char *memory;     /* text forms that had to be made */
    size_t memory_used, memory_size;
    char *folded; /* values folded, a NUL in front of each */
    size_t folded_used, folded_size;
    struct wedr_text *slices; /* by value: in folded; p NULL: not folded yet */
    bool folded_all;
    char *name; /* twice limits.name_max bytes: where the reader builds dotted names */
    size_t bytes;
};

/* Appends a value that belongs to no field yet; NULL when there is no room. */
struct wedr_rule_value *wedr_event_push(struct wedr_rule_event *ev);
/* Puts the last pushed (or any unlinked) value at the end of the field's list. */
void wedr_event_link(struct wedr_rule_event *ev, uint32_t index, uint32_t field);

struct wedr_map_bind {
    uint32_t view, field;
};

struct wedr_map_source {
    struct wedr_text name;
    uint32_t identity; /* rule field of that name, or WEDR_IR_NONE */
    uint32_t bind_first, bind_count;
    bool selects; /* a selector asks for it */
};

struct wedr_map_condition {
    uint32_t source;
    struct wedr_text value; /* p NULL: is there */
};

struct wedr_map_selector {
    struct wedr_map_condition conditions[WEDR_SELECTOR_CONDITIONS_MAX];
    uint32_t count, view, event_class;
};

struct wedr_map_pairs {
    struct wedr_text array, name_key, value_key, prefix;
};

struct wedr_map_entry {
    uint32_t source, view, field;
};

struct wedr_field_map {
    const struct wedr_ruleset *rs;
    struct wedr_pool pool;
    bool sealed;
    struct wedr_vec sources;   /* struct wedr_map_source */
    struct wedr_vec entries;   /* struct wedr_map_entry, until sealed */
    struct wedr_vec binds;     /* struct wedr_map_bind, by source */
    struct wedr_vec selectors; /* struct wedr_map_selector */
    struct wedr_vec keys;      /* uint32_t: sources that selectors are found by */
    struct wedr_index source_index, selector_index;
    struct wedr_text prefixes[WEDR_MAP_PREFIXES_MAX];
    uint32_t prefix_count;
    struct wedr_map_pairs pairs[WEDR_MAP_PAIRS_MAX];
    uint32_t pair_count;
};

/* The source of that (stripped) name, or WEDR_IR_NONE. */
uint32_t wedr_map_find(const struct wedr_field_map *map, const char *name, size_t len);
/* How many bytes the longest prefix that name begins with has. */
size_t wedr_map_strip(const struct wedr_field_map *map, const char *name, size_t len);
/* The folded text of a value; false when there is no room. */
bool wedr_event_folded(struct wedr_rule_event *ev, uint32_t value, struct wedr_text *ret_text);
/* All values, one behind the other; false when there is no room. */
bool wedr_event_fold_all(struct wedr_rule_event *ev);
/* After reading: classes, view and rule fields of all values. WEDR_E_LIMIT. */
WEDR_MUST_USE int wedr_map_bind(const struct wedr_field_map *map, struct wedr_rule_event *ev);

/* Resolves the JSON escapes of [s, s + len), which the reader checked; at most len bytes are
 * written. */
size_t wedr_json_unescape(const char *s, size_t len, char *out);
