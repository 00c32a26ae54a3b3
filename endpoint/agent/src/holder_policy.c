/* SPDX-License-Identifier: Apache-2.0
 *
 * What the sensor records: agent.json, over it what the profile says, over both what the governor
 * takes away while the agent uses more of the processor than it may. Put into force while the
 * programs run; told by the record sensor_state, the heartbeat and status.
 */
#include "holder_i.h"

#include "core/base/err.h"
#include "core/util/log.h"
#include "sensor/lib/sensor_policy.h"
#include "wedr/plat/time.h"
#include "wedr/wire/schema.h"
#include <stdio.h>
#include <string.h>

#define CPU_WINDOW_MS 5000u
#define OVER_WINDOWS 2u    /* above the limit for so long: one step down */
#define CALM_WINDOWS 6u    /* below CALM_SHARE of it for so long: one step up */
#define CALM_SHARE 60u     /* percent */
#define CGROUPS_MS 30000u  /* cgroups are made again under the same name */
#define UNLIMITED_AS 2000u /* what a quarter of no budget is taken of */

struct lists {
    const char *out[WEDR_SETTINGS_PATHS_MAX], *watched[WEDR_SETTINGS_PATHS_MAX];
    const char *xattrs[WEDR_SETTINGS_PATHS_MAX];
    uint64_t cgroups[WEDR_SETTINGS_PATHS_MAX];
};

static size_t take_list(const char *list, const char **to)
{
    size_t n = 0;
    for (const char *e = wedr_settings_next(&list); e && n < WEDR_SETTINGS_PATHS_MAX;
         e = wedr_settings_next(&list)) {
        to[n++] = e;
    }
    return n;
}

/* Those that exist now. */
static size_t take_cgroups(const char *list, uint64_t *to)
{
    size_t n = 0;
    for (const char *e = wedr_settings_next(&list); e && n < WEDR_SETTINGS_PATHS_MAX;
         e = wedr_settings_next(&list)) {
        n += wedr_sensor_cgroup_id(e, &to[n]) == WEDR_OK;
    }
    return n;
}

/* Budgets shrink, and at the last step there is nothing left to hold back. */
static void govern(struct wedr_sensor_policy *p, enum wedr_msg_governor level)
{
    static const uint32_t divisor[] = {1, 4, 20, 20};
    for (uint16_t c = 0; c < WEDR_SETTINGS_KINDS && level != WEDR_MSG_GOVERNOR_FULL; c++) {
        if (!wedr_settings_is_budgeted(c)) {
            continue;
        }
        uint32_t full = p->budget[c] ? p->budget[c] : UNLIMITED_AS;
        p->budget[c] = full / divisor[level] ? full / divisor[level] : 1;
        if (level == WEDR_MSG_GOVERNOR_NO_BULK) {
            p->kinds &= ~(UINT64_C(1) << c);
        }
    }
}

int holder_policy_push(struct holder *h)
{
    static struct lists l;
    static struct wedr_settings_meaning m;
    const struct wedr_sensor_settings *s = &h->cfg.sensor;
    struct wedr_sensor_policy p;
    struct wedr_errinfo ei = {""};
    if (!h->sensor) {
        return WEDR_OK;
    }
    wedr_sensor_policy_init(&p);
    int err = wedr_settings_mean(s, &m, &ei);
    if (err == WEDR_OK) {
        p.kinds = m.kinds;
        p.uids = m.uids;
        p.uid_count = m.uid_count;
        p.cgroups = l.cgroups;
        p.cgroup_count = take_cgroups(s->exclude_cgroups, l.cgroups);
        p.paths_out = l.out;
        p.path_out_count = take_list(s->exclude_paths, l.out);
        p.paths_watched = l.watched;
        p.path_watched_count = take_list(s->watch_paths, l.watched);
        p.xattrs_watched = l.xattrs;
        p.xattr_count = take_list(s->watch_xattrs, l.xattrs);
        memcpy(p.budget, m.budget, sizeof(p.budget));
        p.window_ms = (uint32_t)s->budget_window_ms;
        govern(&p, h->policy.level);
        err = wedr_sensor_policy_set(h->sensor, &p, &ei);
    }
    h->policy.cgroups_ms = wedr_time_mono_ms() + CGROUPS_MS;
    if (err == WEDR_OK) {
        h->policy.error[0] = 0;
    } else {
        wedr_msg_put_text(h->policy.error, sizeof(h->policy.error),
                          ei.text[0] ? ei.text : wedr_err_text(err));
        wedr_log(ERROR, "holder.policy_not_set", WEDR_ERR(err),
                 WEDR_STR("reason", h->policy.error));
    }
    return err;
}

void holder_policy_self(struct holder *h)
{
    const struct holder_child *const children[] = {&h->core, &h->net, &h->facts};
    uint32_t pids[1 + WEDR_ARRAY_COUNT(children)] = {h->args->pid};
    size_t n = 1;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(children); i++) {
        if (children[i]->proc) {
            pids[n++] = wedr_child_pid(children[i]->proc);
        }
    }
    int err = h->sensor ? wedr_sensor_self_set(h->sensor, pids, n) : WEDR_OK;
    if (err != WEDR_OK) {
        wedr_log(WARN, "holder.self_not_set", WEDR_ERR(err));
    }
}

void holder_policy_offer(struct holder *h, const char *lines, size_t len)
{
    h->policy.offered_len = len <= sizeof(h->policy.offered) ? len : 0;
    memcpy(h->policy.offered, lines ? lines : "", h->policy.offered_len);
}

void holder_policy_accept(struct holder *h)
{
    static struct wedr_agent_cfg cfg;
    struct wedr_errinfo ei = {""};
    struct holder_policy *p = &h->policy;
    if (p->offered_len == p->lines_len && memcmp(p->offered, p->lines, p->lines_len) == 0) {
        p->refused[0] = 0; /* the refused ones are gone again */
        return;
    }
    int err = wedr_agent_config_load_with(h->state_dir, p->offered, p->offered_len, &cfg, &ei);
    if (err != WEDR_OK) {
        wedr_msg_put_text(p->refused, sizeof(p->refused), ei.text);
        wedr_log(ERROR, "holder.settings_refused", WEDR_ERR(err), WEDR_STR("reason", ei.text));
        return;
    }
    memcpy(p->lines, p->offered, p->offered_len);
    p->lines_len = p->offered_len;
    p->refused[0] = 0;
    h->cfg.sensor = cfg.sensor;
    wedr_log(INFO, "holder.settings", WEDR_U64("bytes", p->lines_len));
    if (holder_policy_push(h) == WEDR_OK) {
        holder_policy_tell(h, "the settings changed");
    }
}

/* --- sensor_state --- */

static void add_line(char *list, size_t cap, const char *text, const char *more)
{
    size_t n = strlen(list);
    if (n + strlen(text) + strlen(more) + 4 < cap) {
        (void)snprintf(list + n, cap - n, "%s%s%s%s", n ? "\n" : "", text, more[0] ? ": " : "",
                       more);
    }
}

static void list_hooks(struct holder *h, struct wedr_msg_sensor_state *m)
{
    static struct wedr_sensor_hook hooks[WEDR_SENSOR_HOOKS_MAX];
    char live[WEDR_MSG_HOOKS_MAX] = "", missing[WEDR_MSG_HOOKS_MAX] = "";
    char names[WEDR_MSG_NAMES_MAX] = "";
    size_t count = 0;
    h->policy.hooks_live = h->policy.hooks_missing = 0;
    for (const char *const *blind = h->watch ? wedr_watch_blind() : NULL; blind && *blind;
         blind++) {
        add_line(missing, sizeof(missing), *blind, "");
    }
    if (!h->sensor || wedr_sensor_list_hooks(h->pin_name, hooks, WEDR_SENSOR_HOOKS_MAX, &count)) {
        count = 0;
    }
    for (size_t i = 0; i < count; i++) {
        char name[64];
        (void)snprintf(name, sizeof(name), "%.15s/%.31s", hooks[i].area, hooks[i].name);
        if (hooks[i].live) {
            add_line(live, sizeof(live), name, "");
            h->policy.hooks_live++;
        }
        if (!hooks[i].blind) {
            continue;
        }
        add_line(missing, sizeof(missing), name, hooks[i].reason);
        h->policy.hooks_missing++;
        size_t n = strlen(names);
        (void)snprintf(names + n, sizeof(names) - n, "%s%s", n ? " " : "", name);
    }
    wedr_msg_put_text(h->policy.missing_names, sizeof(h->policy.missing_names), names);
    wedr_msg_put_text(m->hooks_live, sizeof(m->hooks_live), live);
    wedr_msg_put_text(m->hooks_missing, sizeof(m->hooks_missing), missing);
}

static const char *level_text(const struct holder *h)
{
    return h->watch                                    ? "degraded"
           : !h->sensor                                ? "off"
           : h->policy.level != WEDR_MSG_GOVERNOR_FULL ? "degraded"
           : h->policy.hooks_missing > 0               ? "degraded"
                                                       : "full";
}

void holder_policy_tell(struct holder *h, const char *reason)
{
    static struct wedr_msg_sensor_state m;
    wedr_msg_begin(&m, WEDR_MSG_T_SENSOR_STATE);
    list_hooks(h, &m);
    h->next_state_ms = 0;
    if (!h->core.ready || h->args->source != WEDR_SOURCE_EBPF) {
        return;
    }
    wedr_msg_put_text(m.source, sizeof(m.source), h->watch ? "proc" : "ebpf");
    wedr_msg_put_text(m.level, sizeof(m.level), level_text(h));
    wedr_msg_put_text(m.reason, sizeof(m.reason), reason);
    holder_send(h, &h->core, &m, NULL, 0);
}

/* --- governor --- */

static uint64_t cpu_of(uint32_t pid)
{
    uint64_t us = 0;
    return wedr_proc_cpu(pid, &us) == WEDR_OK ? us : 0;
}

static uint64_t cpu_of_child(const struct holder_child *c)
{
    return c->proc ? cpu_of(wedr_child_pid(c->proc)) : 0;
}

static uint64_t cpu_of_all(const struct holder *h)
{
    uint64_t own = cpu_of(0) + (h->watch ? cpu_of(wedr_watch_pid(h->watch)) : 0);
    return own + cpu_of_child(&h->core) + cpu_of_child(&h->net) + cpu_of_child(&h->facts);
}

static void change_level(struct holder *h, int by)
{
    static const char *const text[] = {
        "the agent is within its share of the processor again: everything is recorded",
        "the agent used more of the processor than it may: budgets of bulk events are a quarter",
        "the agent used more of the processor than it may: budgets of bulk events are a twentieth",
        "the agent used more of the processor than it may: bulk events are not recorded"};
    struct holder_policy *p = &h->policy;
    p->level = (enum wedr_msg_governor)((int)p->level + by);
    p->over = p->calm = 0;
    wedr_log(WARN, "holder.governor", WEDR_U64("level", p->level),
             WEDR_U64("cpu_permille", p->cpu_permille));
    if (holder_policy_push(h) == WEDR_OK) {
        holder_policy_tell(h, text[p->level]);
    }
}

void holder_policy_tick(struct holder *h, uint64_t now)
{
    struct holder_policy *p = &h->policy;
    if (h->sensor && h->cfg.sensor.exclude_cgroups[0] && now >= p->cgroups_ms) {
        (void)(holder_policy_push(h) == WEDR_OK);
    }
    if (now < p->cpu_ms) {
        return;
    }
    uint64_t cpu = cpu_of_all(h);
    uint64_t span_ms = now - p->cpu_ms + CPU_WINDOW_MS;
    bool known = p->cpu_us != 0 && cpu >= p->cpu_us; /* a child that ended took its time along */
    p->cpu_permille = known ? (uint32_t)((cpu - p->cpu_us) / span_ms) : 0;
    p->cpu_us = cpu;
    p->cpu_ms = now + CPU_WINDOW_MS;
    if (!known || !h->sensor || h->stop != STOP_NO) {
        return;
    }
    uint64_t limit = h->cfg.sensor.cpu_percent * 10;
    p->over = p->cpu_permille > limit ? p->over + 1 : 0;
    p->calm = UINT64_C(100) * p->cpu_permille < limit * CALM_SHARE ? p->calm + 1 : 0;
    if (p->over >= OVER_WINDOWS && p->level < WEDR_MSG_GOVERNOR_NO_BULK) {
        change_level(h, 1);
    } else if (p->calm >= CALM_WINDOWS && p->level > WEDR_MSG_GOVERNOR_FULL) {
        change_level(h, -1);
    }
}

void holder_policy_state(const struct holder *h, struct wedr_msg_holder_state *m)
{
    m->hooks_live = h->policy.hooks_live;
    m->hooks_missing = h->policy.hooks_missing;
    m->governor = (uint8_t)h->policy.level;
    m->cpu_permille = h->policy.cpu_permille;
    memcpy(m->hooks_missing_names, h->policy.missing_names, sizeof(m->hooks_missing_names));
    memcpy(m->settings_error, h->policy.refused[0] ? h->policy.refused : h->policy.error,
           sizeof(m->settings_error));
}
