/* SPDX-License-Identifier: Apache-2.0 OR BSD-2-Clause
 * lib/core/base/list.h — intrusive doubly linked list with a head node. The caller owns the nodes
 * and the lock. A node that is in no list is linked to itself, so removing it twice is harmless.
 * Freestanding. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct wedr_list {
    struct wedr_list *next, *prev;
};

/* The structure around a node. */
#define WEDR_LIST_ENTRY(node, type, member) \
    ((type *)(void *)((char *)(node)-offsetof(type, member)))

/* Walks from the first to the last node; the body must not remove `it`. */
#define WEDR_LIST_EACH(it, head) \
    for (struct wedr_list *it = (head)->next; it != (head); it = it->next)

/* For a head and for a node that is not linked yet. */
static inline void wedr_list_init(struct wedr_list *n)
{
    n->next = n;
    n->prev = n;
}

static inline bool wedr_list_empty(const struct wedr_list *head)
{
    return head->next == head;
}

static inline void wedr_list_insert_after(struct wedr_list *at, struct wedr_list *n)
{
    n->prev = at;
    n->next = at->next;
    at->next->prev = n;
    at->next = n;
}

static inline void wedr_list_add_tail(struct wedr_list *head, struct wedr_list *n)
{
    wedr_list_insert_after(head->prev, n);
}

static inline void wedr_list_add_head(struct wedr_list *head, struct wedr_list *n)
{
    wedr_list_insert_after(head, n);
}

static inline void wedr_list_remove(struct wedr_list *n)
{
    n->prev->next = n->next;
    n->next->prev = n->prev;
    wedr_list_init(n);
}

/* The first node, unlinked, or NULL when the list is empty. */
static inline struct wedr_list *wedr_list_take_head(struct wedr_list *head)
{
    if (wedr_list_empty(head)) {
        return NULL;
    }
    struct wedr_list *n = head->next;
    wedr_list_remove(n);
    return n;
}
