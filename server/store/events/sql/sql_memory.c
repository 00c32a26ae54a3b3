/* SPDX-License-Identifier: Apache-2.0 */
#include "store/events/sql/sql_memory.h"

#include <sqlite3.h>

static sqlite3_mem_methods below; /* SQLite's own */
static _Thread_local struct wedr_sql_budget *current;

struct wedr_sql_budget *wedr_sql_budget_use(struct wedr_sql_budget *b)
{
    struct wedr_sql_budget *before = current;
    current = b;
    return before;
}

static bool take(size_t n)
{
    if (current == NULL) {
        return true;
    }
    size_t used = atomic_fetch_add_explicit(&current->used, n, memory_order_relaxed) + n;
    if (used > current->max) {
        atomic_fetch_sub_explicit(&current->used, n, memory_order_relaxed);
        atomic_store_explicit(&current->exceeded, true, memory_order_relaxed);
        return false;
    }
    return true;
}

/* What was allocated for nobody and is freed for a query must not make the count wrap around. */
static void give_back(size_t n)
{
    size_t used = current == NULL ? 0 : atomic_load_explicit(&current->used, memory_order_relaxed);
    while (current != NULL &&
           !atomic_compare_exchange_weak_explicit(&current->used, &used, used > n ? used - n : 0,
                                                  memory_order_relaxed, memory_order_relaxed)) {
    }
}

static void *limited_malloc(int n)
{
    void *p = below.xMalloc(n);
    if (p != NULL && !take((size_t)below.xSize(p))) {
        below.xFree(p);
        return NULL;
    }
    return p;
}

static void limited_free(void *p)
{
    if (p != NULL) {
        give_back((size_t)below.xSize(p));
    }
    below.xFree(p);
}

static void *limited_realloc(void *p, int n)
{
    size_t before = (size_t)below.xSize(p), asked = (size_t)below.xRoundup(n);
    size_t more = asked > before ? asked - before : 0;
    if (!take(more)) {
        return NULL;
    }
    void *moved = below.xRealloc(p, n);
    size_t after = moved == NULL ? before : (size_t)below.xSize(moved);
    if (before + more > after) {
        give_back(before + more - after);
    } else { /* it is there: counted even when that is over the limit */
        (void)take(after - before - more);
    }
    return moved;
}

/* Before main, because SQLite takes it only before its first use, and every program that links the
 * store uses SQLite from several places. */
__attribute__((constructor)) static void install(void)
{
    sqlite3_mem_methods mine;
    if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &below) != SQLITE_OK) {
        return;
    }
    mine = below;
    mine.xMalloc = limited_malloc;
    mine.xFree = limited_free;
    mine.xRealloc = limited_realloc;
    (void)sqlite3_config(SQLITE_CONFIG_MALLOC, &mine);
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); /* one lock for all threads, at each block */
}
