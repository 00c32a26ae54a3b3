/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor_priv.h"

#include "core/base/err.h"
#include "core/util/errinfo.h"
#include "core/util/sha256.h"
#include "process_fast.skel.h"
#include "process_probe.skel.h"
#include "wedr/plat/proc.h"
#include "wedr/plat/time.h"
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static char said[160];

static int __attribute__((format(printf, 2, 0)))
capture(enum libbpf_print_level level, const char *fmt, va_list args)
{
    if (level == LIBBPF_WARN && !said[0]) {
        int n = vsnprintf(said, sizeof said, fmt, args);
        size_t len = n < 0 ? 0 : strcspn(said, "\n");
        said[len] = 0;
    }
    return 0;
}

void wedr_libbpf_capture(void)
{
    said[0] = 0;
    (void)libbpf_set_print(capture);
}

const char *wedr_libbpf_said(void)
{
    return said[0] ? said : "no further words from libbpf";
}

void wedr_object_get(unsigned which, struct wedr_object *ret)
{
    ret->name = which == 0 ? "fast" : "probe";
    ret->bytes =
        which == 0 ? process_fast__elf_bytes(&ret->len) : process_probe__elf_bytes(&ret->len);
    wedr_sha256(ret->bytes, ret->len, ret->sha256);
}

static bool btf_has(const struct btf *btf, const char *function)
{
    return btf && btf__find_by_name_kind(btf, function, BTF_KIND_FUNC) > 0;
}

static int configure(struct bpf_object *obj, uint32_t ring_bytes, bool sleepable)
{
    int cpus = libbpf_num_possible_cpus();
    struct bpf_map *ring0 = bpf_object__find_map_by_name(obj, "ring0");
    struct bpf_map *ring1 = bpf_object__find_map_by_name(obj, "ring1");
    struct bpf_map *scratches = bpf_object__find_map_by_name(obj, "scratches");
    struct bpf_program *unused = bpf_object__find_program_by_name(
        obj, sleepable ? "wedr_inventory_noargv" : "wedr_inventory");
    if (cpus <= 0 || !ring0 || !ring1 || !scratches || !unused) {
        return -ENOENT;
    }
    int err = bpf_map__set_max_entries(scratches, (uint32_t)cpus + 1);
    if (!err) {
        err = bpf_map__set_max_entries(ring0, ring_bytes);
    }
    if (!err) {
        err = bpf_map__set_max_entries(ring1, ring_bytes);
    }
    return err ? err : bpf_program__set_autoload(unused, false);
}

static int load_failed(struct wedr_errinfo *ei, int err)
{
    int code = err == -EPERM || err == -EACCES ? WEDR_E_PERM : WEDR_E_UNSUP;
    return wedr_fail(ei, code, "the BPF programs do not load (%s); %s",
                     strerrordesc_np(err < 0 ? -err : err), wedr_libbpf_said());
}

int wedr_object_load(uint32_t ring_bytes,
                     bool slow_walk,
                     struct bpf_object **ret_obj,
                     struct wedr_object *ret_which,
                     struct wedr_errinfo *ei)
{
    wedr_libbpf_capture();
    struct btf *btf = btf__load_vmlinux_btf();
    if (!btf) {
        return wedr_fail(ei, WEDR_E_UNSUP,
                         "the kernel has no type information (/sys/kernel/btf/vmlinux): it was "
                         "built without CONFIG_DEBUG_INFO_BTF");
    }
    bool fast = !slow_walk && btf_has(btf, "bpf_rdonly_cast") && btf_has(btf, "bpf_loop");
    bool sleepable = btf_has(btf, "bpf_copy_from_user_task");
    btf__free(btf);

    struct wedr_object which;
    wedr_object_get(fast ? 0 : 1, &which);
    LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "wedr");
    struct bpf_object *obj = bpf_object__open_mem(which.bytes, which.len, &opts);
    if (!obj) {
        return load_failed(ei, -errno);
    }
    int err = configure(obj, ring_bytes, sleepable);
    if (!err) {
        err = bpf_object__load(obj);
    }
    if (err) {
        bpf_object__close(obj);
        return load_failed(ei, err);
    }
    *ret_obj = obj;
    *ret_which = which;
    return WEDR_OK;
}

static int fill_state(int map, const struct wedr_object *which)
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
    memcpy(st->object_sha256, which->sha256, sizeof st->object_sha256);
    st->start_boot_ns = wedr_time_boot_ns();
    st->start_utc_us = wedr_time_utc_us();
    (void)munmap(st, sizeof *st);
    /* From here on only the programs write: nobody can map it writable, whatever descriptor he got.
     */
    return bpf_map_freeze(map) == 0 ? WEDR_OK : wedr_err_from_os(errno);
}

/* Runs the iterator to its end; every byte it gives stands for one record. */
static int run_inventory(struct bpf_object *obj, uint32_t *ret_existing)
{
    struct bpf_program *p = bpf_object__find_program_by_name(obj, "wedr_inventory");
    if (!p || bpf_program__fd(p) < 0) {
        p = bpf_object__find_program_by_name(obj, "wedr_inventory_noargv");
    }
    int link = bpf_link_create(p ? bpf_program__fd(p) : -1, 0, BPF_TRACE_ITER, NULL);
    if (link < 0) {
        return wedr_err_from_os(errno);
    }
    int err = WEDR_OK;
    int iter = bpf_iter_create(link);
    ssize_t n = -1;
    uint32_t existing = 0;
    if (iter >= 0) {
        char bytes[4096];
        do {
            n = read(iter, bytes, sizeof bytes);
            existing += n > 0 ? (uint32_t)n : 0;
        } while (n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN)));
    }
    if (n < 0) {
        err = wedr_err_from_os(errno);
    }
    if (iter >= 0) {
        (void)close(iter);
    }
    (void)close(link);
    *ret_existing = existing;
    return err;
}

static int pin_fd(int fd, const char *folder, const char *entry)
{
    char path[PIN_PATH_MAX];
    int err = wedr_pin_entry(path, folder, entry);
    if (err) {
        return err;
    }
    return bpf_obj_pin(fd, path) == 0 ? WEDR_OK : wedr_err_from_os(errno);
}

static int attach_one(struct bpf_object *obj, const struct hook_info *h, const char *folder)
{
    struct bpf_program *p = bpf_object__find_program_by_name(obj, h->program);
    int link = p ? bpf_raw_tracepoint_open(NULL, bpf_program__fd(p)) : -1;
    if (link < 0) {
        return wedr_err_from_os(p ? errno : ENOENT);
    }
    int err = pin_fd(link, folder, h->pin);
    (void)close(link);
    return err;
}

int wedr_object_start(struct bpf_object *obj,
                      const struct wedr_object *which,
                      const char *folder,
                      uint32_t *ret_existing,
                      struct wedr_errinfo *ei)
{
    const char *step = "fill the state";
    int err = fill_state(bpf_object__find_map_fd_by_name(obj, "state"), which);
    for (int i = 0; !err && i < MAP_COUNT; i++) {
        step = "pin the maps";
        err = pin_fd(bpf_object__find_map_fd_by_name(obj, wedr_map_pins[i]), folder,
                     wedr_map_pins[i]);
    }
    for (int i = 0; !err && i < HOOK_COUNT; i++) {
        step = wedr_hooks[i].point;
        err = attach_one(obj, &wedr_hooks[i], folder);
    }
    if (!err) {
        step = "run the inventory";
        err = run_inventory(obj, ret_existing);
    }
    return err ? wedr_fail(ei, err, "cannot start the sensor (%s): %s", step, wedr_err_text(err))
               : WEDR_OK;
}
