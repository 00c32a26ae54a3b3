/* SPDX-License-Identifier: Apache-2.0
 *
 * bench/query_ask.h — the questions of the query bench, their random parameters, and how they are
 * timed; query_plain.c asks the same of plain SQLite.
 */
#pragma once

#include "query_lines.h"
#include "store/query.h"

#define QA_PARAMS 4
#define QA_ROUNDS_MAX 1000u

/* One question: the same parameters for every store. NULL: that store has no such question. */
struct qa_question {
    const char *name, *blocks, *rows, *fts;
    /* Fills in the parameters; NULL: there are none. ?4 is what full-text search is asked. */
    void (*set)(struct ql *g, struct wedr_query_value *v, char (*text)[QL_TEXT]);
};

struct qa_params {
    struct wedr_query_value v[QA_PARAMS]; /* ?1 .. ?4 */
    char text[QA_PARAMS][QL_TEXT];
};

struct qa_options {
    const char *dir;  /* has events/, and the plain stores beside it */
    const char *only; /* name of the one question to ask; NULL: all */
    size_t rounds, cold_rounds;
};

extern const struct qa_question qa_questions[];
extern const size_t qa_question_count;

/* False: not asked (qa_options.only). */
bool qa_wanted(const struct qa_options *o, const struct qa_question *q);
void qa_set(const struct qa_question *q, struct ql *g, struct qa_params *ret);
/* Parameters that a text has. */
size_t qa_count(const char *sql);

struct qa_times {
    double wall[QA_ROUNDS_MAX], cpu[QA_ROUNDS_MAX]; /* ms; of the whole process */
    size_t count;
    uint64_t rows;
    double wall0, cpu0;
};
void qa_start(struct qa_times *t);
void qa_stop(struct qa_times *t);
/* "name":{...}, with a comma behind. */
void qa_print(const char *name, struct qa_times *t);
/* Tells the kernel to forget what it has cached of a file, or of the files in a folder. */
void qa_forget(const char *path);
/* Bytes of a file, or of the files in a folder. */
uint64_t qa_size(const char *path);

/* Fills plain SQLite with the events of the store when it is not there, asks, prints. */
WEDR_MUST_USE int qa_plain(const struct qa_options *o, const struct ql *g, bool fts);
