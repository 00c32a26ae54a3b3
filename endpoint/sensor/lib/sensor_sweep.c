/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"
#include "sensor_priv.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <unistd.h>

int wedr_iterate(int prog, int map, uint32_t *ret_bytes)
{
    union bpf_iter_link_info info = {0};
    LIBBPF_OPTS(bpf_link_create_opts, opts);
    if (map >= 0) {
        info.map.map_fd = (uint32_t)map;
        opts.iter_info = &info;
        opts.iter_info_len = sizeof info;
    }
    int link = bpf_link_create(prog, 0, BPF_TRACE_ITER, &opts);
    if (link < 0) {
        return wedr_err_from_os(errno);
    }
    int iter = bpf_iter_create(link);
    ssize_t n = -1;
    uint32_t bytes = 0;
    if (iter >= 0) {
        char ignored[4096];
        do {
            n = read(iter, ignored, sizeof ignored);
            bytes += n > 0 ? (uint32_t)n : 0;
        } while (n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN)));
    }
    int err = n < 0 ? wedr_err_from_os(errno) : WEDR_OK;
    if (iter >= 0) {
        (void)close(iter);
    }
    (void)close(link);
    *ret_bytes = bytes;
    return err;
}

int wedr_sweep(int prog, int budgets, int users)
{
    uint32_t ignored;
    int err = wedr_iterate(prog, budgets, &ignored);
    return err || users < 0 ? err : wedr_iterate(prog, users, &ignored);
}

static int open_pin(const char *folder, const char *entry)
{
    char path[PIN_PATH_MAX];
    int err = wedr_pin_entry(path, folder, entry);
    return err ? -1 : bpf_obj_get(path);
}

/* While the links are still there. */
static uint64_t missed_by_pins(const char *folder)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < HOOK_COUNT; i++) {
        struct wedr_link_facts facts = {0};
        int link = open_pin(folder, wedr_hooks[i].pin);
        if (link >= 0) {
            sum += wedr_link_facts(link, &facts) == WEDR_OK ? facts.missed : 0;
            (void)close(link);
        }
    }
    return sum;
}

void wedr_missed_note(const char *folder)
{
    uint32_t zero = 0;
    int map = open_pin(folder, wedr_map_pins[MAP_MISSED]);
    if (map >= 0) {
        uint64_t sum = missed_by_pins(folder);
        (void)bpf_map_update_elem(map, &zero, &sum, BPF_ANY);
        (void)close(map);
    }
}

int wedr_sweep_pins(const char *folder)
{
    int users = -1;
    int prog = open_pin(folder, SWEEP_PIN);
    int map = prog < 0 ? -1 : open_pin(folder, wedr_map_pins[MAP_BUDGETS]);
    int err = map < 0 ? wedr_err_from_os(errno) : WEDR_OK;
    if (!err) {
        users = open_pin(folder, wedr_map_pins[MAP_BUDGET_USERS]);
        err = wedr_sweep(prog, map, users);
    }
    if (users >= 0) {
        (void)close(users);
    }
    if (map >= 0) {
        (void)close(map);
    }
    if (prog >= 0) {
        (void)close(prog);
    }
    return err;
}
