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

int wedr_sweep_pins(const char *folder)
{
    char path[PIN_PATH_MAX];
    uint32_t ignored;
    int err = wedr_pin_entry(path, folder, SWEEP_PIN);
    int prog = err ? -1 : bpf_obj_get(path);
    if (prog < 0) {
        return err ? err : wedr_err_from_os(errno);
    }
    err = wedr_pin_entry(path, folder, wedr_map_pins[MAP_BUDGETS]);
    int map = err ? -1 : bpf_obj_get(path);
    if (map >= 0) {
        err = wedr_iterate(prog, map, &ignored);
        (void)close(map);
    } else if (!err) {
        err = wedr_err_from_os(errno);
    }
    (void)close(prog);
    return err;
}
