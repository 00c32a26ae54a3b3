/* SPDX-License-Identifier: Apache-2.0
 * rules/event.h — one event as the matcher sees it: fields (ids of a ruleset) with one or several
 * values, and the classes that it belongs to. Made once per thread, filled again for every event
 * without allocation, from one JSON document through a field map or by setters. Not thread-safe. */
#pragma once

#include "wedr/rules/ir.h"

enum wedr_value_kind { WEDR_VALUE_NULL, WEDR_VALUE_BOOL, WEDR_VALUE_NUMBER, WEDR_VALUE_TEXT };

/* A value. `text` of a number set by a setter is empty until wedr_rule_event_text made it. */
struct wedr_rule_value {
    struct wedr_text text;     /* borrowed: the document, the event's own memory, or the caller's */
    struct wedr_text name;     /* of the source: last key in the document; empty from setters */
    struct wedr_number number; /* NUMBER */
    uint32_t field;            /* first rule field it is bound to, WEDR_IR_NONE: keywords only */
    uint32_t next;             /* next value of the same field, WEDR_IR_NONE at the end */
    uint32_t source;           /* id in the field map, WEDR_IR_NONE */
    uint32_t origin;           /* its own index, or the value that it repeats under another field */
    uint8_t kind;              /* enum wedr_value_kind */
    bool boolean;
    bool escaped; /* `text` still has JSON escapes: wedr_rule_event_text resolves them */
};

#define WEDR_EVENT_CLASSES_MAX 16u

struct wedr_rule_event_limits {
    uint32_t values_max;   /* values of one event; default 4096 */
    uint32_t document_max; /* bytes of one JSON document; default 1 MiB */
    uint32_t depth_max;    /* nesting; default 32 */
    uint32_t name_max;     /* bytes of a dotted name; default 512 */
};

struct wedr_rule_event;
struct wedr_field_map;

/* limits NULL or a 0 in it: the default. Fields of rs as they are now; the ruleset (or the engine
 * that took it) must outlive the event. NULL when out of memory. */
WEDR_MUST_USE struct wedr_rule_event *
wedr_rule_event_new(const struct wedr_ruleset *rs, const struct wedr_rule_event_limits *limits);
void wedr_rule_event_free(struct wedr_rule_event *ev);
size_t wedr_rule_event_memory(const struct wedr_rule_event *ev);

/* --- Setters. Texts are borrowed until the next clear. A field set several times has several
 * values; with field WEDR_IR_NONE only keywords see the value. More than values_max: WEDR_E_LIMIT,
 * counted. */
void wedr_rule_event_clear(struct wedr_rule_event *ev);
int wedr_rule_event_add_text(struct wedr_rule_event *ev, uint32_t field, const char *s, size_t len);
int wedr_rule_event_add_i64(struct wedr_rule_event *ev, uint32_t field, int64_t v);
int wedr_rule_event_add_u64(struct wedr_rule_event *ev, uint32_t field, uint64_t v);
int wedr_rule_event_add_f64(struct wedr_rule_event *ev, uint32_t field, double v);
int wedr_rule_event_add_bool(struct wedr_rule_event *ev, uint32_t field, bool b);
int wedr_rule_event_add_null(struct wedr_rule_event *ev, uint32_t field);
int wedr_rule_event_add_class(struct wedr_rule_event *ev, uint32_t event_class);

/* --- JSON. Clears ev, reads the one document in [json, json + len) (an object; blanks around it
 * are allowed), binds it through map and adds the classes that the map gives. Nested objects become
 * dotted names, arrays several values; of a duplicate key both values count. Lone surrogates become
 * U+FFFD, control characters inside strings and bytes that are not UTF-8 pass as they are. The
 * document is borrowed until the next clear. WEDR_E_FORMAT (ei: reason and offset), WEDR_E_LIMIT;
 * ev is empty then. */
WEDR_MUST_USE int wedr_rule_event_read_json(struct wedr_rule_event *ev,
                                            const struct wedr_field_map *map,
                                            const char *json,
                                            size_t len,
                                            struct wedr_errinfo *ei);

/* --- Reading. */
/* Index of the first value of field; WEDR_IR_NONE when it has none. */
uint32_t wedr_rule_event_first(const struct wedr_rule_event *ev, uint32_t field);
uint32_t wedr_rule_event_value_count(const struct wedr_rule_event *ev);
const struct wedr_rule_value *wedr_rule_event_value(const struct wedr_rule_event *ev,
                                                    uint32_t index);
/* Text form of a value, made on first use (NULL: p is NULL). */
struct wedr_text wedr_rule_event_text(struct wedr_rule_event *ev, uint32_t index);
uint32_t wedr_rule_event_class_count(const struct wedr_rule_event *ev);
uint32_t wedr_rule_event_class(const struct wedr_rule_event *ev, uint32_t index);

/* --- Field map: how the keys of one or several JSON forms become rule fields and classes. Made
 * from a pipeline after the rules are loaded; const use from any thread once sealed. */

/* A key that equals a rule field's name is that field without any entry. The ruleset must outlive
 * the map. */
WEDR_MUST_USE struct wedr_field_map *wedr_field_map_new(const struct wedr_ruleset *rs);
void wedr_field_map_free(struct wedr_field_map *map);
size_t wedr_field_map_memory(const struct wedr_field_map *map);
/* The dotted name `source` is (also) rule field `field_name`, in view `view` (0: in every view). A
 * field that no rule mentions is accepted and costs nothing. Several entries per source add up, and
 * the source's own name no longer counts unless it is an entry too. */
WEDR_MUST_USE int wedr_field_map_add(struct wedr_field_map *map,
                                     uint32_t view,
                                     const char *source,
                                     const char *field_name);
/* A dotted name that begins with `prefix` ("Event.EventData."; it ends in a dot) stands for what
 * follows, which is then looked up like a source. The longest prefix wins; at most 32. */
WEDR_MUST_USE int wedr_field_map_prefix(struct wedr_field_map *map, const char *prefix);
/* Array of {name_key, value_key} objects under `array` ("Event.EventData.Data", "@Name", "#text"):
 * each gives the dotted name prefix + name. Entries for one array add up and share the first one's
 * prefix. At most 8. A name_key with a dot lies in an object ("#attributes.Name"); then the name
 * has to come before the value. */
WEDR_MUST_USE int wedr_field_map_pairs(struct wedr_field_map *map,
                                       const char *array,
                                       const char *name_key,
                                       const char *value_key,
                                       const char *prefix);

/* A value made of others: text with {source} or {source:hex} (a number as 0x%x) in it, e.g.
 * "{raw.key_path}\\{raw.value_name}" for TargetObject. Made when a rule knows the field, the view
 * holds and the first {source} has a value; another source that has none is left out with the
 * literal in front of it. Of several values of a source the first counts. A source that is only in
 * templates keeps its own name. WEDR_E_FORMAT: a bad template (at least one source; at most 4);
 * WEDR_E_LIMIT: more than 512 bytes, or more than 256 templates and values that rules know. */
WEDR_MUST_USE int wedr_field_map_compose(struct wedr_field_map *map,
                                         uint32_t view,
                                         const char *template,
                                         const char *field_name);
/* The field has `text` when the source has a value that equals `value` (uncased): "raw.direction"
 * "outbound" -> Initiated "true". WEDR_E_LIMIT as above. */
WEDR_MUST_USE int wedr_field_map_value(struct wedr_field_map *map,
                                       uint32_t view,
                                       const char *source,
                                       const char *value,
                                       const char *field_name,
                                       const char *text);

#define WEDR_SELECTOR_CONDITIONS_MAX 6u

/* `source` (dotted name, prefixes stripped) has a value that equals `value` (uncased, as text).
 * value NULL: is there. */
struct wedr_selector_condition {
    const char *source;
    const char *value;
};

/* Events for which all conditions hold get the class and, when view is not 0 and none was chosen by
 * an earlier selector, that view. class_name NULL: only the view. A class that no rule names is
 * accepted. Selectors are found by their first condition: cheaper when it is one with a value. */
WEDR_MUST_USE int wedr_field_map_select(struct wedr_field_map *map,
                                        const struct wedr_selector_condition *conditions,
                                        size_t count,
                                        uint32_t view,
                                        const char *class_name);
/* Builds the lookup tables; nothing can be added afterwards (WEDR_E_STATE). */
WEDR_MUST_USE int wedr_field_map_seal(struct wedr_field_map *map);

/* --- Forms: for a producer that knows the keys of its documents before it sees their values. What
 * the map makes of each key is worked out once; per event only values that rules ask for are
 * touched. The rule event that comes out is the one that read_json would make of the whole
 * document, except for values that no rule of the event's classes can see. */

/* One key of such documents; its place in the array is its id. */
struct wedr_form_key {
    const char *name;     /* dotted, as read_json would call it: "raw.image_path" */
    const char *constant; /* JSON text of the scalar that each document of the form has there,
                             without escapes; NULL: it varies, or may be missing */
};

/* A value of one document: JSON text of a scalar, or of an array of scalars. */
struct wedr_form_value {
    uint32_t key;
    const char *p;
    uint32_t len;
};

struct wedr_form;

/* Keys are copied; they come in the order that documents have them in. The map is sealed and
 * outlives the form. WEDR_E_INVAL: a key that the map takes for an array of pairs; WEDR_E_NOMEM;
 * WEDR_E_LIMIT: more than 512 keys, 16 classes, 31 views or 64 conditions that such a document can
 * have: read_json is for those. */
WEDR_MUST_USE int wedr_form_new(const struct wedr_field_map *map,
                                const struct wedr_form_key *keys,
                                size_t count,
                                struct wedr_form **ret_form);
void wedr_form_free(struct wedr_form *f); /* NULL is allowed */
size_t wedr_form_memory(const struct wedr_form *f);
/* False: such a document gets no class that a rule names, and no rule takes events of any class. */
bool wedr_form_wanted(const struct wedr_form *f);
/* Whether fill may look at that key at all: others need not be given. */
bool wedr_form_wants(const struct wedr_form *f, uint32_t key);
/* Clears ev and fills it. values: in the order of the keys, each key at most once, constant ones
 * left out. Texts are borrowed until the next clear. *ret_any false: no rule can match and ev is
 * empty. Values are trusted to be JSON. WEDR_E_LIMIT (values_max): ev is empty. */
WEDR_MUST_USE int wedr_form_fill(const struct wedr_form *f,
                                 const struct wedr_form_value *values,
                                 size_t count,
                                 struct wedr_rule_event *ev,
                                 bool *ret_any);
