/* SPDX-License-Identifier: Apache-2.0
 * tests/mutate/box.c — one site or more for each operator of tools/mutate. test_box.c sees most of
 * what they do; test_mutate.py knows what it sees. */
#include "box.h"

#include <pthread.h>
#include <stdlib.h>

#define TWICE(x) ((x) + (x))
#define CHECKED(x) ((x) > 3 ? (x) : 3)
#define KIND_A 1u
#define KIND_B 2u

enum colour { COLOUR_RED, COLOUR_BLUE, COLOUR_COUNT };

static unsigned table[COLOUR_COUNT + BOX_MAX];
static int held;

static void lock_acquire(struct box *b)
{
    if (held) {
        abort();
    }
    held = 1;
    b->locks++;
}

static void lock_release(struct box *b)
{
    if (!held) {
        abort();
    }
    held = 0;
    b->locks++;
}

void IoMarkIrpPending(struct box *b)
{
    b->pending = true;
}

static void complete_first(struct box *b)
{
    b->order = b->order * 10 + 1;
}

static void complete_second(struct box *b)
{
    b->order = b->order * 10 + 2;
}

static void note(struct box *b)
{
    b->notes++;
}

static void prefetch(const struct box *b)
{
    (void)b;
}

struct box *box_new(void)
{
    struct box *b = calloc(1, sizeof(*b));

    if (b) {
        b->kind = KIND_A;
        b->name = malloc(BOX_NAME);
        b->colour = COLOUR_RED;
    }
    return b;
}

void box_free(struct box *b)
{
    if (b) {
        free(b->name);
        free(b);
    }
}

int box_put(struct box *b, unsigned value)
{
    if (b->used >= BOX_MAX) {
        return WEDR_E_FULL;
    }
    lock_acquire(b);
    b->items[b->used] = value;
    b->used++;
    lock_release(b);
    note(b);
    prefetch(b);
    return WEDR_OK;
}

unsigned box_sum(const struct box *b)
{
    unsigned sum = 0;

    for (unsigned i = 0; i < b->used; i++) {
        sum += b->items[i];
    }
    return sum;
}

/* Counts in a field: a step that is lost never ends. */
unsigned box_drain(struct box *b)
{
    unsigned steps = 0;

    while (b->used > 0) {
        b->used--;
        steps++;
    }
    return steps;
}

bool box_has(const struct box *b, unsigned value, bool twice)
{
    unsigned i = 0;
    unsigned wanted = twice ? TWICE(value) : CHECKED(value);

    while (i < b->used && b->items[i] != wanted) {
        i++;
    }
    return i < b->used;
}

void box_finish(struct box *b)
{
    IoMarkIrpPending(b);
    complete_first(b);
    complete_second(b);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

void box_shared_note(struct box *b)
{
    pthread_mutex_lock(&mutex);
    b->notes++;
    pthread_mutex_unlock(&mutex);
}

/* `>` and `>=` do the same. */
unsigned box_larger(unsigned a, unsigned b)
{
    unsigned larger = a;

    if (b > larger) {
        larger = b;
    }
    return larger;
}

/* So they do here, which the tool sees itself. */
unsigned box_smaller(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

unsigned box_colour(int which)
{
    switch (which) {
    case COLOUR_RED + 0:
        return table[0] + 7;
    case COLOUR_BLUE:
        return 8;
    default:
        return 9;
    }
}

void box_never(struct box *b)
{
    b->used = 0;
    note(b);
}
