/* SPDX-License-Identifier: Apache-2.0 */
#include "watch_priv.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include <string.h>

#define SLOTS \
    ((size_t)65536) /* a power of two; pages that no process hashes to are never touched */
#define FULL (SLOTS / 4 * 3)

struct watch_table {
    size_t count;
    struct watch_process slot[SLOTS];
};

int watch_table_new(struct watch_table **ret)
{
    *ret = wedr_alloc(1, sizeof **ret);
    return *ret ? WEDR_OK : WEDR_E_NOMEM;
}

/* Pids follow one another: taken as they are they lie in a row, few pages. */
static size_t place(uint32_t pid)
{
    return pid & (SLOTS - 1);
}

struct watch_process *watch_table_find(struct watch_table *t, uint32_t pid)
{
    for (size_t i = place(pid); pid && t->slot[i].pid; i = (i + 1) & (SLOTS - 1)) {
        if (t->slot[i].pid == pid) {
            return &t->slot[i];
        }
    }
    return NULL;
}

struct watch_process *watch_table_add(struct watch_table *t, uint32_t pid)
{
    struct watch_process *p = watch_table_find(t, pid);
    if (p || t->count >= FULL) {
        return p;
    }
    size_t i = place(pid);
    while (t->slot[i].pid) {
        i = (i + 1) & (SLOTS - 1);
    }
    memset(&t->slot[i], 0, sizeof t->slot[i]);
    t->slot[i].pid = pid;
    t->count++;
    return &t->slot[i];
}

void watch_table_remove(struct watch_table *t, uint32_t pid)
{
    struct watch_process *p = watch_table_find(t, pid);
    if (!p) {
        return;
    }
    size_t hole = (size_t)(p - t->slot);
    t->slot[hole].pid = 0;
    t->count--;
    /* What stands behind and could have stood here moves up. */
    for (size_t i = (hole + 1) & (SLOTS - 1); t->slot[i].pid; i = (i + 1) & (SLOTS - 1)) {
        size_t home = place(t->slot[i].pid);
        if (((i - home) & (SLOTS - 1)) >= ((i - hole) & (SLOTS - 1))) {
            t->slot[hole] = t->slot[i];
            t->slot[i].pid = 0;
            hole = i;
        }
    }
}

void watch_table_each(struct watch_table *t,
                      void (*fn)(void *arg, struct watch_process *p),
                      void *arg)
{
    for (size_t i = 0; i < SLOTS; i++) {
        uint32_t pid = t->slot[i].pid;
        if (pid) {
            fn(arg, &t->slot[i]);
            i -= t->slot[i].pid && t->slot[i].pid != pid; /* another moved up */
        }
    }
}
