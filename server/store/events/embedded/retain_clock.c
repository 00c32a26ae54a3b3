/* SPDX-License-Identifier: Apache-2.0 */
#include "store/events/embedded/retain_clock.h"
#include "core/base/err.h"
#include "store/events/embedded/day_file.h"
#include <string.h>

#define SAVE_EVERY_US INT64_C(3600000000)

static bool is_far(int64_t us)
{
    return us > WEDR_CLOCK_STEP_US || us < -WEDR_CLOCK_STEP_US;
}

enum wedr_clock_news
wedr_retain_clock_look(struct wedr_retain_clock *c, int64_t now_us, uint64_t boot_ms)
{
    bool doubted = c->ahead_us != 0;
    int64_t passed = c->boot_ms ? (int64_t)(boot_ms - c->boot_ms) * 1000 : 0;
    int64_t went = c->seen_us ? now_us - c->seen_us : passed;
    int64_t leap = went - passed;
    c->seen_us = now_us;
    c->boot_ms = boot_ms;
    if (is_far(leap)) {
        c->ahead_us += leap;
        c->doubted_us = 0;
    } else if (doubted) {
        c->doubted_us += went > 0 ? went : 0;
    }
    if (!is_far(c->ahead_us)) {
        wedr_retain_clock_believe(c);
        return doubted ? WEDR_CLOCK_RETURNED : WEDR_CLOCK_QUIET;
    }
    return is_far(leap) ? WEDR_CLOCK_LEAPT : WEDR_CLOCK_QUIET;
}

void wedr_retain_clock_believe(struct wedr_retain_clock *c)
{
    c->ahead_us = c->doubted_us = 0;
}

int64_t wedr_retain_clock_now(const struct wedr_retain_clock *c)
{
    return c->ahead_us > 0 ? c->seen_us - c->ahead_us : c->seen_us;
}

int wedr_retain_clock_load(struct wedr_retain_clock *c, sqlite3 *catalog)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(catalog, "SELECT seen, ahead, doubted FROM clock WHERE id=1", -1,
                                &st, NULL);
    rc = rc == SQLITE_OK ? sqlite3_step(st) : rc;
    if (rc == SQLITE_ROW) {
        c->seen_us = c->saved_us = sqlite3_column_int64(st, 0);
        c->ahead_us = sqlite3_column_int64(st, 1);
        c->doubted_us = sqlite3_column_int64(st, 2);
    }
    (void)sqlite3_finalize(st);
    return wedr_sqlite_error(catalog, rc);
}

int wedr_retain_clock_save(struct wedr_retain_clock *c, sqlite3 *catalog, bool at_once)
{
    int64_t since = c->seen_us - c->saved_us;
    if (!at_once && since >= 0 && since < SAVE_EVERY_US) {
        return WEDR_OK;
    }
    int err = wedr_sqlite_run(catalog, "INSERT OR REPLACE INTO clock VALUES(1,?,?,?)", "iii",
                              c->seen_us, c->ahead_us, c->doubted_us);
    c->saved_us = err == WEDR_OK ? c->seen_us : c->saved_us;
    return err;
}

int wedr_day_witness(const char *path, int64_t near_us, struct wedr_day_witness *ret)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *st = NULL;
    int err = wedr_day_open_reader(path, &db);
    if (err != WEDR_OK) {
        return err;
    }
    int rc = sqlite3_prepare_v2(
        db,
        "WITH said AS MATERIALIZED (SELECT max(t1) AS t FROM stream WHERE t1<>0 GROUP BY agent)"
        " SELECT count(*), count(*) FILTER (WHERE t BETWEEN ?1-?2 AND ?1+?2), (SELECT t FROM said"
        " ORDER BY t LIMIT 1 OFFSET (SELECT (count(*)-1)/2 FROM said)) FROM said",
        -1, &st, NULL);
    if (rc == SQLITE_OK) {
        (void)sqlite3_bind_int64(st, 1, near_us);
        (void)sqlite3_bind_int64(st, 2, WEDR_CLOCK_STEP_US);
        rc = sqlite3_step(st);
    }
    if (rc == SQLITE_ROW) {
        *ret = (struct wedr_day_witness){.endpoints = sqlite3_column_int64(st, 0),
                                         .near = sqlite3_column_int64(st, 1),
                                         .median_us = sqlite3_column_int64(st, 2)};
    }
    err = wedr_sqlite_error(db, rc);
    (void)sqlite3_finalize(st);
    sqlite3_close(db);
    return err;
}
