/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/errinfo.h"
#include "sensor_priv.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static char said[WEDR_SENSOR_REASON_MAX], program[64];

static int __attribute__((format(printf, 2, 0)))
capture(enum libbpf_print_level level, const char *fmt, va_list args)
{
    char line[WEDR_SENSOR_REASON_MAX];
    if (level != LIBBPF_WARN) {
        return 0;
    }
    int n = vsnprintf(line, sizeof line, fmt, args);
    line[n < 0 ? 0 : strcspn(line, "\n")] = 0;
    if (!said[0]) {
        memcpy(said, line, sizeof said);
    }
    (void)sscanf(line, "libbpf: prog '%63[^']'", program);
    return 0;
}

void wedr_libbpf_capture(void)
{
    said[0] = 0;
    program[0] = 0;
    (void)libbpf_set_print(capture);
}

const char *wedr_libbpf_said(void)
{
    return said[0] ? said : "no further words from libbpf";
}

const char *wedr_libbpf_program(void)
{
    return program;
}

struct loading {
    struct wedr_set *set;
    const struct wedr_sensor_cfg *cfg;
    const struct btf *btf;
    uint32_t ring_bytes;
    bool fast, sleepable;
};

static bool btf_has(const struct btf *btf, const char *function)
{
    return btf__find_by_name_kind(btf, function, BTF_KIND_FUNC) > 0;
}

static const struct hook_info *hook_of(const char *area, const char *program_name)
{
    for (size_t i = 0; i < HOOK_COUNT; i++) {
        if (strcmp(wedr_hooks[i].area, area) == 0 &&
            strcmp(wedr_hooks[i].program, program_name) == 0) {
            return &wedr_hooks[i];
        }
    }
    return NULL;
}

/* Programs that are not hooks: iterators (an area's own list and one of the two inventories, which
 * run once, and the sweep), and what an area's programs jump to. */
static bool is_helper(const struct loading *l, const char *area, const char *name)
{
    char list[32], tail[32];
    (void)snprintf(list, sizeof list, "wedr_%s_list", area);
    (void)snprintf(tail, sizeof tail, "wedr_%s_tail", area);
    if (strcmp(name, list) == 0 || strncmp(name, tail, strlen(tail)) == 0 ||
        strcmp(name, "wedr_sweep") == 0) {
        return true;
    }
    if (strcmp(name, "wedr_inventory") == 0) {
        return l->sleepable;
    }
    return strcmp(name, "wedr_inventory_noargv") == 0 && !l->sleepable;
}

static int choose_programs(const struct loading *l, const char *area, struct bpf_object *obj)
{
    struct bpf_program *p;
    bpf_object__for_each_program(p, obj)
    {
        const struct hook_info *h = hook_of(area, bpf_program__name(p));
        bool load =
            h ? !l->set->reason[h - wedr_hooks][0] : is_helper(l, area, bpf_program__name(p));
        int err = bpf_program__set_autoload(p, load);
        if (err) {
            return err;
        }
    }
    return 0;
}

/* The first object makes the shared maps, with the sizes of this machine. */
static int size_maps(const struct loading *l, struct bpf_object *obj)
{
    int cpus = libbpf_num_possible_cpus();
    struct bpf_map *ring0 = bpf_object__find_map_by_name(obj, "ring0");
    struct bpf_map *ring1 = bpf_object__find_map_by_name(obj, "ring1");
    struct bpf_map *scratches = bpf_object__find_map_by_name(obj, "scratches");
    if (cpus <= 0 || !ring0 || !ring1 || !scratches) {
        return -ENOENT;
    }
    int err = bpf_map__set_max_entries(scratches, (uint32_t)cpus + 1);
    if (!err) {
        err = bpf_map__set_max_entries(ring0, l->ring_bytes);
    }
    return err ? err : bpf_map__set_max_entries(ring1, l->ring_bytes);
}

/* Whatever an earlier object has under the same name is one and the same map. */
static struct bpf_map *earlier_map(const struct wedr_set *set, size_t before, const char *name)
{
    struct bpf_map *m = NULL;
    for (size_t i = 0; i < before && !m; i++) {
        m = set->obj[i] ? bpf_object__find_map_by_name(set->obj[i], name) : NULL;
    }
    return m;
}

static int share_maps(const struct wedr_set *set, size_t index, struct bpf_object *obj)
{
    struct bpf_map *m;
    bpf_object__for_each_map(m, obj)
    {
        struct bpf_map *shared =
            bpf_map__is_internal(m) ? NULL : earlier_map(set, index, bpf_map__name(m));
        int err = shared ? bpf_map__reuse_fd(m, bpf_map__fd(shared)) : 0;
        if (err) {
            return err;
        }
    }
    return 0;
}

/* Is there a hook in it that is not out already? */
static bool is_needed(const struct wedr_set *set, const struct wedr_area *area)
{
    for (size_t i = 0; i < HOOK_COUNT; i++) {
        if (strcmp(wedr_hooks[i].area, area->name) == 0 && !set->reason[i][0]) {
            return true;
        }
    }
    return false;
}

static int try_load(const struct loading *l, size_t index, const struct wedr_area *area)
{
    size_t len = 0;
    const void *bytes = (l->fast ? area->fast : area->probe)(&len);
    LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "wedr");
    wedr_libbpf_capture();
    struct bpf_object *obj = bpf_object__open_mem(bytes, len, &opts);
    if (!obj) {
        return -errno;
    }
    int err = choose_programs(l, area->name, obj);
    if (!err) {
        err = index == 0 ? size_maps(l, obj) : share_maps(l->set, index, obj);
    }
    if (!err) {
        err = bpf_object__load(obj);
    }
    if (err) {
        bpf_object__close(obj);
        return err;
    }
    l->set->obj[index] = obj;
    return 0;
}

/* A kernel that takes no program of this kind is asked once and not for each. */
static void refuse_kind(const struct loading *l, const struct hook_info *refused)
{
    const char *why = l->set->reason[refused - wedr_hooks];
    for (size_t i = 0; i < HOOK_COUNT; i++) {
        char *reason = l->set->reason[i];
        if (strcmp(wedr_hooks[i].area, refused->area) == 0 && !reason[0] &&
            wedr_hook_tier(wedr_hooks[i].point) == WEDR_TIER_FENTRY) {
            (void)snprintf(reason, WEDR_SENSOR_REASON_MAX, "%s", why);
        }
    }
}

/* A program that the kernel refuses is left out and the rest tried again; what cannot be blamed on
 * one program costs the area. */
static int load_area(const struct loading *l, size_t index, const struct wedr_area *area)
{
    for (;;) {
        int err = try_load(l, index, area);
        if (!err) {
            return 0;
        }
        const struct hook_info *h = hook_of(area->name, wedr_libbpf_program());
        char *reason = h ? l->set->reason[h - wedr_hooks] : NULL;
        if (h && h->need != NEED_REQUIRED && !reason[0]) {
            (void)snprintf(reason, WEDR_SENSOR_REASON_MAX, "%s", wedr_libbpf_said());
            if (err == -EPERM && wedr_hook_tier(h->point) == WEDR_TIER_FENTRY) {
                refuse_kind(l, h);
            }
            continue;
        }
        for (size_t i = 0; i < HOOK_COUNT; i++) {
            if (strcmp(wedr_hooks[i].area, area->name) == 0 && !l->set->reason[i][0]) {
                (void)snprintf(l->set->reason[i], WEDR_SENSOR_REASON_MAX, "%s (%s)",
                               wedr_libbpf_said(), strerrordesc_np(-err));
            }
        }
        return err;
    }
}

/* What a person can do something about comes first; libbpf's words tell little of it. */
static int load_failed(struct wedr_errinfo *ei, int err)
{
    struct wedr_sensor_probe_line lines[WEDR_SENSOR_PROBE_MAX];
    char words[WEDR_SENSOR_REASON_MAX];
    size_t count = 0;
    bool works = true;
    memcpy(words, said, sizeof words);
    wedr_sensor_probe(lines, &count, &works);
    memcpy(said, words, sizeof said);
    for (size_t i = 0; i < count; i++) {
        if (!lines[i].ok) {
            int why = strcmp(lines[i].topic, "rights") == 0 ? WEDR_E_PERM : WEDR_E_UNSUP;
            return wedr_fail(ei, why, "%s: %s", lines[i].topic, lines[i].text);
        }
    }
    int code = err == -EPERM || err == -EACCES ? WEDR_E_PERM : WEDR_E_UNSUP;
    return wedr_fail(ei, code, "the BPF programs do not load (%s); %s",
                     strerrordesc_np(err < 0 ? -err : err), wedr_libbpf_said());
}

static int load_all(const struct loading *l, struct wedr_errinfo *ei)
{
    const struct wedr_area *areas;
    size_t count = wedr_area_list(&areas);
    for (size_t i = 0; i < HOOK_COUNT; i++) {
        wedr_hook_missing(&wedr_hooks[i], l->btf, l->set->reason[i]);
        if (l->set->reason[i][0] && wedr_hooks[i].need == NEED_REQUIRED) {
            return wedr_fail(ei, WEDR_E_UNSUP, "%s", l->set->reason[i]);
        }
        if (wedr_hook_is_off(&wedr_hooks[i], l->cfg)) {
            (void)snprintf(l->set->reason[i], WEDR_SENSOR_REASON_MAX, HOOK_SWITCHED_OFF);
        }
    }
    for (size_t i = 0; i < count && i < WEDR_AREAS_MAX; i++) {
        int err = is_needed(l->set, &areas[i]) ? load_area(l, i, &areas[i]) : 0;
        if (err && i == 0) {
            return load_failed(ei, err);
        }
    }
    return WEDR_OK;
}

int wedr_set_load(const struct wedr_sensor_cfg *cfg,
                  uint32_t ring_bytes,
                  struct wedr_set **ret,
                  struct wedr_errinfo *ei)
{
    struct loading l = {.cfg = cfg, .ring_bytes = ring_bytes};
    wedr_libbpf_capture();
    struct btf *btf = btf__load_vmlinux_btf();
    if (!btf) {
        return wedr_fail(ei, WEDR_E_UNSUP,
                         "the kernel has no type information (/sys/kernel/btf/vmlinux): it was "
                         "built without CONFIG_DEBUG_INFO_BTF");
    }
    l.btf = btf;
    l.fast = !cfg->slow_walk && btf_has(btf, "bpf_rdonly_cast") && btf_has(btf, "bpf_loop");
    l.sleepable = btf_has(btf, "bpf_copy_from_user_task");
    l.set = wedr_alloc(1, sizeof *l.set);
    int err = l.set ? load_all(&l, ei) : wedr_fail(ei, WEDR_E_NOMEM, "out of memory");
    btf__free(btf);
    if (err) {
        wedr_set_free(l.set);
        return err;
    }
    *ret = l.set;
    return WEDR_OK;
}

void wedr_set_free(struct wedr_set *set)
{
    for (size_t i = 0; set && i < WEDR_AREAS_MAX; i++) {
        bpf_object__close(set->obj[i]);
    }
    wedr_free(set);
}
