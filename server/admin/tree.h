/* SPDX-License-Identifier: Apache-2.0
 *
 * server/admin/tree.h — a process, where it comes from and what it started, out of what detection
 * keeps of processes and, for those that it forgot, out of the events. One thread.
 */
#pragma once

#include "admin/data.h"
#include "core/util/arena.h"

#define WEDR_TREE_ANCESTORS_MAX 32u
#define WEDR_TREE_CHILDREN_MAX 20000u

struct wedr_tree_process {
    const char *key, *parent_key, *image_path, *command_line, *user; /* but key may be NULL */
    int64_t pid, ppid, started_us, ended_us;                         /* < 0: not known */
    bool from_create; /* the texts are of a process_create: a fork says less */
};

#define WEDR_TREE_FOUND_MAX 256u

struct wedr_tree {
    struct wedr_server *s;
    const char *agent_id;
    struct wedr_arena *arena; /* texts */
    /* What the events said of processes that were asked for and of their ancestors: one question
     * finds them all. Zeroed at first; in the arena. */
    struct wedr_tree_process *found;
    size_t found_count;
};

/* WEDR_E_NOENT: neither an event nor the store knows it. */
WEDR_MUST_USE int
wedr_tree_find(struct wedr_tree *t, const char *key, struct wedr_tree_process *ret);
/* All children that are known of a process that was found, sorted by when they began, at most
 * WEDR_TREE_CHILDREN_MAX; in the arena. *ret_cut: there are, or may be, more than are listed. */
WEDR_MUST_USE int wedr_tree_children(struct wedr_tree *t,
                                     const struct wedr_tree_process *parent,
                                     struct wedr_tree_process **ret,
                                     size_t *ret_count,
                                     bool *ret_cut);
void wedr_tree_process_out(struct wedr_out *o, const struct wedr_tree_process *p);
