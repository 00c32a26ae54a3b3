/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/attr.h"
#include "sensor_priv.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#define BPFFS_MAGIC 0xcafe4a11

struct probe {
    struct wedr_sensor_probe_line *lines;
    size_t count;
    bool works;
};

enum verdict { FINE, LIMITED, BROKEN };

static void say(struct probe *p, const char *topic, enum verdict v, const char *fmt, ...)
    WEDR_PRINTF(4, 5);
static void say(struct probe *p, const char *topic, enum verdict v, const char *fmt, ...)
{
    if (p->count >= WEDR_SENSOR_PROBE_MAX) {
        return;
    }
    struct wedr_sensor_probe_line *l = &p->lines[p->count++];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(l->text, sizeof l->text, fmt, args);
    va_end(args);
    (void)snprintf(l->topic, sizeof l->topic, "%s", topic);
    l->ok = v != BROKEN;
    l->degraded = v == LIMITED;
    if (v == BROKEN) {
        p->works = false;
    }
}

/* First line of a small file; false when it cannot be read. */
static bool first_line(const char *path, char *ret, size_t cap)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    ssize_t n = read(fd, ret, cap - 1);
    (void)close(fd);
    ret[n > 0 ? n : 0] = 0;
    ret[strcspn(ret, "\n")] = 0;
    return n > 0;
}

static void probe_rights(struct probe *p)
{
    char line[256];
    unsigned long long caps = 0;
    FILE *f = fopen("/proc/self/status", "re");
    while (f && fgets(line, sizeof line, f)) {
        if (strncmp(line, "CapEff:", 7) == 0) {
            caps = strtoull(line + 7, NULL, 16);
            break;
        }
    }
    if (f) {
        (void)fclose(f);
    }
    /* CAP_SYS_ADMIN 21, CAP_PERFMON 38, CAP_BPF 39 */
    bool bpf = (caps >> 21 & 1) || ((caps >> 38 & 1) && (caps >> 39 & 1));
    if (geteuid() != 0) {
        say(p, "rights", BROKEN, "Not root. Start the agent as root (its unit does).");
    } else if (!bpf) {
        say(p, "rights", BROKEN,
            "Root without CAP_BPF and CAP_PERFMON (or CAP_SYS_ADMIN): a container or a unit took "
            "them away. Give them back.");
    } else {
        say(p, "rights", FINE, "Root, with the capabilities that BPF needs.");
    }
}

static void probe_lockdown(struct probe *p)
{
    char line[128];
    if (!first_line("/sys/kernel/security/lockdown", line, sizeof line)) {
        say(p, "lockdown", FINE, "The kernel reports no lockdown.");
    } else if (strstr(line, "[confidentiality]")) {
        say(p, "lockdown", BROKEN,
            "Kernel lockdown is \"confidentiality\": BPF programs may not read kernel memory. Use "
            "\"integrity\" or none.");
    } else {
        say(p, "lockdown", FINE, "Lockdown does not stop BPF (%s).", line);
    }
}

static void probe_bpffs(struct probe *p)
{
    struct statfs st;
    if (statfs(BPFFS, &st) != 0) {
        say(p, "pins", BROKEN, "%s does not exist: sysfs is missing or has no BPF.", BPFFS);
    } else if ((unsigned long)st.f_type != BPFFS_MAGIC) {
        say(p, "pins", FINE, "%s is not mounted; the agent mounts it when it starts.", BPFFS);
    } else {
        say(p, "pins", FINE, "The BPF file system is mounted at %s.", BPFFS);
    }
}

static bool has_kind(const struct btf *btf, const char *name, unsigned kind)
{
    return btf__find_by_name_kind(btf, name, kind) > 0;
}

static bool has_member(const struct btf *btf, const char *type, const char *member)
{
    int id = btf__find_by_name_kind(btf, type, BTF_KIND_STRUCT);
    const struct btf_type *t = id > 0 ? btf__type_by_id(btf, (unsigned)id) : NULL;
    const struct btf_member *m = t ? btf_members(t) : NULL;
    for (unsigned i = 0; t && i < btf_vlen(t); i++) {
        const char *name = btf__name_by_offset(btf, m[i].name_off);
        if (name && strcmp(name, member) == 0) {
            return true;
        }
    }
    return false;
}

/* Sequence numbers come from an addition that gives back the old value. Nothing in BTF tells of it,
 * so a program of five instructions is loaded. */
static void probe_atomics(struct probe *p)
{
    static const struct bpf_insn code[] = {
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
        {.code = BPF_STX | BPF_MEM | BPF_DW,
         .dst_reg = BPF_REG_10,
         .src_reg = BPF_REG_0,
         .off = -8},
        {.code = BPF_STX | BPF_ATOMIC | BPF_DW,
         .dst_reg = BPF_REG_10,
         .src_reg = BPF_REG_0,
         .off = -8,
         .imm = BPF_ADD | BPF_FETCH},
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
        {.code = BPF_JMP | BPF_EXIT},
    };
    int fd = bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, "wedr_atomics", "GPL", code,
                           WEDR_ARRAY_COUNT(code), NULL);
    if (fd >= 0) {
        (void)close(fd);
        say(p, "atomics", FINE, "BPF programs can count.");
    } else if (fd != -EPERM) {
        say(p, "atomics", BROKEN,
            "BPF programs cannot fetch and add (%s): the kernel must be 5.12 or newer. Use source "
            "proc until then.",
            strerrordesc_np(-fd));
    }
}

static void probe_hooks(struct probe *p, const struct btf *btf)
{
    unsigned missing = 0;
    char names[120] = "";
    for (int i = 0; i < HOOK_COUNT; i++) {
        char reason[WEDR_SENSOR_REASON_MAX];
        wedr_hook_missing(&wedr_hooks[i], btf, reason);
        if (reason[0] && wedr_hooks[i].need == NEED_REQUIRED) {
            say(p, wedr_hooks[i].name, BROKEN, "%s (CONFIG_TRACEPOINTS?).", reason);
            return;
        }
        if (reason[0] && wedr_hooks[i].need == NEED_OPTIONAL) {
            size_t n = strlen(names);
            (void)snprintf(names + n, sizeof names - n, " %s", wedr_hooks[i].name);
            missing++;
        }
    }
    if (missing) {
        say(p, "hooks", LIMITED, "%u places to watch are not in this kernel:%s", missing, names);
    } else {
        say(p, "hooks", FINE, "Every place to watch is in this kernel.");
    }
}

static void probe_features(struct probe *p, const struct btf *btf)
{
    probe_hooks(p, btf);
    if (!has_kind(btf, "bpf_ringbuf_output", BTF_KIND_FUNC)) {
        say(p, "ring buffer", BROKEN, "No BPF ring buffer: the kernel must be 5.8 or newer.");
    } else {
        say(p, "ring buffer", FINE, "BPF ring buffers are there.");
    }
    if (has_kind(btf, "bpf_rdonly_cast", BTF_KIND_FUNC) &&
        has_kind(btf, "bpf_loop", BTF_KIND_FUNC)) {
        say(p, "paths", FINE, "Paths are resolved the fast way, up to 2048 components.");
    } else {
        say(p, "paths", LIMITED,
            "No bpf_rdonly_cast (6.2): slower paths, cut above 96 components.");
    }
    if (has_kind(btf, "bpf_copy_from_user_task", BTF_KIND_FUNC)) {
        say(p, "inventory", FINE, "Living processes are listed with their arguments.");
    } else {
        say(p, "inventory", LIMITED,
            "No bpf_copy_from_user_task (5.18): living processes without arguments.");
    }
    if (has_member(btf, "task_struct", "loginuid")) {
        say(p, "login uid", FINE, "The audit login uid is there.");
    } else {
        say(p, "login uid", LIMITED, "Kernel without CONFIG_AUDIT: no login uid in records.");
    }
}

void wedr_sensor_probe(struct wedr_sensor_probe_line ret_lines[WEDR_SENSOR_PROBE_MAX],
                       size_t *ret_count,
                       bool *ret_works)
{
    struct probe p = {ret_lines, 0, true};
    struct utsname u = {0};
    memset(ret_lines, 0, WEDR_SENSOR_PROBE_MAX * sizeof *ret_lines);
    wedr_libbpf_capture();
    if (uname(&u) == 0) {
        say(&p, "kernel", FINE, "%.60s %.60s", u.release, u.machine);
    }
    probe_rights(&p);
    probe_lockdown(&p);
    probe_bpffs(&p);
    struct btf *btf = btf__load_vmlinux_btf();
    if (btf) {
        say(&p, "kernel BTF", FINE, "The kernel describes its own types.");
        probe_features(&p, btf);
        probe_atomics(&p);
    } else {
        say(&p, "kernel BTF", BROKEN,
            "No /sys/kernel/btf/vmlinux: use a kernel with CONFIG_DEBUG_INFO_BTF=y (Debian, "
            "Ubuntu, Fedora and RHEL kernels have it).");
    }
    btf__free(btf);
    *ret_count = p.count;
    *ret_works = p.works;
}
