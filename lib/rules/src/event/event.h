/* SPDX-License-Identifier: Apache-2.0
 * rules/src/event/event.h — inside of an event and of a field map. */
#pragma once

#include "event/keys.h"
#include "ir/ruleset.h"
#include "wedr/rules/event.h"

#define WEDR_EVENT_MAGIC 0x57455631u
#define WEDR_EVENT_DEPTH_MAX 64u
#define WEDR_EVENT_HIGH_MAX 64u
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
    size_t composed; /* of it: composed values, at most limits.document_max */
    char *folded;    /* values that are not ASCII, folded */
    size_t folded_used, folded_size;
    struct wedr_text *slices; /* by value: what wedr_event_plain gave; p NULL: not asked yet */
    char *gathered;           /* values that are no numbers, plain, a NUL in front of each */
    size_t gathered_used, gathered_size;
    uint32_t gathered_count; /* values there were then, + 1; 0: not yet, UINT32_MAX: no room */
    bool ascii;              /* every text is known to be */
    bool paired;             /* dotted pairs may look for a value of it */
    uint32_t high[WEDR_EVENT_HIGH_MAX]; /* gathered texts that are not */
    uint32_t high_count;
    char *name; /* twice limits.name_max bytes: where the reader builds dotted names */
    struct wedr_keys *keys;
    size_t bytes;
};

/* Appends a value that belongs to no field yet; NULL when there is no room. */
static inline struct wedr_rule_value *wedr_event_push(struct wedr_rule_event *ev)
{
    if (ev->count == ev->limits.values_max) {
        ev->dropped++;
        return NULL;
    }
    struct wedr_rule_value *v = &ev->values[ev->count];
    v->text = wedr_text(NULL, 0);
    v->name = wedr_text(NULL, 0);
    v->field = v->next = v->source = WEDR_IR_NONE;
    ev->slices[ev->count].p = NULL;
    ev->ascii = false;
    v->origin = ev->count++;
    v->kind = WEDR_VALUE_NULL;
    v->boolean = v->escaped = false;
    return v;
}
/* Puts the last pushed (or any unlinked) value at the end of the field's list. */
void wedr_event_link(struct wedr_rule_event *ev, uint32_t index, uint32_t field);

#define WEDR_MAP_NAME_MAX 512u
#define WEDR_MAP_VALUE_MAX 256u   /* bytes of a value that a selector wants, folded */
#define WEDR_MAP_DERIVED_MAX 256u /* templates and values of one map */
#define WEDR_MAP_PARTS_MAX 4u     /* sources of one template */
#define WEDR_MAP_SELECTORS_MAX 16384u
#define WEDR_SELECTOR_TRIES_MAX 64u /* values of one event that selectors are looked up by */

struct wedr_map_bind {
    uint32_t view, field;
};

struct wedr_map_source {
    struct wedr_text name;
    uint32_t identity; /* rule field of that name, or WEDR_IR_NONE */
    uint32_t bind_first, bind_count;
    uint32_t derived_first, derived_count; /* found by this source */
    bool selects;                          /* a selector looks for a value of it */
    bool selects_there;                    /* a selector looks for its presence */
};

struct wedr_map_condition {
    uint32_t source;
    struct wedr_text value; /* folded; p NULL: is there */
};

struct wedr_map_selector {
    struct wedr_map_condition conditions[WEDR_SELECTOR_CONDITIONS_MAX];
    uint32_t count, view, event_class;
};

struct wedr_map_pairs {
    struct wedr_text array, name_key, value_key, prefix;
    bool dotted;                        /* name_key is: the reader does not see it */
    uint32_t name_source, value_source; /* of a dotted one */
};

struct wedr_map_entry {
    uint32_t source, view, field;
};

struct wedr_map_part {
    struct wedr_text before; /* literal */
    uint32_t source;
    bool hex;
};

/* A value that is made of others: a template, or `text` where a source has a value. */
struct wedr_map_derived {
    uint32_t source; /* it is found by */
    uint32_t view, field;
    uint32_t part_count; /* 0: no template */
    struct wedr_map_part parts[WEDR_MAP_PARTS_MAX];
    struct wedr_text after;    /* literal behind the last part */
    struct wedr_text template; /* as given */
    struct wedr_text value;    /* folded */
    struct wedr_text text;
};

struct wedr_field_map {
    const struct wedr_ruleset *rs;
    struct wedr_pool pool;
    bool sealed;
    bool dotted_pairs;
    uint64_t paired_bits;      /* by source % 64: a dotted pair may look for it */
    uint64_t serial;           /* of sealed maps: no two have the same */
    struct wedr_vec sources;   /* struct wedr_map_source */
    struct wedr_vec entries;   /* struct wedr_map_entry, until sealed */
    struct wedr_vec binds;     /* struct wedr_map_bind, by source */
    struct wedr_vec selectors; /* struct wedr_map_selector */
    struct wedr_vec derived;   /* struct wedr_map_derived; sealed: by source */
    struct wedr_index source_index, selector_index;
    struct wedr_text prefixes[WEDR_MAP_PREFIXES_MAX];
    uint32_t prefix_count;
    struct wedr_map_pairs pairs[WEDR_MAP_PAIRS_MAX];
    uint32_t pair_count;
};

static inline struct wedr_map_source *wedr_map_source_at(const struct wedr_field_map *map,
                                                         uint32_t source)
{
    return WEDR_VEC_AT(struct wedr_map_source, map->sources, source);
}

static inline uint32_t wedr_map_selector_hash(uint32_t source, struct wedr_text folded)
{
    return folded.p ? wedr_hash_bytes(folded.p, folded.len, source + 1)
                    : wedr_hash_mix(0x7468u, source + 1);
}

/* The source of that (stripped) name, or WEDR_IR_NONE. */
uint32_t wedr_map_find(const struct wedr_field_map *map, const char *name, size_t len);
WEDR_MUST_USE int
wedr_map_source_add(struct wedr_field_map *map, struct wedr_text name, uint32_t *ret_source);
/* A folded copy. WEDR_E_LIMIT. */
WEDR_MUST_USE int
wedr_map_folded(struct wedr_field_map *map, const char *value, struct wedr_text *ret_text);
/* How many bytes the longest prefix that name begins with has. */
size_t wedr_map_strip(const struct wedr_field_map *map, const char *name, size_t len);
WEDR_MUST_USE int wedr_map_seal_derived(struct wedr_field_map *map);

/* The value that stands for a source of a template: index, or WEDR_IR_NONE when it has none. */
typedef uint32_t wedr_map_value_fn(const void *ctx, uint32_t source);
/* Adds what d makes of value `index` of its source; nothing when it makes nothing. */
WEDR_MUST_USE int wedr_map_derive(const struct wedr_map_derived *d,
                                  struct wedr_rule_event *ev,
                                  uint32_t index,
                                  wedr_map_value_fn *value_of,
                                  const void *ctx);
/* Puts the value into the field, itself or a copy that repeats it; field WEDR_IR_NONE: nothing. */
WEDR_MUST_USE int wedr_event_bind(struct wedr_rule_event *ev, uint32_t index, uint32_t field);

/* The text of a value in which a folded literal can be found by comparing ASCII letters uncased:
 * the text itself when it is ASCII, else folded. False when there is no room for that. */
bool wedr_event_plain_first(struct wedr_rule_event *ev, uint32_t origin);
static inline bool
wedr_event_plain(struct wedr_rule_event *ev, uint32_t value, struct wedr_text *ret_text)
{
    const struct wedr_rule_value *v = &ev->values[value];
    if (!ev->slices[v->origin].p && !wedr_event_plain_first(ev, v->origin)) {
        return false;
    }
    *ret_text = ev->slices[v->origin];
    return true;
}
/* A value with a text of its own: no repeated one, no number, not empty. */
static inline bool wedr_event_is_text(const struct wedr_rule_event *ev, uint32_t value)
{
    const struct wedr_rule_value *v = &ev->values[value];
    return v->origin == value && v->kind != WEDR_VALUE_NULL && v->kind != WEDR_VALUE_NUMBER &&
           v->text.len > 0;
}
/* Fills ev->gathered with all texts as they are, once, and ev->high with those that are not ASCII.
 * False when there is no room, or values came after the first time. */
bool wedr_event_gather(struct wedr_rule_event *ev);
/* After reading: classes, view and rule fields of all values. WEDR_E_LIMIT. */
WEDR_MUST_USE int wedr_map_bind(const struct wedr_field_map *map, struct wedr_rule_event *ev);

/* Resolves the JSON escapes of [s, s + len), which the reader checked; at most len bytes are
 * written. */
size_t wedr_json_unescape(const char *s, size_t len, char *out);
