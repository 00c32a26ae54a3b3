/* SPDX-License-Identifier: Apache-2.0
 * rules/src/event/form.h — inside of a form: what the map makes of each key, per view. */
#pragma once

#include "event/event.h"

#define WEDR_FORM_KEYS_MAX 512u
#define WEDR_FORM_CONDITIONS_MAX 64u
#define WEDR_FORM_VIEWS_MAX 32u /* view 0 is the first */
/* Bits of a mask: one a class that the form can have (WEDR_EVENT_CLASSES_MAX), and: */
#define WEDR_FORM_ANY (1u << WEDR_EVENT_CLASSES_MAX) /* rules that ask for no class */

/* A rule field, and which classes' rules ask for it. */
struct wedr_form_bind {
    uint32_t field, mask;
};

struct wedr_form_derived {
    uint32_t derived, mask;
};

/* A key in one view. */
struct wedr_form_use {
    uint32_t bind_first, bind_count;
    uint32_t derived_first, derived_count;
    uint32_t mask; /* of all of it, and of values that are made with it */
};

struct wedr_form_place {
    struct wedr_text name;     /* last part of the key */
    uint32_t source;           /* in the map, or WEDR_IR_NONE */
    struct wedr_text constant; /* JSON; p NULL: varies */
    uint64_t conditions;       /* that ask for this key */
    bool wanted;
};

struct wedr_form_condition {
    uint32_t key;
    struct wedr_text value; /* p NULL: is there */
};

struct wedr_form_selector {
    uint64_t needs;      /* conditions */
    uint32_t view_index; /* 0: gives none */
    uint32_t event_class, mask;
};

struct wedr_form {
    const struct wedr_field_map *map;
    struct wedr_pool pool;
    uint32_t key_count, condition_count, view_count;
    uint32_t views[WEDR_FORM_VIEWS_MAX];
    uint32_t classes[WEDR_EVENT_CLASSES_MAX]; /* of the ruleset, by bit */
    uint32_t class_count;
    uint32_t live;     /* classes that rules ask for, ANY among them */
    uint32_t keywords; /* those whose rules have keywords: they see every value */
    struct wedr_form_condition conditions[WEDR_FORM_CONDITIONS_MAX];
    struct wedr_vec places;    /* struct wedr_form_place, by key */
    struct wedr_vec selectors; /* struct wedr_form_selector, in the map's order */
    struct wedr_vec uses;      /* struct wedr_form_use, view by view */
    struct wedr_vec binds, derived;
    struct wedr_vec constants; /* uint32_t: keys that are constant and wanted */
};

static inline struct wedr_form_place *wedr_form_place(const struct wedr_form *f, uint32_t key)
{
    return WEDR_VEC_AT(struct wedr_form_place, f->places, key);
}

/* By field of the ruleset: which of the form's classes have rules that look at it. Sets live and
 * keywords too. masks: one a field. WEDR_E_NOMEM. */
WEDR_MUST_USE int wedr_form_needs(struct wedr_form *f, uint32_t *masks);
