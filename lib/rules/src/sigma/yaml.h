/* SPDX-License-Identifier: Apache-2.0
 * rules/src/sigma/yaml.h — YAML documents as trees in an arena: block and flow collections, all
 * scalar styles, anchors within a budget, merge keys; duplicate keys are an error. Plain block
 * documents, which is what rules are, are read by a quick reader of our own; whatever that one does
 * not know goes to libyaml, and both give the same tree. */
#pragma once

#include "core/util/arena.h"
#include "core/util/errinfo.h"
#include "wedr/rules/text.h"

enum wedr_yaml_kind { WEDR_YAML_SCALAR, WEDR_YAML_LIST, WEDR_YAML_MAP };

struct wedr_yaml {
    uint8_t kind;    /* enum wedr_yaml_kind */
    bool plain;      /* scalar without quotes: may be null, a boolean or a number */
    uint8_t depth;   /* of the tree below, 1 for a scalar */
    uint32_t line;   /* 1-based */
    uint32_t count;  /* children */
    uint32_t weight; /* nodes of the tree, with aliases expanded */
    struct wedr_text text;
    struct wedr_text key;    /* of a value in a map */
    struct wedr_yaml *first; /* child; shared by aliases: never changed */
    struct wedr_yaml *next;  /* sibling; of a document: the next document */
};

struct wedr_yaml_limits {
    uint32_t depth_max; /* at most 64 */
    uint32_t nodes_max; /* of one text, with aliases expanded */
};

/* Reads every document of [s, s + len). Texts point into s or into the arena, so both must outlive
 * the trees. *ret_documents is NULL when there is none. WEDR_E_FORMAT, WEDR_E_LIMIT; *ret_line then
 * says where (0: unknown) and ei why. */
WEDR_MUST_USE int wedr_yaml_read(struct wedr_arena *a,
                                 const struct wedr_yaml_limits *limits,
                                 const char *s,
                                 size_t len,
                                 struct wedr_yaml **ret_documents,
                                 uint32_t *ret_line,
                                 struct wedr_errinfo *ei);
/* The two readers apart, for tests. WEDR_E_UNSUP of the quick one: not for it. */
WEDR_MUST_USE int wedr_yaml_read_quick(struct wedr_arena *a,
                                       const struct wedr_yaml_limits *limits,
                                       const char *s,
                                       size_t len,
                                       struct wedr_yaml **ret_documents);
WEDR_MUST_USE int wedr_yaml_read_full(struct wedr_arena *a,
                                      const struct wedr_yaml_limits *limits,
                                      const char *s,
                                      size_t len,
                                      struct wedr_yaml **ret_documents,
                                      uint32_t *ret_line,
                                      struct wedr_errinfo *ei);

/* Plain text that both readers take the same way: UTF-8 without control characters and without
 * the line ends that only Unicode knows. */
bool wedr_yaml_is_simple(const char *s, size_t len);

/* A tree that needs nothing of the arena and text that it was read from. NULL: no memory. */
struct wedr_yaml *wedr_yaml_copy(struct wedr_arena *a, const struct wedr_yaml *tree);
/* Value of a key; NULL when map is no map or has none. */
const struct wedr_yaml *wedr_yaml_get(const struct wedr_yaml *map, const char *key);
/* A key that stands twice in the map, or NULL. */
const struct wedr_yaml *wedr_yaml_twice(struct wedr_arena *a, const struct wedr_yaml *map);

enum wedr_yaml_type {
    WEDR_YAML_NULL,
    WEDR_YAML_BOOL,
    WEDR_YAML_NUMBER,
    WEDR_YAML_TEXT,
    WEDR_YAML_COLLECTION
};

/* What a node means in the core schema of YAML 1.2: null ~ true false, decimal, 0x, 0o, floats. */
enum wedr_yaml_type
wedr_yaml_type(const struct wedr_yaml *node, bool *ret_bool, struct wedr_number *ret_number);

static inline bool wedr_text_is(struct wedr_text t, const char *s)
{
    size_t i = 0;
    while (i < t.len && s[i] == t.p[i] && s[i] != '\0') {
        i++;
    }
    return i == t.len && s[i] == '\0';
}
