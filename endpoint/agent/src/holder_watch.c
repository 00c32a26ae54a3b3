/* SPDX-License-Identifier: Apache-2.0
 *
 * The source without BPF, when it is used, and what it tells. */
#include "holder_i.h"

#include "core/base/err.h"
#include "core/util/log.h"
#include "wedr/plat/time.h"
#include <stdio.h>
#include <string.h>

#define PROBE_MS 300000u /* between two looks whether BPF works by now */

static enum wedr_watch_kind kind(const struct holder *h)
{
    if (h->args->watch != WEDR_WATCH_CONFIG) {
        return h->args->watch;
    }
    return strcmp(h->cfg.source, "ebpf") == 0   ? WEDR_WATCH_EBPF
           : strcmp(h->cfg.source, "proc") == 0 ? WEDR_WATCH_PROC
                                                : WEDR_WATCH_AUTO;
}

bool holder_watch_wanted(const struct holder *h)
{
    return kind(h) == WEDR_WATCH_PROC && !h->args->drain_only;
}

static bool bpf_works(void)
{
    static struct wedr_sensor_probe_line lines[WEDR_SENSOR_PROBE_MAX];
    size_t count = 0;
    bool works = false;
    wedr_sensor_probe(lines, &count, &works);
    return works;
}

int holder_watch_open(struct holder *h, int bpf_err, uint32_t *ret_existing)
{
    struct wedr_errinfo ei = {""};
    char why[WEDR_ERRINFO_MAX];
    bool refused = bpf_err == WEDR_E_PERM || bpf_err == WEDR_E_UNSUP;
    if (!holder_watch_wanted(h) &&
        (kind(h) != WEDR_WATCH_AUTO || !refused || h->args->drain_only)) {
        return WEDR_E_STATE;
    }
    memcpy(why, h->sensor_trouble, sizeof(why));
    int err = wedr_watch_open(0, &h->watch, ret_existing, &ei);
    if (err != WEDR_OK) {
        h->watch = NULL;
        (void)snprintf(h->sensor_trouble, sizeof(h->sensor_trouble), "%.120s%s%.120s", why,
                       why[0] ? "; without BPF: " : "", ei.text);
        return err;
    }
    h->may_try_bpf = kind(h) == WEDR_WATCH_AUTO && !bpf_works();
    h->next_open_ms = wedr_time_mono_ms() + PROBE_MS;
    wedr_log(WARN, "holder.watching_without_bpf", WEDR_STR("reason", why),
             WEDR_U64("existing", *ret_existing));
    return WEDR_OK;
}

int holder_watch_check(struct holder *h, struct wedr_errinfo *ei)
{
    struct wedr_watch_overrun o;
    int err = wedr_watch_check(h->watch, &o, ei);
    if (o.to_us == 0) {
        return err;
    }
    wedr_log(ERROR, "holder.events_dropped", WEDR_I64("from_us", o.from_us),
             WEDR_I64("to_us", o.to_us));
    if (h->gap_open) {
        h->gap.to_us = h->gap.to_us > o.to_us ? h->gap.to_us : o.to_us;
    } else {
        wedr_msg_begin(&h->gap, WEDR_MSG_T_GAP);
        h->gap.from_us = o.from_us < o.to_us ? o.from_us : o.to_us;
        h->gap.to_us = o.to_us;
        h->gap.reason = WEDR_GAP_REASON_EVENTS_DROPPED;
        h->gap_open = true;
    }
    h->gap.token++; /* an answer to the shorter one does not close it */
    holder_gap_send(h);
    return err;
}

bool holder_watch_outdated(struct holder *h, uint64_t now)
{
    if (!h->may_try_bpf || now < h->next_open_ms) {
        return false;
    }
    h->next_open_ms = now + PROBE_MS;
    return bpf_works();
}
