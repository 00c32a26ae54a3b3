/* SPDX-License-Identifier: Apache-2.0
 *
 * The opener's side: shared memory, the child, its end. */
#include "watch.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/errinfo.h"
#include "core/util/obj.h"
#include "core/util/sha256.h"
#include "watch_priv.h"
#include "wedr/plat/proc.h"
#include "wedr/plat/time.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define WATCH_MAGIC 0x57574348u
#define END_MS 1000u
#define START_MS 30000u /* an inventory of very many processes takes a while */

struct wedr_watch {
    uint32_t magic;
    int ring[WEDR_LANE_COUNT], state_fd;
    uint32_t ring_bytes;
    struct watch_rings rings; /* mapped before the child begins, which inherits no descriptor */
    int state_ro;             /* what is passed on: nobody can write the counters through it */
    struct wedr_child *child;
    struct wedr_ipc *channel;
    bool files;
};

static int memory(const char *name, uint64_t bytes, int *ret_fd)
{
    int fd = memfd_create(name, MFD_CLOEXEC);
    if (fd < 0) {
        return wedr_err_from_os(errno);
    }
    if (ftruncate(fd, (off_t)bytes) != 0) {
        int err = wedr_err_from_os(errno);
        (void)close(fd);
        return err;
    }
    *ret_fd = fd;
    return WEDR_OK;
}

static int make_memory(struct wedr_watch *w)
{
    static const char *const names[WEDR_LANE_COUNT] = {"wedr-ring0", "wedr-ring1"};
    char path[40];
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    int err = memory("wedr-state", sizeof(struct wedr_sensor_state), &w->state_fd);
    for (int i = 0; !err && i < (int)WEDR_LANE_COUNT; i++) {
        err = memory(names[i], 2 * page + w->ring_bytes, &w->ring[i]);
    }
    if (err) {
        return err;
    }
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", w->state_fd);
    w->state_ro = open(path, O_RDONLY | O_CLOEXEC);
    return w->state_ro < 0 ? wedr_err_from_os(errno)
                           : watch_rings_map(&w->rings, w->ring, w->ring_bytes, w->state_fd);
}

static int fill_state(struct wedr_sensor_state *st)
{
    struct wedr_host host;
    int err = wedr_host_info(&host);
    if (err) {
        return err;
    }
    st->magic = WEDR_SENSOR_STATE_MAGIC;
    while (st->epoch == 0) {
        wedr_random(&st->epoch, sizeof st->epoch);
    }
    memcpy(st->boot_id, host.boot_id, sizeof st->boot_id);
    st->start_boot_ns = wedr_time_boot_ns();
    st->start_utc_us = wedr_time_utc_us();
    return WEDR_OK;
}

static int start_child(struct wedr_watch *w, uint32_t *ret_existing, struct wedr_errinfo *ei)
{
    struct watch_word word;
    size_t len = 0;
    int err = wedr_child_start("wedr-watch", watch_main, &w->rings, &w->child, &w->channel);
    if (err) {
        return wedr_fail(ei, err, "cannot start the watching process: %s", wedr_err_text(err));
    }
    struct wedr_wait on = {wedr_ipc_handle(w->channel), WEDR_WAIT_READ, 0};
    err = wedr_wait_any(&on, 1, START_MS, NULL);
    if (!err) {
        err = wedr_ipc_recv(w->channel, &word, sizeof word, &len, NULL, 0, NULL);
    }
    if (err || len != sizeof word) {
        return wedr_fail(ei, err ? err : WEDR_E_FORMAT, "the watching process does not answer");
    }
    word.text[sizeof word.text - 1] = 0;
    if (word.kind != WATCH_READY) {
        return wedr_fail(ei, word.err ? word.err : WEDR_E_STATE, "%s", word.text);
    }
    w->files = word.files != 0;
    *ret_existing = word.existing;
    return WEDR_OK;
}

int wedr_watch_open(uint32_t ring_bytes,
                    struct wedr_watch **ret,
                    uint32_t *ret_existing,
                    struct wedr_errinfo *ei)
{
    struct wedr_watch *w = wedr_alloc(1, sizeof *w);
    if (!w) {
        return wedr_fail(ei, WEDR_E_NOMEM, "out of memory");
    }
    w->magic = WATCH_MAGIC;
    w->ring[0] = w->ring[1] = w->state_fd = -1;
    w->ring_bytes = ring_bytes ? ring_bytes : WEDR_RING_BYTES;
    w->state_ro = -1;
    int err = make_memory(w);
    if (!err) {
        err = fill_state(w->rings.state);
    }
    if (err) {
        (void)wedr_fail(ei, err, "no memory for the rings: %s", wedr_err_text(err));
    } else {
        err = start_child(w, ret_existing, ei);
    }
    if (err) {
        wedr_watch_close(w);
        return err;
    }
    *ret = w;
    return WEDR_OK;
}

static void close_fd(int fd)
{
    if (fd >= 0) {
        (void)close(fd);
    }
}

void wedr_watch_close(struct wedr_watch *w)
{
    if (!w) {
        return;
    }
    int code;
    wedr_ipc_close(w->channel); /* it reads what is there and leaves */
    if (w->child) {
        (void)!wedr_child_wait(w->child, END_MS, &code);
    }
    wedr_child_free(w->child);
    watch_rings_unmap(&w->rings);
    for (int i = 0; i < (int)WEDR_LANE_COUNT; i++) {
        close_fd(w->ring[i]);
    }
    close_fd(w->state_fd);
    close_fd(w->state_ro);
    w->magic = 0;
    wedr_free(w);
}

void wedr_watch_handles(const struct wedr_watch *w, struct wedr_sensor_handles *ret)
{
    *ret = (struct wedr_sensor_handles){{w->ring[0], w->ring[1]}, w->state_ro, w->ring_bytes};
}

const struct wedr_sensor_state *wedr_watch_state(const struct wedr_watch *w)
{
    return w->rings.state;
}

uint32_t wedr_watch_pid(const struct wedr_watch *w)
{
    return wedr_child_pid(w->child);
}

int wedr_watch_check(struct wedr_watch *w, struct wedr_watch_overrun *ret, struct wedr_errinfo *ei)
{
    WEDR_OBJ_CHECK(w, WATCH_MAGIC);
    struct watch_word word;
    size_t len = 0;
    int err, code = 0;
    *ret = (struct wedr_watch_overrun){0, 0};
    while ((err = wedr_ipc_recv(w->channel, &word, sizeof word, &len, NULL, 0, NULL)) == WEDR_OK) {
        if (len == sizeof word && word.kind == WATCH_OVERRUN) {
            ret->from_us = ret->from_us ? ret->from_us : word.from_us;
            ret->to_us = word.to_us;
        }
    }
    if (err == WEDR_E_AGAIN) {
        return WEDR_OK;
    }
    (void)!wedr_child_wait(w->child, 100, &code);
    return wedr_fail(ei, WEDR_E_CLOSED, "the watching process ended with %d", code);
}

const char *const *wedr_watch_blind(void)
{
    static const char *const blind[] = {
        "network connections, listening sockets and DNS",
        "files, but for the places that code is started from, and those by their folders only",
        "more than 64 such folders in the homes of one user",
        "such folders where fanotify tells no names: FUSE, a tmpfs before Linux 5.13",
        "modules, memory that becomes executable, memfd",
        "ptrace and other access to processes, signals",
        "namespaces, capabilities, kernel modules, BPF programs, io_uring",
        "programs that ended before /proc could be read: their path and arguments are missing",
        "the script that was given to execve: only its interpreter is named",
        "arguments that a program wrote over before they were read",
        NULL};
    return blind;
}

bool wedr_watch_probe(char *ret_text, size_t cap)
{
    struct wedr_errinfo ei = {""};
    int fd = -1;
    int err = watch_netlink_open(&fd, &ei);
    close_fd(err ? -1 : fd);
    (void)snprintf(ret_text, cap, "%s",
                   err ? ei.text : "the process connector works: source proc can stand in for BPF");
    return err == WEDR_OK;
}
