/* SPDX-License-Identifier: Apache-2.0
 * endpoint/driver/src/rec.h — builds one wire record. The fixed part lies on the producer's stack,
 * strings stay where the kernel has them until the push copies all of it into a non-paged place
 * (stage.h) and from there into the ring. Everything given to a record is borrowed until
 * wedr_rec_push returns. IRQL <= APC: strings may be paged out. */
#pragma once

#include "nt.h"
#include "wedr/wire/event.h"

/* The fixed part, a joined path of three pieces and five more strings. */
#define WEDR_REC_PARTS_MAX 9u
/* Bytes of a path, key or name that a record carries (NT paths have at most 65534). */
#define WEDR_REC_PATH_MAX 8190u
/* Bytes of a command line: all that a UNICODE_STRING can hold. */
#define WEDR_REC_COMMAND_MAX 65534u
#define WEDR_REC_NAME_MAX 1024u

struct wedr_rec_part {
    const void *p;
    uint32_t len; /* bytes */
    bool text;    /* UTF-16: NULs are replaced in the copy */
};

struct wedr_rec {
    struct wedr_event_header *head;
    uint32_t len;  /* bytes so far */
    uint32_t cuts; /* strings cut */
    uint8_t lane;  /* enum wedr_lane */
    uint8_t count;
    struct wedr_rec_part parts[WEDR_REC_PARTS_MAX];
};

/* Zeroes `fixed` and fills its header. */
void wedr_rec_begin(struct wedr_rec *r, void *fixed, size_t fixed_len, uint16_t type, uint8_t lane);

/* Adds text. ref lies in the fixed part. NULL or empty text: the reference stays 0. Longer than max
 * bytes or of odd length: cut, flagged and counted. A NUL inside becomes U+2400, for names with
 * NULs exist to hide keys and the wire has none in text. */
void wedr_rec_text(struct wedr_rec *r, struct wedr_str_ref *ref, PCUNICODE_STRING s, size_t max);
/* The same for root, a backslash and leaf as one text; either may be NULL or empty, then there is
 * no backslash. max counts all of it. */
void wedr_rec_joined(struct wedr_rec *r,
                     struct wedr_str_ref *ref,
                     PCUNICODE_STRING root,
                     PCUNICODE_STRING leaf,
                     size_t max);
/* Adds bytes as they are. whole: what there was, `len` of it are given; less means cut. */
void wedr_rec_bytes(
    struct wedr_rec *r, struct wedr_str_ref *ref, const void *p, size_t len, size_t whole);
/* There should be a text but it could not be read. */
void wedr_rec_unreadable(struct wedr_str_ref *ref);

/* Puts the record together and hands it to the queue. False when there was no place for it: then it
 * has taken a seq and is counted as lost, and the caller counts it no further. */
bool wedr_rec_push(struct wedr_rec *r);
