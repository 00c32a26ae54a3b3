/* SPDX-License-Identifier: Apache-2.0
 * cli/wedr-rules/walk.h — the files behind a path that a person gave: the file itself, whatever its
 * name, or those of a folder and its folders that have one of the endings, in the order of their
 * names. Names that begin with a dot are left out, links inside a folder are not followed. One
 * thread. */
#pragma once

#include "wedr/plat/fs.h"

#define WEDR_WALK_PATH_MAX 4096u     /* bytes of a path with its NUL */
#define WEDR_WALK_DEPTH_MAX 32u      /* folders in folders */
#define WEDR_WALK_NAMES_MAX 1000000u /* of one folder */

struct wedr_walk {
    const char *const *endings; /* ".json", ...; NULL behind the last */
    /* Other than 0 ends the walk. The handle is closed by the walk. */
    int (*file)(void *ctx, const char *path, wedr_handle h);
    /* What could not be opened or listed; the walk goes on. */
    void (*failed)(void *ctx, const char *path, const char *reason);
    void *ctx;
};

/* What `file` returned, WEDR_E_NOMEM, or 0. A path that leads to no file at all is `failed`. */
WEDR_MUST_USE int wedr_walk(const struct wedr_walk *w, const char *path);
bool wedr_walk_is_folder(const char *path);
bool wedr_walk_has_ending(const char *name, const char *const *endings);
