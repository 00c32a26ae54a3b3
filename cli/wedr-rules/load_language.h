/* SPDX-License-Identifier: Apache-2.0
 * cli/wedr-rules/load_language.h — the front ends behind load.h. */
#pragma once

#include "load.h"

#define WEDR_LOAD_LANGUAGES 3u

/* What is being loaded. */
struct wedr_loading {
    struct wedr_load *l;
    const char *root;                 /* the argument that led to the file at hand */
    void *state[WEDR_LOAD_LANGUAGES]; /* of each language */
};

struct wedr_load_language {
    const char *const *endings;
    size_t file_max;
    const char *too_large; /* what is said of a larger file */
    int (*open)(struct wedr_loading *g, void **state);
    /* Counts and tells of each rule itself; only WEDR_E_NOMEM counts. */
    int (*add)(struct wedr_loading *g, void *state, const char *path, const char *text, size_t len);
    int (*finish)(struct wedr_loading *g, void *state); /* likewise; may be NULL */
    void (*close)(void *state);                         /* NULL is allowed; may be NULL */
};

extern const struct wedr_load_language wedr_load_sigma, wedr_load_ioc, wedr_load_waza;
