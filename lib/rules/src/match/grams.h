/* SPDX-License-Identifier: Apache-2.0
 * rules/src/match/grams.h — finds all literals of one field in one pass over a text, ASCII letters
 * in either case (wedr_event_plain). Each literal is known by the rarest four bytes in it, its
 * gram: a bit per hash says where a gram may stand, and only there the few literals of that gram
 * are compared. Most literals of rules share their first bytes with every event
 * ("c:\windows\system32\"), hardly any shares its rarest ones, so that events pass by without a
 * comparison. Literals of less than four bytes are known by their first two. Where texts are long,
 * a few literals so short that all others had to be looked for at more places because of them are
 * looked for one by one. Constant after building, any thread. */
#pragma once

#include "ir/ruleset.h"
#include "match/automaton.h"
#include <string.h>

#define WEDR_GRAM 4u
#define WEDR_GRAM_UNCASED 0x20202020u /* makes letters small, and others others: on both sides */
#define WEDR_GRAM_STRIDE_MAX 8u
#define WEDR_GRAM_PAIRS 65536u
#define WEDR_GRAM_FEW_MAX 4u

struct wedr_gram_entry {
    uint32_t gram; /* the bytes, uncased; of a short literal: all of it */
    uint32_t atom;
    uint32_t text; /* of the whole literal, in texts */
    uint16_t len;  /* 0: a free slot */
    uint8_t at;    /* of the gram in it */
    uint8_t place; /* enum wedr_place */
};

struct wedr_gram_few {
    char *text;
    uint32_t atom, len;
};

struct wedr_grams {
    struct wedr_gram_entry *entries; /* each in its gram's slot or behind it; NULL: no literals */
    uint32_t *bits;                  /* by hash: a gram */
    char *texts;
    uint64_t *pairs; /* bits by two bytes: a short literal begins so; NULL: no short ones */
    struct wedr_gram_entry *singles; /* of one byte */
    struct wedr_gram_entry *shorts;  /* by slot: of two and three bytes */
    uint32_t *short_first;
    struct wedr_gram_few few[WEDR_GRAM_FEW_MAX]; /* of four bytes and more, one by one */
    uint32_t few_count;
    uint32_t long_count; /* known by grams */
    uint32_t shift, slot_shift, short_shift;
    uint32_t slot_mask;
    uint32_t
        stride; /* each literal has that many grams in a row: looked up at every stride-th byte */
    uint32_t single_count;
    uint32_t shortest, longest;
    uint32_t count;
    size_t bytes; /* of all tables */
};

/* Sorts the literals; tables in pool, scratch in tmp. A text occurs once. long_texts: those that
 * are searched are long, and all literals may stand anywhere. */
WEDR_MUST_USE int wedr_grams_build(struct wedr_grams *g,
                                   struct wedr_literal *literals,
                                   size_t count,
                                   bool long_texts,
                                   struct wedr_pool *pool,
                                   struct wedr_pool *tmp);

static inline uint32_t wedr_gram_hash(uint32_t four)
{
    return four * 0x9E3779B1u;
}
/* The gram at s. */
static inline uint32_t wedr_gram_at(const void *s)
{
    uint32_t four;
    memcpy(&four, s, sizeof(four));
    return four | WEDR_GRAM_UNCASED;
}
/* Two bytes as they are. */
static inline uint32_t wedr_pair_at(const void *s)
{
    uint16_t two;
    memcpy(&two, s, sizeof(two));
    return two;
}
static inline bool wedr_gram_bit(const uint64_t *bits, uint32_t at)
{
    return bits[at / 64] >> (at % 64) & 1;
}
