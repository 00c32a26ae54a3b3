/* SPDX-License-Identifier: Apache-2.0 */
#include "progress.h"

#include "core/base/err.h"
#include "events.h"
#include "wedr/plat/term.h"
#include "wedr/plat/time.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define EVERY_MS 100u
#define BAR_COLUMNS 24u

static int add_size(void *ctx, const char *path, wedr_handle h)
{
    uint64_t *total = ctx;
    struct wedr_fs_stat st = {.size = 0};
    (void)path;
    if (wedr_fs_stat(h, &st) == WEDR_OK) {
        *total += st.size;
    }
    return WEDR_OK;
}

static void ignore(void *ctx, const char *path, const char *reason)
{
    (void)ctx; /* the scan itself will say it */
    (void)path;
    (void)reason;
}

void wedr_progress_init(struct wedr_progress *p, bool wanted, char *const *paths, size_t count)
{
    const struct wedr_walk walk = {wedr_events_endings, add_size, ignore, &p->total};
    *p = (struct wedr_progress){.on = wanted && wedr_term_err()};
    p->begun_ms = wedr_time_mono_ms();
    if (p->on && wedr_events_walk(&walk, paths, count) != WEDR_OK) {
        p->total = 0;
    }
}

static void add_bytes(char *out, size_t cap, uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double v = (double)bytes;
    size_t unit = 0;
    while (v >= 1000 && unit + 1 < WEDR_ARRAY_COUNT(units)) {
        v /= 1024;
        unit++;
    }
    (void)snprintf(out, cap, unit > 0 ? "%.1f %s" : "%.0f %s", v, units[unit]);
}

void wedr_progress_show(struct wedr_progress *p, const struct wedr_crew_stats *stats)
{
    char line[512];
    char done[32];
    char total[32];
    char bar[BAR_COLUMNS + 1];
    uint64_t now = p->on ? wedr_time_mono_ms() : 0;
    if (!p->on || (p->drawn && now - p->last_ms < EVERY_MS)) {
        return;
    }
    uint64_t ms = now - p->begun_ms;
    uint64_t bytes = stats->bytes < p->total || p->total == 0 ? stats->bytes : p->total;
    size_t full = p->total ? (size_t)(bytes * BAR_COLUMNS / p->total) : 0;
    memset(bar, '.', BAR_COLUMNS);
    memset(bar, '#', full);
    bar[BAR_COLUMNS] = '\0';
    add_bytes(done, sizeof(done), bytes);
    add_bytes(total, sizeof(total), p->total);
    int n = p->total ? snprintf(line, sizeof(line), "[%s] %3u%%  %s of %s", bar,
                                (unsigned)(bytes * 100 / p->total), done, total)
                     : snprintf(line, sizeof(line), "%s", done);
    (void)snprintf(line + n, sizeof(line) - (size_t)n,
                   "  %" PRIu64 " events/s  %" PRIu64 " matches, %" PRIu64 " high or more",
                   ms > 0 ? stats->events * 1000 / ms : 0, p->matches, p->severe);
    (void)fprintf(stderr, "\r%.*s\x1b[K", (int)wedr_term_columns() - 1, line);
    (void)fflush(stderr);
    p->drawn = true;
    p->last_ms = now;
}

void wedr_progress_clear(struct wedr_progress *p)
{
    if (p->drawn) {
        (void)fputs("\r\x1b[K", stderr);
        (void)fflush(stderr);
        p->drawn = false;
    }
}
