/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor.h"

#include "bpf_ring.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/errinfo.h"
#include "core/util/obj.h"
#include "core/util/sha256.h"
#include "sensor_priv.h"
#include "wedr/plat/proc.h"
#include "wedr/wire/sensor_policy.h"
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *const wedr_tails_pins[TAILS_COUNT] = {"file_tails", "compat_tails"};
const char *const wedr_map_pins[MAP_COUNT] = {"state",   "ring0",        "ring1",   "hooks",
                                              "policy",  "uids",         "cgroups", "prefixes",
                                              "budgets", "budget_users", "missed"};

int wedr_sensor_pin_name(const char *state_dir, char ret_name[WEDR_PIN_NAME_MAX])
{
    char path[PATH_MAX];
    if (!realpath(state_dir, path)) {
        return wedr_err_from_os(errno);
    }
    uint8_t digest[WEDR_SHA256_LEN];
    char hex[17];
    wedr_sha256(path, strlen(path), digest);
    wedr_hex(digest, 8, hex);
    (void)snprintf(ret_name, WEDR_PIN_NAME_MAX, "wedr-%s", hex);
    return WEDR_OK;
}

int wedr_sensor_record_name(const char *state_dir, char ret_name[WEDR_PIN_NAME_MAX])
{
    int err = wedr_sensor_pin_name(state_dir, ret_name);
    if (err == WEDR_OK) {
        memcpy(ret_name, "wrec", 4);
    }
    return err;
}

void wedr_sensor_close(struct wedr_sensor *s)
{
    if (!s) {
        return;
    }
    wedr_sensor_state_unmap(s->state);
    for (int i = 0; i < MAP_COUNT; i++) {
        if (s->map[i] >= 0) {
            (void)close(s->map[i]);
        }
    }
    if (s->sweep >= 0) {
        (void)close(s->sweep);
    }
    for (int i = 0; i < TAILS_COUNT; i++) {
        if (s->tails[i] >= 0) {
            (void)close(s->tails[i]);
        }
    }
    for (int i = 0; i < HOOK_COUNT; i++) {
        if (s->link[i] >= 0) {
            (void)close(s->link[i]);
        }
    }
    s->magic = 0;
    wedr_free(s);
}

/* What a map must be to be taken for ours. */
static bool is_expected(int which, const struct bpf_map_info *info)
{
    static const struct {
        uint32_t type, value_bytes;
    } expected[MAP_COUNT] = {
        [MAP_STATE] = {BPF_MAP_TYPE_ARRAY, sizeof(struct wedr_sensor_state)},
        [MAP_RING0] = {BPF_MAP_TYPE_RINGBUF, 0},
        [MAP_RING1] = {BPF_MAP_TYPE_RINGBUF, 0},
        [MAP_HOOKS] = {BPF_MAP_TYPE_ARRAY, sizeof(struct hook_report)},
        [MAP_POLICY] = {BPF_MAP_TYPE_ARRAY, sizeof(struct wedr_policy_page)},
        [MAP_UIDS] = {BPF_MAP_TYPE_HASH, 1},
        [MAP_CGROUPS] = {BPF_MAP_TYPE_HASH, 1},
        [MAP_PREFIXES] = {BPF_MAP_TYPE_LPM_TRIE, 1},
        [MAP_BUDGETS] = {BPF_MAP_TYPE_HASH, sizeof(struct wedr_budget)},
        [MAP_BUDGET_USERS] = {BPF_MAP_TYPE_HASH, sizeof(struct wedr_budget)},
        [MAP_MISSED] = {BPF_MAP_TYPE_ARRAY, sizeof(uint64_t)},
    };
    return info->type == expected[which].type && info->value_size == expected[which].value_bytes &&
           (which != MAP_HOOKS || info->max_entries == HOOK_COUNT);
}

static int open_map(const char *folder, int which, int *ret_fd, uint32_t *ret_entries)
{
    char path[PIN_PATH_MAX];
    int err = wedr_pin_entry(path, folder, wedr_map_pins[which]);
    if (err) {
        return err;
    }
    int fd = bpf_obj_get(path);
    if (fd < 0) {
        return wedr_err_from_os(errno);
    }
    struct bpf_map_info info = {0};
    uint32_t len = sizeof info;
    if (bpf_obj_get_info_by_fd(fd, &info, &len) != 0 || !is_expected(which, &info)) {
        (void)close(fd);
        return WEDR_E_VERSION;
    }
    *ret_fd = fd;
    *ret_entries = info.max_entries;
    return WEDR_OK;
}

static int open_link(const char *folder, const struct hook_info *h, int *ret_fd, uint32_t *ret_id)
{
    char path[PIN_PATH_MAX];
    struct wedr_link_facts facts;
    int err = wedr_pin_entry(path, folder, h->pin);
    if (err) {
        return err;
    }
    int fd = bpf_obj_get(path);
    if (fd < 0) {
        return wedr_err_from_os(errno);
    }
    err = wedr_link_facts(fd, &facts);
    if (!err && strcmp(facts.program, h->program) != 0) {
        err = WEDR_E_VERSION;
    }
    if (err) {
        (void)close(fd);
        return err;
    }
    *ret_fd = fd;
    *ret_id = facts.link_id;
    return WEDR_OK;
}

/* Every hook that was live when the set began must be. */
static int open_links(struct wedr_sensor *s, struct wedr_errinfo *ei)
{
    char path[PIN_PATH_MAX];
    int err = wedr_pin_entry(path, s->folder, SWEEP_PIN);
    s->sweep = err ? -1 : bpf_obj_get(path);
    if (s->sweep < 0) {
        return wedr_fail(ei, WEDR_E_VERSION, "the sweep is gone");
    }
    for (uint32_t i = 0; i < HOOK_COUNT; i++) {
        struct hook_report r;
        if (bpf_map_lookup_elem(s->map[MAP_HOOKS], &i, &r) != 0) {
            return wedr_fail(ei, WEDR_E_VERSION, "the list of hooks is not ours");
        }
        s->live[i] = r.live != 0;
        s->off[i] = strcmp(r.reason, HOOK_SWITCHED_OFF) == 0;
        err = r.live ? open_link(s->folder, &wedr_hooks[i], &s->link[i], &s->link_id[i]) : 0;
        if (err) {
            return wedr_fail(ei, err, "link %s is gone", wedr_hooks[i].name);
        }
    }
    return WEDR_OK;
}

static int open_pins(struct wedr_sensor *s, bool with_links, struct wedr_errinfo *ei)
{
    uint32_t entries[MAP_COUNT] = {0};
    for (int i = 0; i < (with_links ? MAP_COUNT : MAP_HOOKS); i++) {
        int err = open_map(s->folder, i, &s->map[i], &entries[i]);
        if (err) {
            return wedr_fail(ei, err, "map %s is gone or foreign", wedr_map_pins[i]);
        }
    }
    if (entries[MAP_RING0] != entries[MAP_RING1]) {
        return wedr_fail(ei, WEDR_E_VERSION, "the rings differ in size");
    }
    s->ring_bytes = entries[MAP_RING0];
    int err = wedr_sensor_state_map(s->map[MAP_STATE], &s->state);
    if (err) {
        return wedr_fail(ei, err, "the state page is not ours");
    }
    char path[PIN_PATH_MAX];
    for (int i = 0; with_links && i < TAILS_COUNT; i++) {
        if (wedr_pin_entry(path, s->folder, wedr_tails_pins[i]) == WEDR_OK) {
            s->tails[i] = bpf_obj_get(path); /* without its area there is none */
        }
    }
    return with_links ? open_links(s, ei) : WEDR_OK;
}

int wedr_sensor_from_pins(const char *folder,
                          bool with_links,
                          struct wedr_sensor **ret,
                          struct wedr_errinfo *ei)
{
    if (access(folder, F_OK) != 0) {
        return wedr_fail(ei, wedr_err_from_os(errno), "nothing was pinned");
    }
    struct wedr_sensor *s = wedr_alloc(1, sizeof *s);
    if (!s) {
        return wedr_fail(ei, WEDR_E_NOMEM, "out of memory");
    }
    s->magic = SENSOR_MAGIC;
    (void)snprintf(s->folder, sizeof s->folder, "%s", folder);
    s->sweep = -1;
    memset(s->tails, 0xff, sizeof s->tails);
    memset(s->map, 0xff, sizeof s->map);
    memset(s->link, 0xff, sizeof s->link);
    int err = open_pins(s, with_links, ei);
    if (err) {
        wedr_sensor_close(s);
        return err;
    }
    *ret = s;
    return WEDR_OK;
}

/* WEDR_E_VERSION with the reason when the open set is not what this program would load now. */
static int check_same(const struct wedr_sensor *s,
                      const struct wedr_sensor_cfg *cfg,
                      uint32_t ring_bytes,
                      struct wedr_errinfo *ei)
{
    struct wedr_host host;
    int err = wedr_host_info(&host);
    if (err) {
        return wedr_fail(ei, err, "the boot id is unknown");
    }
    if (memcmp(host.boot_id, s->state->boot_id, sizeof host.boot_id) != 0) {
        return wedr_fail(ei, WEDR_E_VERSION, "it belongs to another boot");
    }
    if (s->ring_bytes != ring_bytes) {
        return wedr_fail(ei, WEDR_E_VERSION, "the ring size changed");
    }
    for (size_t i = 0; i < HOOK_COUNT; i++) {
        bool off = wedr_hook_is_off(&wedr_hooks[i], cfg);
        if (off ? s->live[i] : s->off[i]) {
            return wedr_fail(ei, WEDR_E_VERSION, "hook %s was switched %s", wedr_hooks[i].name,
                             off ? "off" : "on");
        }
    }
    uint8_t digest[sizeof s->state->object_sha256];
    wedr_areas_digest(digest);
    return memcmp(digest, s->state->object_sha256, sizeof digest) == 0
               ? WEDR_OK
               : wedr_fail(ei, WEDR_E_VERSION, "the programs changed");
}

static int try_adopt(const char *folder,
                     const struct wedr_sensor_cfg *cfg,
                     uint32_t ring_bytes,
                     struct wedr_sensor **ret,
                     struct wedr_errinfo *why)
{
    struct wedr_sensor *s = NULL;
    int err = wedr_sensor_from_pins(folder, true, &s, why);
    if (err || !s) {
        return err ? err : WEDR_E_BUG;
    }
    err = check_same(s, cfg, ring_bytes, why);
    if (err) {
        wedr_sensor_close(s);
        return err;
    }
    *ret = s;
    return WEDR_OK;
}

/* Loads before it retires, so that a kernel that refuses the new object keeps the old set at work.
 */
static int start_new(const struct wedr_sensor_cfg *cfg,
                     uint32_t ring_bytes,
                     const char *folder,
                     struct wedr_sensor_opened *how,
                     struct wedr_errinfo *ei)
{
    char fresh[PIN_PATH_MAX];
    struct wedr_set *set = NULL;
    int err = wedr_pin_path(fresh, cfg->pin_name, "-new", "");
    if (err) {
        return wedr_fail(ei, err, "the pin name is not valid");
    }
    (void)(wedr_pin_remove(fresh) == WEDR_OK); /* left by a crash; nobody saw its epoch */
    err = wedr_set_load(cfg, ring_bytes, &set, ei);
    if (err) {
        return err;
    }
    err = wedr_pin_retire(cfg->pin_name, ei);
    if (!err && mkdir(fresh, 0700) != 0) {
        err = wedr_fail(ei, wedr_err_from_os(errno), "cannot make %s", fresh);
    }
    if (!err) {
        err = wedr_set_start(set, fresh, how, ei);
    }
    if (!err && rename(fresh, folder) != 0) {
        err = wedr_fail(ei, wedr_err_from_os(errno), "cannot rename %s", fresh);
    }
    if (err) {
        (void)(wedr_pin_remove(fresh) == WEDR_OK);
    }
    wedr_set_free(set);
    return err;
}

int wedr_sensor_open(const struct wedr_sensor_cfg *cfg,
                     struct wedr_sensor **ret,
                     struct wedr_sensor_opened *ret_how,
                     struct wedr_errinfo *ei)
{
    char folder[PIN_PATH_MAX];
    struct wedr_errinfo why = {""};
    struct wedr_sensor_opened how = {0};
    struct wedr_sensor *s = NULL;
    uint32_t ring_bytes = cfg->ring_bytes ? cfg->ring_bytes : WEDR_RING_BYTES;
    if (ring_bytes < 65536 || (ring_bytes & (ring_bytes - 1)) != 0 ||
        wedr_pin_path(folder, cfg->pin_name, "", "") != WEDR_OK) {
        return wedr_fail(ei, WEDR_E_INVAL, "bad ring size or pin name");
    }
    if (geteuid() != 0) {
        return wedr_fail(ei, WEDR_E_PERM, "the eBPF sensor needs root");
    }
    int err = wedr_pin_mount(ei);
    if (err) {
        return err;
    }
    wedr_libbpf_capture();
    if (try_adopt(folder, cfg, ring_bytes, &s, &why) == WEDR_OK) {
        how.adopted = true;
    } else {
        (void)snprintf(how.why, sizeof how.why, "%.*s", (int)sizeof how.why - 1, why.text);
        err = start_new(cfg, ring_bytes, folder, &how, ei);
        if (!err) {
            err = wedr_sensor_from_pins(folder, true, &s, ei);
        }
    }
    wedr_areas_forget();
    if (err) {
        return err;
    }
    *ret_how = how;
    *ret = s;
    return WEDR_OK;
}

int wedr_sensor_old_open(const char *pin_name,
                         struct wedr_sensor **ret_old,
                         struct wedr_errinfo *ei)
{
    char suffix[32], folder[PIN_PATH_MAX];
    for (;;) {
        size_t count = 0;
        int err = wedr_pin_oldest(pin_name, suffix, &count);
        if (!err) {
            err = wedr_pin_path(folder, pin_name, suffix, "");
        }
        if (err) {
            return err;
        }
        err = wedr_sensor_from_pins(folder, false, ret_old, ei);
        if (err != WEDR_E_VERSION && err != WEDR_E_NOENT) {
            return err;
        }
        err = wedr_pin_remove(folder); /* not readable by this version: nothing can be drained */
        if (err) {
            return wedr_fail(ei, err, "cannot remove %s", folder);
        }
    }
}

void wedr_sensor_old_discard_take(struct wedr_sensor *old)
{
    if (old) {
        (void)(wedr_pin_remove(old->folder) == WEDR_OK);
    }
    wedr_sensor_close(old);
}

void wedr_sensor_handles(const struct wedr_sensor *s, struct wedr_sensor_handles *ret)
{
    ret->ring[WEDR_LANE_CRITICAL] = s->map[MAP_RING0];
    ret->ring[WEDR_LANE_BULK] = s->map[MAP_RING1];
    ret->state = s->map[MAP_STATE];
    ret->ring_bytes = s->ring_bytes;
}

const struct wedr_sensor_state *wedr_sensor_state(const struct wedr_sensor *s)
{
    return s->state;
}
