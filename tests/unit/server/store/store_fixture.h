/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/unit/server/store/store_fixture.h — a store in a folder of its own, and questions to it.
 */
#pragma once

#include "batch_builder.h"
#include "store/events/embedded/embedded.h"
#include "store/events/embedded/verify.h"
#include "store/events/sql/sql.h"

struct fx {
    char dir[256];
    struct wedr_events *s;
    char wrong[256]; /* last problem of fx_verify: "day|batch|what" */
};

/* A new folder below the working directory's temporary one, and an open store in it. */
void fx_init(struct fx *f);
void fx_open(struct fx *f);
void fx_close(struct fx *f);
/* Closes and removes the folder. */
void fx_fini(struct fx *f);
void fx_remove(const char *dir);
/* Seals and commits alone; WEDR_COMMIT_* or a negative error. Frees the batch. */
int fx_put(struct fx *f, struct tb *b);
/* Commits count forks of stream kernel.critical, seqs from first on; as fx_put. */
int fx_forks(struct fx *f, uint64_t first, uint32_t count, int64_t received_us);
/* Settings that merge 100 lines after 5 minutes. The thread does not run: tests make the rounds. */
void fx_keep(struct fx *f);
/* All day files; fails the test when it cannot be done. */
struct wedr_verify_sums fx_verify(struct fx *f);
/* Result of a query as one text: JSON. Free with free(). */
char *fx_sql(struct fx *f, const char *sql);
/* First value of the first row as a number; fails the test on an error. */
int64_t fx_int(struct fx *f, const char *sql);
/* Error code of a query. */
int fx_error(struct fx *f, const char *sql);
/* Changes a day file behind the store's back (the store must be closed). */
void fx_tamper(struct fx *f, int64_t day_us, const char *sql);
#define fx_assert_sql(f, sql, expected)        \
    do {                                       \
        char *got_ = fx_sql((f), (sql));       \
        assert_string_equal(got_, (expected)); \
        free(got_);                            \
    } while (0)
