/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/encode/program.h — schema.def turned into one list of steps per record type
 * and system, made once at start. Private to encode/.
 */
#pragma once

#include "core/base/attr.h"
#include "wedr/wire/schema.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum wedr_step_code {
    /* fields of the record; in this order so that integers come first */
    WEDR_STEP_U8,
    WEDR_STEP_U16,
    WEDR_STEP_U32,
    WEDR_STEP_U64,
    WEDR_STEP_I32,
    WEDR_STEP_I64,
    WEDR_STEP_BOOL,
    WEDR_STEP_KEY,
    WEDR_STEP_TIME,
    WEDR_STEP_IP,
    WEDR_STEP_STR,
    WEDR_STEP_ARGV,
    WEDR_STEP_LIST,
    WEDR_STEP_JSON,
    WEDR_STEP_BYTES,
    WEDR_STEP_LABEL,
    WEDR_STEP_FLAGS,
    /* keys that the agent adds, out of the record: */
    WEDR_STEP_EXISTING,
    WEDR_STEP_INTEGRITY,
    WEDR_STEP_CLEAN_EXIT,
    WEDR_STEP_SCOPE,
    WEDR_STEP_DATA_TRUNCATED,
    WEDR_STEP_DATA_TEXT,
    WEDR_STEP_REMOTE,
    WEDR_STEP_SOURCE_PID,
    WEDR_STEP_IP_VERSION,
    WEDR_STEP_DIRECTION,
    WEDR_STEP_REDACTED,
    /* names and lists; the first of them is asked for */
    WEDR_STEP_ARGV_LIST,
    WEDR_STEP_PARENT_NAME,
    WEDR_STEP_IMAGE_NAME, /* process.name from image_path */
    WEDR_STEP_TREE_NAME,  /* process.name from the tree of processes, else comm */
    WEDR_STEP_TREE_PATH,  /* path from that tree */
    /* people, and what the parent's command line was */
    WEDR_STEP_USER_NAME,
    WEDR_STEP_GROUP_NAME,
    WEDR_STEP_TREE_USER,
    WEDR_STEP_PARENT_COMMAND,
    /* out of the names of control groups */
    WEDR_STEP_CONTAINER,
    WEDR_STEP_POD,
    WEDR_STEP_RUNTIME,
    WEDR_STEP_SERVICE,
    /* facts about the executable */
    WEDR_STEP_SHA256,
    WEDR_STEP_PACKAGE,
    WEDR_STEP_PACKAGE_VERSION,
    WEDR_STEP_BUILD_ID,
    WEDR_STEP_INTERPRETER,
};

struct wedr_step {
    uint8_t code; /* enum wedr_step_code */
    uint8_t kind; /* enum wedr_kind, for labels */
    bool required;
    bool exact; /* raw: adds _hex, _cut and _code keys; the process block has plain values only */
    uint16_t offset; /* of the (main) field in the record */
    uint16_t offset2;
    uint16_t offset3; /* of first_thread; 0 where the system's records lack it */
    uint8_t key_len;
    char key[40]; /* ,"name": */
};

#define WEDR_STEPS_RAW_MAX 96u
#define WEDR_STEPS_PROCESS_MAX 16u

struct wedr_program {
    const struct wedr_type_info *type;
    uint8_t raw_count, process_count;
    uint16_t pid_offset; /* of the field behind process.pid; 0: no process block */
    uint16_t head_len, tail_len;
    char head[96]; /* Z","module":"...","event_type":"..." */
    char tail[96]; /* ,"source":"...","kind":"...","event_version":7,"seq": */
    struct wedr_step raw[WEDR_STEPS_RAW_MAX];
    struct wedr_step process[WEDR_STEPS_PROCESS_MAX];
};

/* WEDR_E_BUG when schema.def has something this table does not know. */
WEDR_MUST_USE int
wedr_program_make(const struct wedr_type_info *type, uint8_t os, struct wedr_program *ret);
/* What stands under "source": the kernel or the agent itself. */
const char *wedr_program_source(const struct wedr_type_info *type);
