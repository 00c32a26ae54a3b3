/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"
#include "sensor_priv.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

/* An instance of a file system that is mounted nowhere: ends with the descriptor. */
static int private_mount(const char *type)
{
    int fs = fsopen(type, FSOPEN_CLOEXEC);
    if (fs < 0) {
        return -1;
    }
    int mounted = fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0
                      ? fsmount(fs, FSMOUNT_CLOEXEC, 0)
                      : -1;
    int root = mounted >= 0 ? openat(mounted, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    int err = errno;
    if (mounted >= 0) {
        (void)close(mounted);
    }
    (void)close(fs);
    errno = err;
    return root;
}

/* Opens where the whole of a file system is mounted, from /proc/self/mountinfo; -1 when nowhere. */
static int public_mount(const char *type)
{
    char line[1024], root[256], point[512], kind[64];
    int fd = -1;
    FILE *f = fopen("/proc/self/mountinfo", "re");
    while (f && fd < 0 && fgets(line, sizeof line, f)) {
        const char *dash = strstr(line, " - ");
        if (dash && sscanf(dash, " - %63s", kind) == 1 && strcmp(kind, type) == 0 &&
            sscanf(line, "%*d %*d %*s %255s %511s", root, point) == 2 && strcmp(root, "/") == 0) {
            fd = open(point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        }
    }
    if (f) {
        (void)fclose(f);
    }
    return fd;
}

static int file_system(const char *type, int *ret_fd)
{
    int fd = public_mount(type);
    if (fd < 0) {
        fd = private_mount(type);
    }
    if (fd < 0) {
        return wedr_err_from_os(errno);
    }
    *ret_fd = fd;
    return WEDR_OK;
}

int wedr_cgroup_root(int *ret_fd)
{
    return file_system("cgroup2", ret_fd);
}

int wedr_tracepoint_id(const char *tracepoint, uint64_t *ret_id)
{
    char path[128], text[32] = "";
    int root = -1;
    int n = snprintf(path, sizeof path, "events/%s/id", tracepoint);
    if (n < 0 || (size_t)n >= sizeof path) {
        return WEDR_E_RANGE;
    }
    int err = file_system("tracefs", &root);
    if (err) {
        return err;
    }
    int fd = openat(root, path, O_RDONLY | O_CLOEXEC);
    err = fd >= 0 && read(fd, text, sizeof text - 1) > 0 ? WEDR_OK : wedr_err_from_os(errno);
    if (fd >= 0) {
        (void)close(fd);
    }
    (void)close(root);
    if (!err) {
        *ret_id = strtoull(text, NULL, 10);
    }
    return err;
}

/* The link holds the perf event; our descriptor of it may go. */
static int attach_tracepoint(const char *tracepoint, int prog)
{
    struct perf_event_attr attr = {.type = PERF_TYPE_TRACEPOINT, .size = sizeof attr};
    uint64_t id = 0;
    if (wedr_tracepoint_id(tracepoint, &id) != WEDR_OK) {
        errno = ENOENT;
        return -1;
    }
    attr.config = id;
    long event = syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
    if (event < 0) {
        return -1;
    }
    int link = bpf_link_create(prog, (int)event, BPF_PERF_EVENT, NULL);
    if (link >= 0 && ioctl((int)event, PERF_EVENT_IOC_ENABLE, 0) != 0) {
        (void)close(link);
        link = -1;
    }
    int err = errno;
    (void)close((int)event);
    errno = err;
    return link;
}

static int attach_cgroup(const char *point, int prog)
{
    enum bpf_attach_type type;
    enum bpf_prog_type ignored;
    int root = -1;
    if (libbpf_prog_type_by_name(point, &ignored, &type) != 0 ||
        wedr_cgroup_root(&root) != WEDR_OK) {
        errno = ENOENT;
        return -1;
    }
    int link = bpf_link_create(prog, root, type, NULL);
    int err = errno;
    (void)close(root);
    errno = err;
    return link;
}

int wedr_hook_attach(const struct hook_info *h, int prog, int *ret_link)
{
    int link;
    if (strncmp(h->point, "tp/", 3) == 0) {
        link = attach_tracepoint(h->point + 3, prog);
    } else if (strncmp(h->point, "cgroup", 6) == 0) {
        link = attach_cgroup(h->point, prog);
    } else if (strncmp(h->point, "raw_tp/", 7) == 0) {
        link = bpf_raw_tracepoint_open(h->point + 7, prog);
    } else { /* the program knows where it belongs since it was loaded */
        link = bpf_raw_tracepoint_open(NULL, prog);
    }
    if (link < 0) {
        return wedr_err_from_os(errno);
    }
    *ret_link = link;
    return WEDR_OK;
}
