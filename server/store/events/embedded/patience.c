/* SPDX-License-Identifier: Apache-2.0 */
#include "store/events/embedded/patience.h"
#include "core/util/log.h"
#include "store/events/embedded/day_file.h"

bool wedr_patience_left(struct wedr_patience *p, int32_t day, uint64_t now_ms)
{
    size_t i = 0;
    while (i < p->count && p->v[i].day != day) {
        i++;
    }
    if (i == WEDR_PATIENCE_DAYS) {
        return false;
    }
    if (i == p->count) {
        p->v[i].day = day;
        p->v[i].since_ms = now_ms;
        p->v[i].ended = false;
        p->count++;
    }
    bool left = now_ms - p->v[i].since_ms < WEDR_PATIENCE_MS;
    if (!left && !p->v[i].ended) {
        char text[WEDR_DAY_TEXT];
        wedr_day_text(day, text);
        wedr_log(ERROR, "events.day_passed_over", WEDR_STR("day", text));
        p->v[i].ended = true;
    }
    return left;
}

void wedr_patience_forget(struct wedr_patience *p, int32_t day)
{
    for (size_t i = 0; i < p->count; i++) {
        if (p->v[i].day == day) {
            p->v[i] = p->v[--p->count];
            return;
        }
    }
}
