/* SPDX-License-Identifier: Apache-2.0
 *
 * Synthetic captures. Records are laid out by the structures of lib/wire/include/wedr/wire/event.h,
 * as the sensor does it (both on little-endian machines). Everything comes from one counter-based
 * generator, so a seed fixes every byte.
 */
#include "capture.h"

#include "capture_file.h"
#include "core/base/endian.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define ALIVE_MAX 512u
#define ALIVE_MIN 48u
#define RECORD_BYTES 4096u
#define START_NS 86400000000000ull      /* a day after boot */
#define START_UTC_US 1790000000000000ll /* 2026-09-21 */
#define TEXT_MAX 512u

struct process {
    uint64_t key, parent_key;
    uint32_t pid, parent_pid, uid, program;
    bool forked; /* has not executed anything yet */
};

struct gen {
    struct capture_file f;
    uint64_t rng;
    uint64_t now_ns;
    uint64_t seq[WEDR_LANE_COUNT];
    uint32_t next_pid;
    struct process *alive; /* ALIVE_MAX */
    size_t alive_count;
    uint8_t rec[RECORD_BYTES];
    size_t len;
};

static const struct program {
    const char *path, *comm;
    const char *args[4]; /* %u: a number, %x: 16 hex digits; NULL ends */
} programs[] = {
    {"/usr/lib/systemd/systemd", "systemd", {"--user", NULL}},
    {"/usr/bin/dash",
     "sh",
     {"-c", "test -f /var/lib/jobs/%x.done || run-job --id %x --slot %u", NULL}},
    {"/usr/bin/bash",
     "bash",
     {"--norc", "-c", "for f in /srv/data/%u/%x/*; do sha256sum $f; done", NULL}},
    {"/usr/bin/gcc-12", "gcc", {"-O2", "-DBUILD_ID=0x%x%x", "-c", "src/unit_%u.c"}},
    {"/usr/lib/gcc/x86_64-linux-gnu/12/cc1",
     "cc1",
     {"-quiet", "-dumpbase", "unit_%u.c", "-o/tmp/%x.s"}},
    {"/usr/bin/x86_64-linux-gnu-as", "as", {"--64", "-o", "/tmp/cc%x.o", "/tmp/cc%x.s"}},
    {"/usr/bin/git", "git", {"--no-pager", "cat-file", "-p", "%x%x%x"}},
    {"/usr/bin/grep", "grep", {"-rn", "--include=*.c", "TOKEN_%x", "/srv/src"}},
    {"/usr/bin/python3.11", "python3", {"/opt/app/worker.py", "--queue=mail", "--job=%x-%x", NULL}},
    {"/usr/bin/curl",
     "curl",
     {"-fsS", "https://api.example.net/v1/items/%u", "-H", "X-Request-Id: %x%x"}},
    {"/usr/bin/cat", "cat", {"/proc/%u/status", NULL}},
    {"/usr/bin/ls", "ls", {"-la", "/home/build/work", NULL}},
    {"/usr/bin/sed", "sed", {"-i", "s/version=[0-9]*/version=%x/", "build.conf", NULL}},
    {"/usr/sbin/cron", "cron", {"-f", NULL}},
    {"/usr/bin/find", "find", {"/var/cache/%x", "-mtime", "+%u", NULL}},
    {"/usr/bin/make", "make", {"-j4", "obj/unit_%u.o", "STAMP=%x%x", NULL}},
    {"/usr/sbin/sshd", "sshd", {"-D", "-R", NULL}},
    {"/usr/bin/date", "date", {"+%%s", NULL}},
    {"/usr/bin/sleep", "sleep", {"%u", NULL}},
    {"/usr/bin/docker-proxy", "docker-proxy", {"-proto", "tcp", "-container-id", "%x%x%x%x"}},
};

static uint64_t next_random(struct gen *g)
{
    uint64_t z = (g->rng += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

static uint32_t below(struct gen *g, uint32_t n)
{
    return (uint32_t)((next_random(g) >> 32) * n >> 32);
}

static void begin(struct gen *g, size_t fixed)
{
    memset(g->rec, 0, fixed);
    g->len = fixed;
}

static void add_string(struct gen *g, size_t at, const char *s, size_t n)
{
    n = n > RECORD_BYTES - g->len ? RECORD_BYTES - g->len : n;
    wedr_put_le32(g->rec + at, (uint32_t)g->len);
    wedr_put_le16(g->rec + at + 4, (uint16_t)n);
    memcpy(g->rec + g->len, s, n);
    g->len += n;
}

static void add_text(struct gen *g, size_t at, const char *s)
{
    add_string(g, at, s, strlen(s));
}

static int finish(struct gen *g, uint16_t type, size_t fixed, unsigned lane, uint16_t flags)
{
    uint8_t *h = g->rec;
    wedr_put_le16(h, WEDR_WIRE_VERSION);
    wedr_put_le16(h + 2, type);
    wedr_put_le32(h + 4, (uint32_t)g->len);
    wedr_put_le64(h + 8, ++g->seq[lane]);
    wedr_put_le64(h + 16, g->now_ns);
    wedr_put_le16(h + 36, (uint16_t)fixed);
    h[38] = WEDR_OS_LINUX;
    h[39] = (uint8_t)lane;
    wedr_put_le16(h + 40, flags);
    g->now_ns += 20000 + (next_random(g) & 0x3ffff);
    return capture_add(&g->f, wedr_span(g->rec, g->len));
}

/* The arguments as the kernel has them: NUL-terminated, one after another. */
static size_t make_argv(struct gen *g, const struct program *p, char argv[TEXT_MAX])
{
    size_t n = (size_t)snprintf(argv, TEXT_MAX, "%s", p->comm) + 1;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(p->args) && p->args[i]; i++) {
        const char *s = p->args[i];
        for (; *s != '\0' && n + 24 < TEXT_MAX; s++) {
            if (s[0] == '%' && s[1] == 'u') {
                n += (size_t)snprintf(argv + n, TEXT_MAX - n, "%u",
                                      below(g, below(g, 4) == 0 ? 100000 : 100));
                s++;
            } else if (s[0] == '%' && s[1] == 'x') {
                n += (size_t)snprintf(argv + n, TEXT_MAX - n, "%016llx",
                                      (unsigned long long)next_random(g));
                s++;
            } else {
                argv[n++] = *s;
                s += s[0] == '%' && s[1] == '%';
            }
        }
        argv[n++] = '\0';
    }
    return n;
}

#define SET(m, v) (r->m = (v))

static void fill_credentials(struct wedr_linux_process_create *r, uint32_t uid)
{
    SET(uid, uid);
    SET(gid, uid);
    SET(euid, uid);
    SET(egid, uid);
    SET(suid, uid);
    SET(sgid, uid);
    SET(fsuid, uid);
    SET(fsgid, uid);
    SET(login_uid, uid == 0 ? UINT32_MAX : uid);
    SET(cap_effective, uid == 0 ? 0x1ffffffffffull : 0);
    SET(cap_permitted, uid == 0 ? 0x1ffffffffffull : 0);
    SET(cap_bounding, 0x1ffffffffffull);
}

static void fill_place(struct wedr_linux_process_create *r, const struct process *p)
{
    SET(pgid, p->parent_pid);
    SET(sid, p->parent_pid / 8 * 8);
    SET(cgroup_id, 1 + p->uid);
    SET(ns_pid_nr, p->pid);
    SET(ns_user, 4026531837u);
    SET(ns_pid, 4026531836u);
    SET(ns_mnt, 4026531841u);
    SET(ns_net, 4026531840u);
    SET(ns_uts, 4026531838u);
    SET(ns_ipc, 4026531839u);
    SET(ns_cgroup, 4026531835u);
    /* One of many builds of the program. */
    uint64_t build = (p->program * 4096ull + p->pid % 4096) * 0x9e3779b97f4a7c15ull;
    SET(exe_inode, 131072 + (build >> 44));
    SET(exe_dev, 8u << 20 | 1u);
    SET(exe_mode, 0100755);
    SET(exe_nlink, 1);
    SET(exe_size, 40000 + (build >> 40 & 0x7ffff));
    SET(exe_ctime_ns, 1780000000000000000ll + (int64_t)(build >> 12));
    SET(exe_mtime_ns, 1770000000000000000ll + (int64_t)(build >> 14));
}

static int emit_create(struct gen *g, struct process *p, bool existing)
{
    static const char *const cwds[] = {"/", "/home/build/work", "/srv/src", "/opt/app",
                                       "/var/lib/jobs"};
    char cwd[64];
    struct wedr_linux_process_create *r = (struct wedr_linux_process_create *)(void *)g->rec;
    char argv[TEXT_MAX];
    p->program = below(g, WEDR_ARRAY_COUNT(programs));
    p->forked = false;
    const struct program *prog = &programs[p->program];
    size_t argv_len = make_argv(g, prog, argv);
    begin(g, sizeof(*r));
    SET(pid, p->pid);
    SET(parent_pid, p->parent_pid);
    SET(creating_pid, p->pid);
    SET(process_key, p->key);
    SET(parent_key, p->parent_key);
    SET(argv_size, (uint32_t)argv_len);
    fill_credentials(r, p->uid);
    fill_place(r, p);
    add_text(g, offsetof(struct wedr_linux_process_create, image_path), prog->path);
    add_string(g, offsetof(struct wedr_linux_process_create, command_line), argv, argv_len);
    /* One draw a statement: in which order arguments are evaluated is the compiler's choice. */
    uint32_t part = (uint32_t)next_random(g);
    const char *base = cwds[1 + below(g, WEDR_ARRAY_COUNT(cwds) - 1)];
    (void)snprintf(cwd, sizeof(cwd), "%s/%08x", base, part);
    add_text(g, offsetof(struct wedr_linux_process_create, cwd), below(g, 3) == 0 ? cwds[0] : cwd);
    add_text(g, offsetof(struct wedr_linux_process_create, parent_image_path),
             programs[p->parent_pid % WEDR_ARRAY_COUNT(programs)].path);
    add_text(g, offsetof(struct wedr_linux_process_create, comm), prog->comm);
    add_text(g, offsetof(struct wedr_linux_process_create, cgroup_name),
             p->uid == 0 ? "cron.service" : "session-4.scope");
    return finish(g, WEDR_EV_PROCESS_CREATE, sizeof(*r), WEDR_LANE_CRITICAL,
                  existing ? WEDR_EVF_EXISTING : 0);
}

static struct process *new_process(struct gen *g, const struct process *parent)
{
    if (g->alive_count == ALIVE_MAX) {
        return NULL;
    }
    struct process *p = &g->alive[g->alive_count++];
    memset(p, 0, sizeof(*p));
    p->pid = g->next_pid++;
    if (g->next_pid >= 4194304) {
        g->next_pid = 300;
    }
    p->key = wedr_linux_process_key(g->now_ns, p->pid);
    p->parent_key = parent ? parent->key : 0;
    p->parent_pid = parent ? parent->pid : 1;
    p->uid = parent ? parent->uid : below(g, 3) == 0 ? 1000 + below(g, 3) : 0;
    p->program = parent ? parent->program : 0;
    return p;
}

static int emit_fork(struct gen *g)
{
    const struct process *parent = &g->alive[below(g, (uint32_t)g->alive_count)];
    struct process *p = new_process(g, parent);
    struct wedr_linux_process_fork *r = (struct wedr_linux_process_fork *)(void *)g->rec;
    p->forked = true;
    begin(g, sizeof(*r));
    SET(pid, p->pid);
    SET(parent_pid, p->parent_pid);
    SET(process_key, p->key);
    SET(parent_key, p->parent_key);
    SET(creating_pid, p->parent_pid);
    SET(uid, p->uid);
    add_text(g, offsetof(struct wedr_linux_process_fork, comm), programs[p->program].comm);
    return finish(g, WEDR_EV_PROCESS_FORK, sizeof(*r), WEDR_LANE_CRITICAL, 0);
}

static int emit_exec(struct gen *g)
{
    /* The youngest process that has not executed anything, else any. */
    for (size_t i = g->alive_count; i > 0 && i + 16 > g->alive_count; i--) {
        if (g->alive[i - 1].forked) {
            return emit_create(g, &g->alive[i - 1], false);
        }
    }
    return emit_create(g, &g->alive[below(g, (uint32_t)g->alive_count)], false);
}

static int emit_exit(struct gen *g)
{
    size_t i = ALIVE_MIN / 2 + below(g, (uint32_t)(g->alive_count - ALIVE_MIN / 2));
    const struct process p = g->alive[i];
    struct wedr_linux_process_terminate *r = (struct wedr_linux_process_terminate *)(void *)g->rec;
    memmove(&g->alive[i], &g->alive[i + 1], (g->alive_count - i - 1) * sizeof(p));
    g->alive_count--;
    begin(g, sizeof(*r));
    SET(pid, p.pid);
    SET(exit_code, below(g, 12) == 0 ? 1 : 0);
    SET(process_key, p.key);
    SET(parent_key, p.parent_key);
    SET(parent_pid, p.parent_pid);
    SET(uid, p.uid);
    SET(signal, below(g, 60) == 0 ? 15 : 0);
    add_text(g, offsetof(struct wedr_linux_process_terminate, comm), programs[p.program].comm);
    return finish(g, WEDR_EV_PROCESS_TERMINATE, sizeof(*r), WEDR_LANE_CRITICAL, 0);
}

static int emit_module(struct gen *g, const struct process *p)
{
    static const char *const libs[] = {
        "/usr/lib/x86_64-linux-gnu/libc.so.6", "/usr/lib/x86_64-linux-gnu/libz.so.1.2.13",
        "/usr/lib/x86_64-linux-gnu/libssl.so.3", "/usr/lib/x86_64-linux-gnu/libm.so.6"};
    struct wedr_linux_module_load *r = (struct wedr_linux_module_load *)(void *)g->rec;
    uint32_t lib = below(g, WEDR_ARRAY_COUNT(libs));
    begin(g, sizeof(*r));
    SET(pid, p->pid);
    SET(process_key, p->key);
    SET(image_base, 0x7f0000000000ull + ((next_random(g) & 0xfffffull) << 12));
    SET(image_size, 1048576ull * (lib + 1));
    SET(inode, 262144ull + lib);
    SET(dev, 8u << 20 | 1u);
    add_text(g, offsetof(struct wedr_linux_module_load, image_path), libs[lib]);
    return finish(g, WEDR_EV_MODULE_LOAD, sizeof(*r), WEDR_LANE_BULK, 0);
}

static int emit_write(struct gen *g, const struct process *p)
{
    struct wedr_linux_file_write *r = (struct wedr_linux_file_write *)(void *)g->rec;
    char path[TEXT_MAX];
    uint32_t file = below(g, 20000), folder = below(g, 64);
    (void)snprintf(path, sizeof(path), "/var/lib/jobs/%u/out-%u.log", folder, file);
    begin(g, sizeof(*r));
    SET(pid, p->pid);
    SET(process_key, p->key);
    SET(op, below(g, 2) == 0 ? WEDR_FILE_OP_CREATE : WEDR_FILE_OP_WRITE);
    SET(uid, p->uid);
    SET(open_flags, 0101u);
    SET(inode, 400000ull + below(g, 100000));
    SET(dev, 8u << 20 | 1u);
    add_text(g, offsetof(struct wedr_linux_file_write, target_path), path);
    return finish(g, WEDR_EV_FILE_WRITE, sizeof(*r), WEDR_LANE_BULK, 0);
}

static int emit_connect(struct gen *g, const struct process *p)
{
    struct wedr_linux_network_connect *r = (struct wedr_linux_network_connect *)(void *)g->rec;
    begin(g, sizeof(*r));
    SET(pid, p->pid);
    SET(process_key, p->key);
    SET(protocol, WEDR_NET_PROTOCOL_TCP);
    r->dst_ip = (struct wedr_ip){4, {203, 0, 113, (uint8_t)below(g, 200)}};
    r->src_ip = (struct wedr_ip){4, {192, 0, 2, 17}};
    SET(src_port, (uint16_t)(32768 + below(g, 28000)));
    SET(dst_port, below(g, 3) == 0 ? 80 : 443);
    SET(uid, p->uid);
    return finish(g, WEDR_EV_NETWORK_CONNECT, sizeof(*r), WEDR_LANE_BULK, 0);
}

static int emit_dns(struct gen *g, const struct process *p)
{
    struct wedr_linux_dns_query *r = (struct wedr_linux_dns_query *)(void *)g->rec;
    char name[TEXT_MAX];
    (void)snprintf(name, sizeof(name), "node-%u.cdn.example.net", below(g, 3000));
    begin(g, sizeof(*r));
    SET(pid, p->pid);
    SET(process_key, p->key);
    SET(query_type, below(g, 2) == 0 ? 1 : 28);
    r->dst_ip = (struct wedr_ip){4, {192, 0, 2, 53}};
    SET(uid, p->uid);
    add_text(g, offsetof(struct wedr_linux_dns_query, query_name), name);
    return finish(g, WEDR_EV_DNS_QUERY, sizeof(*r), WEDR_LANE_BULK, 0);
}

static int emit_bulk(struct gen *g)
{
    const struct process *p = &g->alive[below(g, (uint32_t)g->alive_count)];
    switch (below(g, 4)) {
    case 0:
        return emit_module(g, p);
    case 1:
        return emit_connect(g, p);
    case 2:
        return emit_dns(g, p);
    default:
        return emit_write(g, p);
    }
}

/* Of 100: 35 executions, 22 forks, 22 exits, 21 in the bulk lane. */
static int emit_any(struct gen *g)
{
    uint32_t dice = below(g, 100);
    if (dice < 21) {
        return emit_bulk(g);
    }
    if (dice < 56) {
        return emit_exec(g);
    }
    bool fork = dice < 78;
    if (g->alive_count == ALIVE_MAX) {
        fork = false;
    } else if (g->alive_count <= ALIVE_MIN) {
        fork = true;
    }
    return fork ? emit_fork(g) : emit_exit(g);
}

static int emit_all(struct gen *g, uint64_t events, uint64_t epoch)
{
    int err = WEDR_OK;
    uint64_t n = 0;
    for (; err == WEDR_OK && n < events && g->alive_count < ALIVE_MIN; n++) {
        const struct process *parent =
            g->alive_count > 0 ? &g->alive[below(g, (uint32_t)g->alive_count)] : NULL;
        err = emit_create(g, new_process(g, parent), true);
    }
    for (; err == WEDR_OK && n < events; n++) {
        err = emit_any(g);
    }
    for (unsigned i = 0; err == WEDR_OK && i < WEDR_LANE_COUNT; i++) {
        err = capture_end_stream(&g->f, epoch, i, g->seq[i]);
    }
    return err == WEDR_OK ? capture_flush(&g->f) : err;
}

int wedr_gen(wedr_handle file, uint64_t events, uint64_t seed, struct wedr_errinfo *ei)
{
    struct wedr_capture_header h = {
        .os = WEDR_OS_LINUX, .boot_ns = START_NS, .utc_us = START_UTC_US};
    int err = WEDR_E_NOMEM;
    struct gen *g = wedr_alloc(1, sizeof(*g));
    if (!g) {
        return wedr_fail(ei, err, "out of memory");
    }
    g->alive = wedr_alloc(ALIVE_MAX, sizeof(*g->alive));
    if (g->alive) {
        g->rng = seed;
        g->now_ns = START_NS;
        g->next_pid = 300;
        do {
            h.epoch = next_random(g);
        } while (h.epoch == 0);
        for (size_t i = 0; i < WEDR_BOOT_ID_LEN; i++) {
            h.boot_id[i] = (uint8_t)next_random(g);
        }
        err = capture_begin(&g->f, file, &h);
        if (err == WEDR_OK) {
            err = emit_all(g, events, h.epoch);
        }
    }
    capture_fini(&g->f);
    wedr_free(g->alive);
    wedr_free(g);
    return err == WEDR_OK ? err
                          : wedr_fail(ei, err, "cannot write the capture: %s", wedr_err_text(err));
}
