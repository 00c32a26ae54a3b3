/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"
#include "core/util/errinfo.h"
#include "core/util/obj.h"
#include "sensor_priv.h"
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int wedr_link_facts(int link_fd, struct wedr_link_facts *ret)
{
    struct bpf_link_info link = {0};
    uint32_t len = sizeof link;
    if (bpf_obj_get_info_by_fd(link_fd, &link, &len) != 0) {
        return wedr_err_from_os(errno);
    }
    if (link.type != BPF_LINK_TYPE_RAW_TRACEPOINT && link.type != BPF_LINK_TYPE_TRACING &&
        link.type != BPF_LINK_TYPE_PERF_EVENT && link.type != BPF_LINK_TYPE_CGROUP) {
        return WEDR_E_VERSION; /* some other BPF object sits under this descriptor */
    }
    int fd = bpf_prog_get_fd_by_id(link.prog_id);
    if (fd < 0) {
        return wedr_err_from_os(errno);
    }
    struct bpf_prog_info prog = {0};
    len = sizeof prog;
    int err = bpf_obj_get_info_by_fd(fd, &prog, &len) == 0 ? WEDR_OK : wedr_err_from_os(errno);
    (void)close(fd);
    if (err) {
        return err;
    }
    ret->link_id = link.id;
    ret->prog_id = link.prog_id;
    ret->missed = prog.recursion_misses;
    memcpy(ret->program, prog.name, sizeof ret->program);
    ret->program[sizeof ret->program - 1] = 0;
    return WEDR_OK;
}

/* True when the pin was missing or foreign and is there again. */
static bool put_pin_back(const struct wedr_sensor *s, int fd, const char *entry)
{
    char path[PIN_PATH_MAX];
    if (wedr_pin_entry(path, s->folder, entry) != WEDR_OK || access(path, F_OK) == 0) {
        return false;
    }
    if (mkdir(s->folder, 0700) != 0 && errno != EEXIST) {
        return false;
    }
    return bpf_obj_pin(fd, path) == 0;
}

int wedr_sensor_check(struct wedr_sensor *s,
                      struct wedr_sensor_health *ret,
                      struct wedr_errinfo *ei)
{
    WEDR_OBJ_CHECK(s, SENSOR_MAGIC);
    struct wedr_sensor_health h = {0};
    const char *dead = NULL;
    for (int i = 0; i < HOOK_COUNT; i++) {
        struct wedr_link_facts facts = {0};
        if (!s->live[i]) {
            continue;
        }
        h.links++;
        int err = wedr_link_facts(s->link[i], &facts);
        if (err || facts.link_id != s->link_id[i]) {
            dead = dead ? dead : wedr_hooks[i].name;
            continue;
        }
        h.links_alive++;
        h.missed += facts.missed;
    }
    for (int i = 0; !dead && i < HOOK_COUNT; i++) {
        h.repinned += s->live[i] && put_pin_back(s, s->link[i], wedr_hooks[i].pin);
    }
    for (int i = 0; !dead && i < MAP_COUNT; i++) {
        h.repinned += put_pin_back(s, s->map[i], wedr_map_pins[i]);
    }
    h.repinned += !dead && put_pin_back(s, s->sweep, SWEEP_PIN);
    for (int i = 0; !dead && i < TAILS_COUNT; i++) {
        h.repinned += s->tails[i] >= 0 && put_pin_back(s, s->tails[i], wedr_tails_pins[i]);
    }
    h.policy_foreign = !wedr_policy_is_ours(s);
    *ret = h;
    if (dead) {
        return wedr_fail(ei, WEDR_E_CLOSED, "the link of hook %s is dead", dead);
    }
    uint32_t zero = 0;
    int err = bpf_map_update_elem(s->map[MAP_MISSED], &zero, &h.missed, BPF_ANY) == 0
                  ? wedr_sweep(s->sweep, s->map[MAP_BUDGETS], s->map[MAP_BUDGET_USERS])
                  : wedr_err_from_os(errno);
    return err ? wedr_fail(ei, err, "the sweep does not run: %s", wedr_err_text(err)) : WEDR_OK;
}

/* What the report and the pin say about one hook. report < 0: a set of an older kind has none. */
static void hook_get(const char *folder, int report, uint32_t i, struct wedr_sensor_hook *h)
{
    char path[PIN_PATH_MAX];
    struct wedr_link_facts facts = {0};
    struct hook_report r = {.live = 1, .need = (uint8_t)wedr_hooks[i].need};
    memset(h, 0, sizeof *h);
    if (report >= 0) {
        (void)bpf_map_lookup_elem(report, &i, &r);
    }
    (void)snprintf(h->name, sizeof h->name, "%s", wedr_hooks[i].name);
    (void)snprintf(h->area, sizeof h->area, "%s", wedr_hooks[i].area);
    (void)snprintf(h->point, sizeof h->point, "%s", wedr_hooks[i].point);
    (void)snprintf(h->reason, sizeof h->reason, "%.*s", (int)sizeof r.reason - 1, r.reason);
    h->tier = wedr_hook_tier(wedr_hooks[i].point);
    h->required = r.need == NEED_REQUIRED;
    h->live = r.live != 0;
    /* An extra one is missing where it would have nothing to see, unless somebody did not want it.
     */
    h->blind = !r.live && (r.need == NEED_OPTIONAL || strcmp(r.reason, HOOK_SWITCHED_OFF) == 0);
    int fd = wedr_pin_entry(path, folder, wedr_hooks[i].pin) == WEDR_OK ? bpf_obj_get(path) : -1;
    if (fd >= 0) {
        h->pinned = true;
        h->alive = wedr_link_facts(fd, &facts) == WEDR_OK;
        (void)close(fd);
    }
    h->link_id = facts.link_id;
    h->prog_id = facts.prog_id;
    h->missed = facts.missed;
}

int wedr_sensor_list_hooks(const char *pin_name,
                           struct wedr_sensor_hook *ret_hooks,
                           size_t cap,
                           size_t *ret_count)
{
    char folder[PIN_PATH_MAX], path[PIN_PATH_MAX];
    int err = wedr_pin_path(folder, pin_name, "", "");
    if (err) {
        return err;
    }
    if (geteuid() != 0) {
        return WEDR_E_PERM;
    }
    *ret_count = 0;
    if (access(folder, F_OK) != 0) {
        return WEDR_OK;
    }
    err = wedr_pin_entry(path, folder, wedr_map_pins[MAP_HOOKS]);
    int report = err ? -1 : bpf_obj_get(path);
    for (uint32_t i = 0; i < HOOK_COUNT && i < cap; i++) {
        hook_get(folder, report, i, &ret_hooks[i]);
        (*ret_count)++;
    }
    if (report >= 0) {
        (void)close(report);
    }
    return WEDR_OK;
}
