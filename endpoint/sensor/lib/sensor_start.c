/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/attr.h"
#include "core/base/err.h"
#include "core/util/errinfo.h"
#include "core/util/sha256.h"
#include "persistence.h"
#include "sensor_priv.h"
#include "wedr/plat/proc.h"
#include "wedr/plat/time.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int fill_state(int map)
{
    struct wedr_host host;
    int err = wedr_host_info(&host);
    if (err) {
        return err;
    }
    struct wedr_sensor_state *st =
        mmap(NULL, sizeof *st, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);
    if (st == MAP_FAILED) {
        return wedr_err_from_os(errno);
    }
    st->magic = WEDR_SENSOR_STATE_MAGIC;
    while (st->epoch == 0) {
        wedr_random(&st->epoch, sizeof st->epoch);
    }
    memcpy(st->boot_id, host.boot_id, sizeof st->boot_id);
    wedr_areas_digest(st->object_sha256);
    st->start_boot_ns = wedr_time_boot_ns();
    st->start_utc_us = wedr_time_utc_us();
    (void)munmap(st, sizeof *st);
    /* From here on only the programs write: nobody can map it writable, whatever descriptor he got.
     */
    return bpf_map_freeze(map) == 0 ? WEDR_OK : wedr_err_from_os(errno);
}

/* What the areas list for themselves, then the living processes. */
static int run_lists(const struct wedr_set *set, uint32_t *ret_existing)
{
    const struct wedr_area *areas;
    size_t count = wedr_area_list(&areas);
    for (size_t i = 0; i < count && i < WEDR_AREAS_MAX; i++) {
        char name[32];
        uint32_t ignored;
        (void)snprintf(name, sizeof name, "wedr_%s_list", areas[i].name);
        const struct bpf_program *p =
            set->obj[i] ? bpf_object__find_program_by_name(set->obj[i], name) : NULL;
        int err = p ? wedr_iterate(bpf_program__fd(p), -1, &ignored) : WEDR_OK;
        if (err) {
            return err;
        }
    }
    const struct bpf_program *p = bpf_object__find_program_by_name(set->obj[0], "wedr_inventory");
    if (!p || bpf_program__fd(p) < 0) {
        p = bpf_object__find_program_by_name(set->obj[0], "wedr_inventory_noargv");
    }
    /* Every byte that it gives stands for one record. */
    return wedr_iterate(p ? bpf_program__fd(p) : -1, -1, ret_existing);
}

/* The file programs need their lists; without them they are not attached. */
static void fill_areas(struct wedr_set *set, struct wedr_sensor_unwatched *ret_unwatched)
{
    const struct wedr_area *areas;
    size_t count = wedr_area_list(&areas);
    for (size_t i = 0; i < count && i < WEDR_AREAS_MAX; i++) {
        if (!set->obj[i] || strcmp(areas[i].name, "file") != 0) {
            continue;
        }
        int err = wedr_persistence_start(set->obj[i], ret_unwatched);
        for (size_t k = 0; err && k < HOOK_COUNT; k++) {
            if (strcmp(wedr_hooks[k].area, "file") == 0 && !set->reason[k][0]) {
                (void)snprintf(set->reason[k], WEDR_SENSOR_REASON_MAX,
                               "the persistence list cannot be filled in: %s", wedr_err_text(err));
            }
        }
    }
}

static struct bpf_program *program_of(const struct wedr_set *set, const struct hook_info *h)
{
    const struct wedr_area *areas;
    size_t count = wedr_area_list(&areas);
    for (size_t i = 0; i < count && i < WEDR_AREAS_MAX; i++) {
        if (set->obj[i] && strcmp(areas[i].name, h->area) == 0) {
            return bpf_object__find_program_by_name(set->obj[i], h->program);
        }
    }
    return NULL;
}

static int attach_one(const struct wedr_set *set, const struct hook_info *h, const char *folder)
{
    int link = -1;
    struct bpf_program *p = program_of(set, h);
    if (!p || bpf_program__fd(p) < 0) {
        return WEDR_E_NOENT;
    }
    int err = wedr_hook_attach(h, bpf_program__fd(p), &link);
    if (err) {
        return err;
    }
    err = wedr_pin_fd(link, folder, h->pin);
    (void)close(link);
    return err;
}

/* Attaches every hook whose program is loaded; the reason of one that fails is kept. */
static int attach_all(struct wedr_set *set, const char *folder, const char **ret_step)
{
    for (size_t i = 0; i < HOOK_COUNT; i++) {
        char *reason = set->reason[i];
        if (reason[0]) {
            continue;
        }
        int err = attach_one(set, &wedr_hooks[i], folder);
        if (err && wedr_hooks[i].need == NEED_REQUIRED) {
            *ret_step = wedr_hooks[i].point;
            return err;
        }
        if (err) {
            (void)snprintf(reason, WEDR_SENSOR_REASON_MAX, "it cannot be attached: %s",
                           wedr_err_text(err));
        }
    }
    return WEDR_OK;
}

/* The report on all hooks, frozen, pinned beside the links. */
static int pin_report(const struct wedr_set *set, const char *folder)
{
    int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "hooks", sizeof(uint32_t),
                             sizeof(struct hook_report), HOOK_COUNT, NULL);
    if (map < 0) {
        return wedr_err_from_os(errno);
    }
    int err = WEDR_OK;
    for (uint32_t i = 0; !err && i < HOOK_COUNT; i++) {
        const struct hook_info *h = &wedr_hooks[i];
        struct hook_report r = {.live = !set->reason[i][0], .need = (uint8_t)h->need};
        (void)snprintf(r.area, sizeof r.area, "%s", h->area);
        (void)snprintf(r.name, sizeof r.name, "%s", h->name);
        (void)snprintf(r.point, sizeof r.point, "%s", h->point);
        (void)snprintf(r.reason, sizeof r.reason, "%s", set->reason[i]);
        err = bpf_map_update_elem(map, &i, &r, BPF_ANY) == 0 ? WEDR_OK : wedr_err_from_os(errno);
    }
    if (!err && bpf_map_freeze(map) != 0) {
        err = wedr_err_from_os(errno);
    }
    if (!err) {
        err = wedr_pin_fd(map, folder, wedr_map_pins[MAP_HOOKS]);
    }
    (void)close(map);
    return err;
}

static int pin_maps(struct bpf_object *obj, const char *folder)
{
    int err = WEDR_OK;
    for (int i = 0; !err && i < MAP_COUNT; i++) {
        if (i != MAP_HOOKS) {
            err = wedr_pin_fd(bpf_object__find_map_fd_by_name(obj, wedr_map_pins[i]), folder,
                              wedr_map_pins[i]);
        }
    }
    return err;
}

static int pin_tails(const struct wedr_set *set, const char *folder)
{
    int err = WEDR_OK;
    for (int i = 0; i < TAILS_COUNT; i++) {
        int map = -1;
        for (size_t k = 0; k < WEDR_AREAS_MAX && map < 0; k++) {
            map =
                set->obj[k] ? bpf_object__find_map_fd_by_name(set->obj[k], wedr_tails_pins[i]) : -1;
        }
        if (map >= 0 && !err) {
            err = wedr_pin_fd(map, folder, wedr_tails_pins[i]);
        }
    }
    return err;
}

int wedr_set_start(struct wedr_set *set,
                   const char *folder,
                   struct wedr_sensor_opened *how,
                   struct wedr_errinfo *ei)
{
    struct bpf_object *first = set->obj[0];
    const char *step = "fill the state";
    int err = fill_state(bpf_object__find_map_fd_by_name(first, "state"));
    if (!err) {
        step = "fill the policy";
        err = wedr_policy_fill(bpf_object__find_map_fd_by_name(first, "policy"),
                               bpf_object__find_map_fd_by_name(first, "budgets"));
    }
    if (!err) {
        step = "pin the maps";
        err = pin_maps(first, folder);
    }
    if (!err) {
        step = "pin what the programs jump to";
        err = pin_tails(set, folder);
    }
    if (!err) {
        step = "pin the sweep";
        const struct bpf_program *sweep = bpf_object__find_program_by_name(first, "wedr_sweep");
        err = wedr_pin_fd(sweep ? bpf_program__fd(sweep) : -1, folder, SWEEP_PIN);
    }
    if (!err) {
        fill_areas(set, &how->unwatched);
        err = attach_all(set, folder, &step);
    }
    if (!err) {
        step = "pin the report";
        err = pin_report(set, folder);
    }
    if (!err) {
        step = "run the inventory";
        err = run_lists(set, &how->existing);
    }
    if (!err) {
        wedr_cred_arm(set);
    }
    return err ? wedr_fail(ei, err, "cannot start the sensor (%s): %s", step, wedr_err_text(err))
               : WEDR_OK;
}
