/* SPDX-License-Identifier: Apache-2.0 */
#include "core_rules.h"

#include "core/base/err.h"
#include "core/util/log.h"
#include "wedr/plat/proc.h"
#include "wedr/plat/time.h"
#include <string.h>

int wedr_core_rules(struct wedr_engine *e, struct wedr_ipc *holder, const struct wedr_peer_msg *m)
{
    const struct wedr_msg_rules *rq = (const struct wedr_msg_rules *)(const void *)m->u.bytes;
    struct wedr_msg_rules_result r;
    struct wedr_detect_bundle info = {.serial = rq->serial, .policy = rq->policy};
    struct wedr_errinfo ei = {""};
    struct wedr_buf buf;
    uint64_t begin = wedr_time_mono_ms();
    memcpy(info.profile, rq->profile, sizeof(info.profile));
    wedr_buf_init(&buf, WEDR_MSG_RULES_MAX);
    int err = wedr_fs_read_all(m->handles[0], &buf);
    if (err == WEDR_OK && buf.len != rq->len) {
        err = WEDR_E_FORMAT;
    }
    if (err == WEDR_OK) {
        err = wedr_engine_rules(e, buf.p, buf.len, &info, &ei);
    }
    wedr_buf_fini(&buf);
    wedr_heap_trim();
    wedr_log(INFO, "core.rules", WEDR_ERR(err), WEDR_U64("serial", info.serial),
             WEDR_U64("ms", wedr_time_mono_ms() - begin), WEDR_STR("reason", ei.text));
    wedr_msg_begin(&r, WEDR_MSG_T_RULES_RESULT);
    r.serial = info.serial;
    r.err = err;
    wedr_msg_put_text(r.text, sizeof(r.text), ei.text[0] ? ei.text : wedr_err_text(err));
    return wedr_peer_send_wait(holder, &r, NULL, 0);
}

void wedr_core_kills(struct wedr_engine *e, struct wedr_ipc *holder)
{
    struct wedr_detect_kill k;
    struct wedr_msg_kill m;
    while (wedr_engine_next_kill(e, &k)) {
        wedr_msg_begin(&m, WEDR_MSG_T_KILL);
        m.pid = k.pid;
        m.process_key = k.process_key;
        wedr_msg_put_text(m.alert_id, sizeof(m.alert_id), k.alert_id);
        wedr_msg_put_text(m.rule_id, sizeof(m.rule_id), k.rule_id);
        int err = wedr_peer_send_wait(holder, &m, NULL, 0);
        if (err != WEDR_OK) {
            wedr_log(ERROR, "core.kill_not_asked", WEDR_ERR(err), WEDR_STR("alert", k.alert_id));
        }
    }
}

void wedr_core_kill_result(struct wedr_engine *e, const struct wedr_msg_kill_result *m)
{
    struct wedr_detect_outcome o = {.result = m->result, .duration_us = m->duration_us};
    char detail[WEDR_MSG_TEXT_MAX];
    o.kill.pid = m->pid;
    o.kill.process_key = m->process_key;
    memcpy(o.kill.alert_id, m->alert_id, sizeof(o.kill.alert_id));
    memcpy(o.kill.rule_id, m->rule_id, sizeof(o.kill.rule_id));
    memcpy(detail, m->detail, sizeof(detail));
    o.detail = detail;
    int err = wedr_engine_response(e, &o);
    if (err != WEDR_OK) {
        wedr_log(ERROR, "core.response_not_written", WEDR_ERR(err),
                 WEDR_STR("alert", o.kill.alert_id));
    }
}

void wedr_core_detect_stats(const struct wedr_detect_stats *s, struct wedr_msg_detect *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->serial = s->serial;
    ret->memory = s->memory;
    ret->events = s->events;
    ret->matched = s->matched;
    ret->alerts = s->alerts;
    ret->suppressed = s->suppressed;
    ret->over_budget = s->over_budget;
    ret->responses = s->responses;
    ret->windows = s->windows;
    ret->windows_evicted = s->windows_evicted;
    ret->processes = s->processes;
    ret->processes_evicted = s->processes_evicted;
    ret->too_large = s->too_large;
    ret->swaps = s->swaps;
    ret->rules = s->rules;
}
