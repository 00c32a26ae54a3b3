/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/enrich/facts.h — what core knows beyond the records: digest, package, build id
 * and interpreter of executables, names of users and groups. What it does not know it puts into a
 * queue of questions for the process facts (enrich/facts_main.h) and goes on: nothing here waits.
 * Answers that come after a process_create line went out without become process_image records, once
 * for each such line. All tables are bounded and taken at new; what does not fit is counted. One
 * thread.
 */
#pragma once

#include "core/base/attr.h"
#include "core/base/span.h"
#include "enrich/elf.h"
#include "wedr/wire/decode.h"
#include "wedr/wire/msg.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEDR_FACTS_FILES 2048u   /* executables that are remembered */
#define WEDR_FACTS_WAITING 1024u /* processes whose line went out without */
#define WEDR_FACTS_NAMES 1024u   /* of users and of groups: as many each */
#define WEDR_FACTS_NAME_ASKS 64u
#define WEDR_FACTS_UNDER_WAY 16u       /* questions about files that are not answered yet */
#define WEDR_FACTS_NAME_MS 600000u     /* a name is asked for again after this time */
#define WEDR_FACTS_NO_NAME_MS 60000u   /* ... and one that was not there after this one */
#define WEDR_FACTS_FAILED_MS 600000u   /* a file that could not be read */
#define WEDR_FACTS_YOUNG_MS 60000u     /* least time that facts about a young file are good for */
#define WEDR_FACTS_OLD_MS 3600000u     /* an older file's are good for ever */
#define WEDR_FACTS_HOLD_MS 250u        /* an answer that another program of the process would end */
#define WEDR_FACTS_ANSWER_MS 120000u   /* a question without an answer is given up */
#define WEDR_FACTS_IMAGE_PATH_MAX 511u /* bytes of the path in a late record */

struct wedr_facts;

/* Of an executable, as the kernel gave it. */
struct wedr_facts_file {
    uint8_t sha256[32];
    char package[WEDR_MSG_NAME_MAX], package_version[WEDR_MSG_NAME_MAX]; /* "": none */
    struct wedr_elf elf;
};
/* A process whose line went out without. */
struct wedr_facts_late {
    struct wedr_msg_exe exe;
    uint16_t path_len;
    char path[WEDR_FACTS_IMAGE_PATH_MAX + 1];
    struct wedr_facts_file file;
};

/* NULL when out of memory. */
WEDR_MUST_USE struct wedr_facts *wedr_facts_new(void);
void wedr_facts_free(struct wedr_facts *f); /* NULL is allowed */
/* The time of what follows. */
void wedr_facts_now(struct wedr_facts *f, uint64_t now_ms);
/* A name that is known from the start. */
void wedr_facts_put_name(struct wedr_facts *f, bool group, uint32_t id, const char *name);

/* What is known of the executable of a process_create record of Linux; NULL: nothing (yet). utc_us:
 * when the program began. The same record may be shown again. */
const struct wedr_facts_file *
wedr_facts_exec(struct wedr_facts *f, const struct wedr_event_view *v, int64_t utc_us);
/* Borrowed until the next call that changes names; len 0: not known, or it has none. */
struct wedr_span wedr_facts_name(struct wedr_facts *f, bool group, uint32_t id);

/* The next question, EXE_ASK or NAME_ASK, into m, which has room for either. False: none now. It
 * counts as asked once wedr_facts_asked was called. */
WEDR_MUST_USE bool wedr_facts_next_ask(struct wedr_facts *f, struct wedr_msg_exe_ask *m);
void wedr_facts_asked(struct wedr_facts *f, const struct wedr_msg_exe_ask *m);
/* Answers; what nobody asked for changes nothing. */
void wedr_facts_exe_answer(struct wedr_facts *f, const struct wedr_msg_exe_facts *m);
void wedr_facts_name_answer(struct wedr_facts *f, const struct wedr_msg_name *m);
/* The other side is gone: what it was asked is not asked again. */
void wedr_facts_peer_gone(struct wedr_facts *f);

/* The next process whose facts came late. It stays until it is taken. False: none. */
WEDR_MUST_USE bool wedr_facts_next_late(struct wedr_facts *f, struct wedr_facts_late *ret);
void wedr_facts_late_taken(struct wedr_facts *f);
void wedr_facts_stats(const struct wedr_facts *f, struct wedr_msg_enrich *ret);
