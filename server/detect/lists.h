/* SPDX-License-Identifier: Apache-2.0
 * server/detect/lists.h — stored lists, one entry per line, as the front ends want them. */
#pragma once

#include "detect/sources.h"

#define WEDR_SOURCE_LISTS_MAX 4096u

/* Blank lines and lines that begin with # do not count. */
struct wedr_source_list {
    char *name, *text;   /* text: NULs where the lines ended */
    const char **values; /* into text */
    size_t count;
};

int wedr_source_lists_load(struct wedr_sources *s,
                           const struct wedr_state_ops *ops,
                           struct wedr_state *state);
void wedr_source_lists_free(struct wedr_sources *s);
