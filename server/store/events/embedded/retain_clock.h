/* SPDX-License-Identifier: Apache-2.0
 *
 * server/store/events/embedded/retain_clock.h — the time that retention goes by. Days are deleted
 * for ever, and a clock may be wrong for an hour: one that leaps ahead is not believed at once.
 * Until it is, days go by the clock as it was before. It is believed when it went on for a while
 * and the clocks of most endpoints say the same. Housekeeping's thread alone.
 */
#pragma once

#include "core/base/attr.h"
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

/* So far a clock may go in one step, and a server may have been off: a day goes a day early then at
 * worst. */
#define WEDR_CLOCK_STEP_US INT64_C(86400000000)

/* All zero: never looked at. */
struct wedr_retain_clock {
    int64_t seen_us;    /* the machine's clock at the last look */
    int64_t ahead_us;   /* how far it leapt and is not believed; below 0: back; 0: no doubt */
    int64_t doubted_us; /* for so long it has gone on like that */
    uint64_t boot_ms;   /* of the last look of this process, 0: none yet */
    int64_t saved_us;   /* seen_us as the catalog has it */
};

enum wedr_clock_news {
    WEDR_CLOCK_QUIET,
    WEDR_CLOCK_LEAPT,    /* doubt began, or it leapt again */
    WEDR_CLOCK_RETURNED, /* doubt ended: it is where it was believed to be */
};

/* One look. boot_ms: a clock that nobody sets and that goes on while the machine sleeps. The first
 * look of a process cannot tell a step from time in which the server was off. */
enum wedr_clock_news
wedr_retain_clock_look(struct wedr_retain_clock *c, int64_t now_us, uint64_t boot_ms);
/* From now on the machine's clock is right. */
void wedr_retain_clock_believe(struct wedr_retain_clock *c);
/* What retention takes for now: never later than the machine's clock. */
int64_t wedr_retain_clock_now(const struct wedr_retain_clock *c);

/* What the process before this one knew. Nothing: c stays as it is. */
WEDR_MUST_USE int wedr_retain_clock_load(struct wedr_retain_clock *c, sqlite3 *catalog);
/* Writes it down: at once when doubt began or ended, else once an hour. */
WEDR_MUST_USE int
wedr_retain_clock_save(struct wedr_retain_clock *c, sqlite3 *catalog, bool at_once);

/* What endpoints say of the time, by a day's file: their newest events, one for each endpoint. */
struct wedr_day_witness {
    int64_t endpoints, near; /* near: within WEDR_CLOCK_STEP_US of the time that was asked about */
    int64_t median_us;       /* 0 without endpoints; the lower one of two */
};
/* WEDR_E_NOENT: there is no such file. */
WEDR_MUST_USE int wedr_day_witness(const char *path, int64_t near_us, struct wedr_day_witness *ret);
