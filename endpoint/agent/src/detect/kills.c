/* SPDX-License-Identifier: Apache-2.0
 *
 * What rules want ended: handed to the holder one by one, and recorded when it answered.
 */
#include "detect/state.h"

#include "core/base/err.h"
#include "core/util/log.h"
#include <string.h>

static bool asked_lately(const struct wedr_detect *d, uint64_t key)
{
    const struct detect_kills *k = &d->kills;
    for (size_t i = 0; i < DETECT_RECENT_KILLS; i++) {
        if (k->recent[i].process_key == key && k->recent[i].asked_ms != 0 &&
            d->now_ms - k->recent[i].asked_ms < DETECT_KILL_AGAIN_MS) {
            return true;
        }
    }
    return false;
}

static void refuse(struct wedr_detect *d, const struct wedr_detect_kill *kill, const char *why)
{
    struct wedr_detect_outcome o = {
        .kill = *kill, .result = WEDR_RESPONSE_RESULT_FAILED, .detail = why};
    int err = wedr_detect_response(d, &o, d->now);
    if (err != WEDR_OK) {
        wedr_log(WARN, "detect.response_not_written", WEDR_ERR(err),
                 WEDR_STR("alert", kill->alert_id));
    }
}

bool detect_kill(struct wedr_detect *d,
                 const struct wedr_rule *rule,
                 const struct wedr_sighting *s,
                 const char *alert_id)
{
    struct detect_kills *k = &d->kills;
    struct wedr_detect_kill kill = {.pid = s->pid, .process_key = s->process_key};
    size_t n = rule->id.len < sizeof(kill.rule_id) ? rule->id.len : sizeof(kill.rule_id) - 1;
    memcpy(kill.rule_id, rule->id.p, n);
    memcpy(kill.alert_id, alert_id, sizeof(kill.alert_id));
    if (s->pid == 0 || s->process_key == 0) {
        refuse(d, &kill, "the event names no process");
        return false;
    }
    if (asked_lately(d, s->process_key)) {
        return false;
    }
    if (k->count == WEDR_DETECT_KILLS_MAX) {
        refuse(d, &kill, "too many at once");
        return false;
    }
    k->waiting[k->count++] = kill;
    k->recent[k->next_recent].process_key = s->process_key;
    k->recent[k->next_recent].asked_ms = d->now_ms;
    k->next_recent = (k->next_recent + 1) % DETECT_RECENT_KILLS;
    return true;
}

bool wedr_detect_next_kill(struct wedr_detect *d, struct wedr_detect_kill *ret)
{
    struct detect_kills *k = &d->kills;
    if (k->count == 0) {
        return false;
    }
    *ret = k->waiting[0];
    memmove(&k->waiting[0], &k->waiting[1], --k->count * sizeof(k->waiting[0]));
    return true;
}

int wedr_detect_response(struct wedr_detect *d,
                         const struct wedr_detect_outcome *o,
                         struct wedr_clock_pair now)
{
    struct wedr_record r;
    const struct wedr_detect_kill *k = &o->kill;
    const char *detail = o->detail ? o->detail : "";
    int err =
        wedr_record_begin(&r, d->builder.record, WEDR_RECORD_MAX, WEDR_EV_RESPONSE, WEDR_OS_LINUX);
    if (err != WEDR_OK ||
        (err = wedr_record_set_str(&r, "alert_id", k->alert_id, strlen(k->alert_id), 0)) !=
            WEDR_OK ||
        (err = wedr_record_set_str(&r, "rule_id", k->rule_id, strlen(k->rule_id), 0)) != WEDR_OK ||
        (err = wedr_record_set_uint(&r, "action", WEDR_RESPONSE_ACTION_KILL)) != WEDR_OK ||
        (err = wedr_record_set_uint(&r, "pid", k->pid)) != WEDR_OK ||
        (err = wedr_record_set_uint(&r, "process_key", k->process_key)) != WEDR_OK ||
        (err = wedr_record_set_uint(&r, "result", o->result)) != WEDR_OK ||
        (err = wedr_record_set_str(&r, "detail", detail, strlen(detail), 0)) != WEDR_OK ||
        (err = wedr_record_set_uint(&r, "duration_us", o->duration_us)) != WEDR_OK) {
        return err;
    }
    err = wedr_outbox_add(&d->outbox, &r, d->encoder, now);
    d->stats.responses += err == WEDR_OK ? 1 : 0;
    return err;
}
