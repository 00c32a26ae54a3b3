/* SPDX-License-Identifier: Apache-2.0
 * tests/mutate/box.h — the module that tools/mutate is tried on. */
#pragma once

#include <stdbool.h>

#define WEDR_OK 0
#define WEDR_E_FULL (-3)
#define BOX_MAX 4
#define BOX_NAME 16

struct box {
    unsigned items[BOX_MAX];
    unsigned used;
    unsigned kind;
    unsigned locks;
    unsigned notes;
    unsigned order;
    unsigned colour;
    bool pending;
    char *name;
};

struct box *box_new(void);
void box_free(struct box *b);
int box_put(struct box *b, unsigned value);
unsigned box_sum(const struct box *b);
unsigned box_drain(struct box *b);
bool box_has(const struct box *b, unsigned value, bool twice);
void box_finish(struct box *b);
void box_shared_note(struct box *b);
unsigned box_larger(unsigned a, unsigned b);
unsigned box_smaller(unsigned a, unsigned b);
unsigned box_colour(int which);
void box_never(struct box *b);
void IoMarkIrpPending(struct box *b);
