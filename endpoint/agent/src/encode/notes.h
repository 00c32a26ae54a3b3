/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/encode/notes.h — where the values of the line written last lie. Taken down
 * with every line, because a store a key costs less than asking whether it is wanted. Private to
 * encode/.
 */
#pragma once

#include "encode/encode.h"
#include "encode/program.h"

/* Ids of keys. A step of the raw block has four: its key, and the same with each suffix, in the
 * order in which they are written. */
enum wedr_note_suffix { WEDR_NOTE_KEY, WEDR_NOTE_CUT, WEDR_NOTE_HEX, WEDR_NOTE_CODE };
#define WEDR_NOTE_RAW(step, suffix) ((uint16_t)((step)*4u + (suffix)))
#define WEDR_NOTE_PROCESS(step) ((uint16_t)(WEDR_STEPS_RAW_MAX * 4u + (step)))
enum {
    WEDR_NOTE_TS = WEDR_STEPS_RAW_MAX * 4u + WEDR_STEPS_PROCESS_MAX,
    WEDR_NOTE_TS_FILETIME,
    WEDR_NOTE_SEQ,
    WEDR_NOTE_DROP_COUNT,
    WEDR_NOTE_TRUNC_COUNT,
    WEDR_NOTE_END, /* a value ends here, and none begins */
    WEDR_NOTE_IDS
};

/* Of a line: a step writes three keys at most; each of the others has its end. */
#define WEDR_NOTES_MAX (WEDR_STEPS_RAW_MAX * 3u + WEDR_STEPS_PROCESS_MAX + 12u)

struct wedr_note {
    uint32_t at; /* of the value's first byte */
    uint16_t id;
    uint8_t key_len; /* bytes of the key before it: the value before ends in front of them */
};

/* NULL: such records are not encoded. */
const struct wedr_program *
wedr_encoder_program(const struct wedr_encoder *e, uint8_t os, uint16_t type);
/* The value behind the note of that id as it was before secrets were taken out of it. False: as the
 * line has it. Valid until the next record that is neither alert nor response. */
bool wedr_encoder_original(const struct wedr_encoder *e,
                           uint16_t id,
                           const char **ret_value,
                           uint32_t *ret_len);
/* Of the line written last: the notes, and the program that wrote it. */
const struct wedr_note *wedr_encoder_notes(const struct wedr_encoder *e,
                                           const struct wedr_program **ret_program,
                                           size_t *ret_count);
