/* SPDX-License-Identifier: Apache-2.0 */
#include "holder_i.h"

#include "core/base/err.h"
#include "core/util/log.h"
#include "core/util/sha256.h"
#include "sensor/lib/sensor_policy.h"
#include "wedr/plat/thread.h"
#include "wedr/plat/time.h"
#include <string.h>

#define CHECK_MS 2000u
#define REOPEN_MS 5000u
#define STORE_MS 4000u
#define AGAIN_MS 1000u
#define SETTLE_MS \
    50u /* programs that still ran when the last link went have written their record by then */

void holder_memory_store(struct holder *h)
{
    int err = wedr_holder_memory_store(h->state_dir, &h->memory);
    if (err != WEDR_OK) {
        wedr_log(WARN, "holder.memory_not_stored", WEDR_ERR(err));
    }
}

/* Of whatever watches now. */
static const struct wedr_sensor_state *live_state(const struct holder *h)
{
    return h->watch ? wedr_watch_state(h->watch) : wedr_sensor_state(h->sensor);
}

static bool is_live(const struct holder *h)
{
    return h->sensor || h->watch;
}

static void close_live(struct holder *h)
{
    wedr_sensor_close(h->sensor);
    wedr_watch_close(h->watch);
    h->sensor = NULL;
    h->watch = NULL;
}

/* A new set of programs is attached: the time without one is a gap. */
static void note_gap(struct holder *h)
{
    int64_t from = h->gap_from_us ? h->gap_from_us : h->memory.last_good_us;
    uint16_t reason = h->gap_reason;
    int64_t to = live_state(h)->start_utc_us;
    if (reason == 0) {
        bool same_boot = memcmp(h->memory.boot_id, h->host.boot_id, sizeof(h->host.boot_id)) == 0;
        reason = h->memory.sensor_stopped ? WEDR_GAP_REASON_SENSOR_STOPPED
                 : same_boot              ? WEDR_GAP_REASON_SENSOR_DETACHED
                                          : WEDR_GAP_REASON_HOST_OFF;
    }
    if (from == 0) {
        return; /* nothing was ever watched before */
    }
    wedr_msg_begin(&h->gap, WEDR_MSG_T_GAP);
    h->gap.from_us = from < to ? from : to; /* the clock may have been set back */
    h->gap.to_us = to;
    h->gap.reason = reason;
    h->gap.token = h->detached_count + 1;
    h->gap_open = true;
    wedr_log(WARN, "holder.coverage_gap", WEDR_I64("from_us", h->gap.from_us),
             WEDR_I64("to_us", to), WEDR_U64("reason", reason));
}

void holder_gap_send(struct holder *h)
{
    if (h->gap_open && h->core.ready) {
        holder_send(h, &h->core, &h->gap, NULL, 0);
    }
}

/* BPF, or what stands in for it. */
/* The names of a list, as many as fit; returns how many. */
static size_t split_list(const char *list, const char **ret_names, size_t cap)
{
    size_t n = 0;
    for (; *list && n < cap; list += strlen(list) + 1) {
        ret_names[n++] = list;
    }
    return n;
}

/* A name of agent.hooks_off that no hook has is likely a slip. */
static void warn_of_unknown(const char *pin_name, const char *const *names, size_t count)
{
    static struct wedr_sensor_hook hooks[WEDR_SENSOR_HOOKS_MAX];
    size_t n = 0;
    if (count == 0 ||
        wedr_sensor_list_hooks(pin_name, hooks, WEDR_SENSOR_HOOKS_MAX, &n) != WEDR_OK) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        size_t k = 0;
        while (k < n && strcmp(hooks[k].name, names[i]) != 0) {
            k++;
        }
        if (k == n) {
            wedr_log(WARN, "holder.no_such_hook", WEDR_STR("name", names[i]));
        }
    }
}

struct opening {
    const struct wedr_sensor_cfg *cfg;
    struct wedr_sensor *sensor;
    struct wedr_sensor_opened *how;
    struct wedr_errinfo *ei;
    int err;
};

static void open_sensor(void *arg)
{
    struct opening *o = (struct opening *)arg;
    o->err = wedr_sensor_open(o->cfg, &o->sensor, o->how, o->ei);
}

/* Loading takes thousands of small blocks for a moment. A thread has a heap of its own: this
 * process's, which its children inherit, stays without the holes that they leave. */
static int load_sensor(struct holder *h,
                       const struct wedr_sensor_cfg *cfg,
                       struct wedr_sensor_opened *how,
                       struct wedr_errinfo *ei)
{
    struct opening o = {cfg, NULL, how, ei, WEDR_OK};
    struct wedr_thread *t = NULL;
    if (wedr_thread_new(&t, "load", open_sensor, &o) == WEDR_OK) {
        wedr_thread_join(t);
    } else {
        open_sensor(&o);
    }
    h->sensor = o.err == WEDR_OK ? o.sensor : NULL;
    return o.err;
}

static int open_live(struct holder *h, struct wedr_sensor_opened *how)
{
    struct wedr_errinfo ei = {""};
    const char *off[WEDR_SENSOR_HOOKS_MAX];
    size_t off_count = split_list(h->cfg.hooks_off, off, WEDR_SENSOR_HOOKS_MAX);
    struct wedr_sensor_cfg cfg = {
        .pin_name = h->pin_name, .without = off, .without_count = off_count};
    int err = WEDR_E_UNSUP;
    h->sensor_trouble[0] = 0;
    if (!holder_watch_wanted(h)) {
        err = load_sensor(h, &cfg, how, &ei);
        if (err == WEDR_OK) {
            warn_of_unknown(h->pin_name, off, off_count);
            return WEDR_OK;
        }
        wedr_msg_put_text(h->sensor_trouble, sizeof(h->sensor_trouble),
                          ei.text[0] ? ei.text : wedr_err_text(err));
    }
    int watch_err = holder_watch_open(h, err, &how->existing);
    return watch_err == WEDR_E_STATE ? err : watch_err;
}

/* Whatever was before what watches now has been told: from here on the memory is of this. */
static void remember_live(struct holder *h)
{
    h->memory.sensor_stopped = false;
    memcpy(h->memory.boot_id, h->host.boot_id, sizeof(h->memory.boot_id));
    h->memory.epoch = live_state(h)->epoch;
}

void holder_gap_told(struct holder *h)
{
    h->gap_open = false;
    if (is_live(h)) {
        remember_live(h);
        h->memory.last_good_us = wedr_time_utc_us();
    } else if (h->closed_us != 0) {
        h->memory.last_good_us = h->closed_us;
    }
    h->next_check_ms = h->next_store_ms = 0; /* the memory goes on from here */
}

void holder_source_open(struct holder *h)
{
    struct wedr_sensor_opened how;
    if (h->args->source != WEDR_SOURCE_EBPF || is_live(h)) {
        return;
    }
    memset(&how, 0, sizeof(how));
    int err = open_live(h, &how);
    uint64_t now = wedr_time_mono_ms();
    if (err != WEDR_OK) {
        h->next_open_ms = now + REOPEN_MS;
        if (h->gap_from_us == 0) {
            h->gap_from_us = h->memory.last_good_us ? h->memory.last_good_us : wedr_time_utc_us();
            h->gap_reason = WEDR_GAP_REASON_SENSOR_FAILED;
        }
        wedr_log(ERROR, "holder.sensor_not_attached", WEDR_ERR(err),
                 WEDR_STR("reason", h->sensor_trouble));
        return;
    }
    wedr_log(INFO, "holder.sensor_attached", WEDR_STR("how", how.adopted ? "adopted" : how.why),
             WEDR_U64("existing", how.existing));
    if (how.unwatched.full || how.unwatched.others || how.unwatched.homes) {
        wedr_log(WARN, "holder.files_watched_by_name_alone", WEDR_U64("full", how.unwatched.full),
                 WEDR_U64("others", how.unwatched.others), WEDR_U64("homes", how.unwatched.homes),
                 WEDR_STR("home", how.unwatched.home));
    }
    if (h->sensor) { /* without BPF the reason why stays known */
        h->sensor_trouble[0] = 0;
    }
    h->fresh = !how.adopted;
    /* One that is taken over may be of a run that ended before the gap was in the spool. */
    if (!how.adopted || h->memory.epoch != live_state(h)->epoch) {
        note_gap(h);
    }
    h->gap_from_us = 0;
    h->gap_reason = 0;
    if (!h->gap_open) {
        remember_live(h);
    }
    h->next_check_ms = now + CHECK_MS;
    h->next_store_ms = 0;
    (void)(holder_policy_push(h) == WEDR_OK); /* said why not */
    holder_policy_self(h);
    if (h->core.ready) {
        holder_gap_send(h);
        holder_source_begin(h);
    }
}

/* s NULL: the source without BPF. */
static void give_rings(struct holder *h, const struct wedr_sensor *s, bool adopted)
{
    struct wedr_sensor_handles sh;
    struct wedr_msg_source_ebpf m;
    if (s) {
        wedr_sensor_handles(s, &sh);
    } else {
        wedr_watch_handles(h->watch, &sh);
    }
    wedr_handle handles[3] = {sh.ring[0], sh.ring[1], sh.state};
    wedr_msg_begin(&m, WEDR_MSG_T_SOURCE_EBPF);
    m.ring_bytes = sh.ring_bytes;
    m.adopted = adopted;
    m.proc = s == NULL;
    holder_send(h, &h->core, &m, handles, 3);
}

static void give_replay(struct holder *h)
{
    struct wedr_msg_source_replay m;
    wedr_handle file = WEDR_HANDLE_NONE;
    int err = wedr_fs_open(h->args->replay_file, WEDR_FS_READ, 0, &file);
    if (err != WEDR_OK) {
        wedr_log(ERROR, "holder.no_replay_file", WEDR_ERR(err),
                 WEDR_STR("file", h->args->replay_file));
        wedr_msg_put_text(h->sensor_trouble, sizeof(h->sensor_trouble),
                          "the capture cannot be opened");
        h->failed = true;
        h->stop = STOP_DONE;
        return;
    }
    if (h->args->new_epoch && h->replay_epoch == 0) {
        wedr_random(&h->replay_epoch, sizeof(h->replay_epoch));
        h->replay_epoch |= 1;
    }
    wedr_msg_begin(&m, WEDR_MSG_T_SOURCE_REPLAY);
    m.rate = h->args->rate;
    m.epoch = h->replay_epoch;
    holder_send(h, &h->core, &m, &file, 1);
    wedr_fs_close(file);
    h->phase = SOURCE_LIVE;
}

/* A set that was detached earlier still holds records: core drains it before the live one. */
static bool give_old(struct holder *h)
{
    struct wedr_errinfo ei = {""};
    while (!h->old && wedr_sensor_old_open(h->pin_name, &h->old, &ei) == WEDR_OK) {
        if (wedr_sensor_state(h->old)->epoch != h->ended_epoch || h->ended_epoch == 0) {
            break;
        }
        wedr_sensor_old_discard_take(h->old); /* drained already, as the live one */
        h->old = NULL;
    }
    if (!h->old) {
        return false;
    }
    h->phase = SOURCE_OLD;
    give_rings(h, h->old, true);
    holder_send_text(h, &h->core, WEDR_MSG_T_SOURCE_END, "detached");
    return true;
}

void holder_source_begin(struct holder *h)
{
    if (!h->core.ready || h->phase != SOURCE_NONE) {
        return;
    }
    if (h->args->source == WEDR_SOURCE_REPLAY) {
        give_replay(h);
    } else if (!give_old(h) && is_live(h)) {
        h->phase = SOURCE_LIVE;
        give_rings(h, h->sensor, !h->fresh);
        holder_policy_tell(h, h->fresh ? "the sensor was attached" : "the sensor was taken over");
    }
}

/* A full disk is why core may not be able to: the source waits, and nobody says all is well. */
void holder_source_started(struct holder *h, int err, const char *reason)
{
    if (err == WEDR_OK) {
        h->source_trouble[0] = 0;
        h->fresh = h->fresh && h->phase != SOURCE_LIVE;
    } else if (h->args->source == WEDR_SOURCE_REPLAY) {
        wedr_msg_put_text(h->sensor_trouble, sizeof(h->sensor_trouble), reason);
        h->failed = true;
        h->stop = STOP_DONE;
    } else {
        wedr_msg_put_text(h->source_trouble, sizeof(h->source_trouble), reason);
        h->phase = SOURCE_NONE; /* the answer to an end that was asked for means nothing now */
        h->begin_again_ms = wedr_time_mono_ms() + AGAIN_MS;
    }
}

void holder_source_retry(struct holder *h, uint64_t now)
{
    if (h->end_again_ms != 0 && now >= h->end_again_ms) {
        h->end_again_ms = 0;
        holder_send_text(h, &h->core, WEDR_MSG_T_SOURCE_END,
                         h->phase == SOURCE_STOP_ENDING ? "stopped" : "detached");
    }
    if (h->begin_again_ms != 0 && now >= h->begin_again_ms && h->stop == STOP_NO) {
        h->begin_again_ms = 0;
        holder_source_begin(h);
    }
}

void holder_source_ended(struct holder *h, int err)
{
    enum source_phase was = h->phase;
    if (err != WEDR_OK &&
        (was == SOURCE_OLD || was == SOURCE_LIVE_ENDING || was == SOURCE_STOP_ENDING)) {
        h->end_again_ms = wedr_time_mono_ms() + AGAIN_MS; /* the rings still hold the rest */
        return;
    }
    h->phase = SOURCE_NONE;
    switch (was) {
    case SOURCE_OLD:
        h->ended_epoch = h->old ? wedr_sensor_state(h->old)->epoch : 0;
        wedr_sensor_old_discard_take(h->old);
        h->old = NULL;
        if (h->stop == STOP_SOURCE) {
            if (!holder_source_stop(h)) {
                holder_stop_core(h);
            }
            return;
        }
        holder_source_begin(h);
        break;
    case SOURCE_LIVE_ENDING:
        h->ended_epoch = is_live(h) ? live_state(h)->epoch : 0;
        close_live(h);
        holder_source_open(h); /* begins when it worked */
        break;
    case SOURCE_STOP_ENDING:
        h->memory.sensor_stopped = true;
        holder_memory_store(h);
        holder_stop_core(h);
        break;
    default:
        break;
    }
}

static void detached(struct holder *h, const char *why)
{
    h->detached_count++;
    h->gap_from_us = h->memory.last_good_us;
    h->gap_reason = WEDR_GAP_REASON_SENSOR_DETACHED;
    wedr_msg_put_text(h->sensor_trouble, sizeof(h->sensor_trouble), why);
    wedr_log(ERROR, "holder.sensor_detached", WEDR_STR("reason", why));
    if (h->phase == SOURCE_LIVE && h->core.ready) {
        h->phase = SOURCE_LIVE_ENDING;
        holder_send_text(h, &h->core, WEDR_MSG_T_SOURCE_END, "detached");
        return;
    }
    if (h->phase == SOURCE_NONE) {
        close_live(h);
        holder_source_open(h);
    }
}

static void check(struct holder *h, uint64_t now)
{
    struct wedr_sensor_health health;
    struct wedr_errinfo ei = {""};
    memset(&health, 0, sizeof(health));
    h->next_check_ms = now + CHECK_MS;
    int err = h->watch ? holder_watch_check(h, &ei) : wedr_sensor_check(h->sensor, &health, &ei);
    if (err == WEDR_E_CLOSED) {
        detached(h, ei.text[0] ? ei.text : "a link is dead");
        return;
    }
    if (err != WEDR_OK || h->gap_open) {
        return; /* the gap must be in the spool before the memory of its begin goes */
    }
    if (health.repinned > 0) {
        wedr_log(WARN, "holder.pins_put_back", WEDR_U64("count", health.repinned));
    }
    if (health.policy_foreign) { /* ours again; what was left out meanwhile nobody knows */
        wedr_log(WARN, "holder.policy_put_back", WEDR_STR("reason", "somebody else wrote it"));
        holder_policy_self(h);
        if (holder_policy_push(h) == WEDR_OK) {
            holder_policy_tell(h, "somebody else had changed what is recorded");
        }
    }
    h->memory.last_good_us = wedr_time_utc_us();
    if (now >= h->next_store_ms) {
        h->next_store_ms = now + STORE_MS;
        holder_memory_store(h);
    }
}

void holder_source_tick(struct holder *h, uint64_t now)
{
    if (h->args->source != WEDR_SOURCE_EBPF || h->stop != STOP_NO) {
        return;
    }
    if (!is_live(h) && now >= h->next_open_ms) {
        holder_source_open(h);
    } else if (h->watch && h->phase == SOURCE_LIVE && holder_watch_outdated(h, now)) {
        detached(h, "BPF works by now");
    } else if (is_live(h) && now >= h->next_check_ms && h->phase != SOURCE_LIVE_ENDING) {
        check(h, now);
    }
}

bool holder_source_stop(struct holder *h)
{
    struct wedr_errinfo ei = {""};
    if (h->phase == SOURCE_OLD) {
        return true; /* goes on when it has been drained */
    }
    if (is_live(h)) {
        h->closed_us = wedr_time_utc_us();
        h->memory.last_good_us = h->gap_open ? h->memory.last_good_us : h->closed_us;
    }
    if (h->sensor && (h->phase == SOURCE_NONE || !h->core.ready)) {
        wedr_log(ERROR, "holder.cannot_drain", WEDR_STR("reason", "the core process is down"));
        h->stop_err = WEDR_E_STATE; /* the rings hold records: the sensor stays, asked for again */
        return false;
    }
    /* Core keeps the rings by its own descriptors; without pins and without ours the programs are
     * gone. Without BPF nothing is pinned, and what is was not asked to go. */
    close_live(h);
    int err = h->stop_sensor ? wedr_sensor_unpin(h->pin_name, &ei) : WEDR_E_NOENT;
    if (err != WEDR_OK && err != WEDR_E_NOENT) {
        wedr_log(ERROR, "holder.cannot_unpin", WEDR_ERR(err), WEDR_STR("reason", ei.text));
        h->stop_err = err;
    }
    h->memory.sensor_stopped = true;
    if (h->phase != SOURCE_LIVE || !h->core.ready || h->args->source != WEDR_SOURCE_EBPF) {
        holder_memory_store(h);
        return false;
    }
    wedr_time_sleep_ms(SETTLE_MS);
    h->phase = SOURCE_STOP_ENDING;
    holder_send_text(h, &h->core, WEDR_MSG_T_SOURCE_END, "stopped");
    return true;
}

void holder_source_close(struct holder *h)
{
    if (is_live(h)) {
        h->memory.last_good_us = h->gap_open ? h->memory.last_good_us : wedr_time_utc_us();
    }
    if (h->args->source == WEDR_SOURCE_EBPF) {
        holder_memory_store(h);
    }
    if (h->sensor) { /* it goes on: the numbers may be anybody's from now on */
        (void)(wedr_sensor_self_set(h->sensor, NULL, 0) == WEDR_OK);
    }
    close_live(h);
    wedr_sensor_close(h->old);
    h->old = NULL;
}
