/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor_kinds.h"
#include "core/base/err.h"
#include "sensor/lib/bpf_ring.h"
#include "sensor/lib/sensor_priv.h"
#include "wedr/plat/time.h"
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PIN "wedr-bench"

const char *const bench_kind_names[BENCH_KINDS] = {"none", "empty", "sensor"};

static enum bench_kind open_kind;
static int links[WEDR_SENSOR_HOOKS_MAX];
static size_t link_count;
static pid_t reader;

void bench_die(const char *what)
{
    (void)fprintf(stderr, "bench: %s\n", what);
    exit(1);
}

static struct wedr_sensor *open_sensor(void)
{
    struct wedr_sensor_cfg cfg = {.pin_name = PIN};
    struct wedr_sensor *s = NULL;
    struct wedr_sensor_opened how;
    struct wedr_errinfo ei = {""};
    if (wedr_sensor_open(&cfg, &s, &how, &ei) != WEDR_OK) {
        bench_die(ei.text);
    }
    return s;
}

/* Hooks that a sensor has live on this kernel; found once. */
static size_t live_hooks(const bool **ret_live)
{
    static bool live[HOOK_COUNT];
    static size_t count;
    struct wedr_sensor_hook hooks[WEDR_SENSOR_HOOKS_MAX];
    size_t found = 0;
    if (count == 0) {
        struct wedr_sensor *s = open_sensor();
        if (wedr_sensor_list_hooks(PIN, hooks, WEDR_SENSOR_HOOKS_MAX, &found) != WEDR_OK) {
            bench_die("the hooks cannot be listed");
        }
        for (size_t i = 0; i < found; i++) {
            for (size_t h = 0; h < HOOK_COUNT; h++) {
                bool same = hooks[i].live && strcmp(hooks[i].name, wedr_hooks[h].name) == 0;
                live[h] = live[h] || same;
                count += same;
            }
        }
        wedr_sensor_close(s);
        (void)(wedr_sensor_unpin(PIN, NULL) == WEDR_OK);
    }
    *ret_live = live;
    return count;
}

/* A program of two instructions: it lets pass what a cgroup program could refuse. */
static int load_empty(const struct hook_info *h)
{
    const struct bpf_insn insns[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 1},
                                     {.code = BPF_JMP | BPF_EXIT}};
    const struct bpf_insn zero[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0},
                                    {.code = BPF_JMP | BPF_EXIT}};
    LIBBPF_OPTS(bpf_prog_load_opts, opts);
    enum bpf_prog_type type;
    enum bpf_attach_type attach;
    if (libbpf_prog_type_by_name(h->point, &type, &attach) != 0) {
        return -1;
    }
    opts.expected_attach_type = attach;
    if (type == BPF_PROG_TYPE_TRACING) {
        int id = libbpf_find_vmlinux_btf_id(strchr(h->point, '/') + 1, attach);
        opts.attach_btf_id = id > 0 ? (uint32_t)id : 0;
    }
    bool cgroup = strncmp(h->point, "cgroup", 6) == 0;
    return bpf_prog_load(type, "bench_empty", "GPL", cgroup ? insns : zero, 2, &opts);
}

static void open_empty(void)
{
    const bool *live;
    (void)live_hooks(&live);
    for (size_t i = 0; i < HOOK_COUNT; i++) {
        if (!live[i]) {
            continue;
        }
        int prog = load_empty(&wedr_hooks[i]);
        if (prog < 0 || wedr_hook_attach(&wedr_hooks[i], prog, &links[link_count]) != WEDR_OK) {
            bench_die(wedr_hooks[i].point);
        }
        (void)close(prog);
        link_count++;
    }
}

static void read_for_ever(const struct wedr_sensor_handles *h)
{
    struct wedr_bpf_ring *ring[WEDR_LANE_COUNT] = {NULL};
    uint64_t pos[WEDR_LANE_COUNT];
    struct wedr_span rec;
    for (int i = 0; i < WEDR_LANE_COUNT; i++) {
        if (wedr_bpf_ring_open(h->ring[i], h->ring_bytes, &ring[i]) != WEDR_OK) {
            _exit(1);
        }
        pos[i] = wedr_bpf_ring_consumer(ring[i]);
    }
    for (;;) {
        for (int i = 0; i < WEDR_LANE_COUNT; i++) {
            while (wedr_bpf_ring_next(ring[i], &pos[i], &rec) == WEDR_OK) {
            }
            wedr_bpf_ring_release(ring[i], pos[i]);
        }
        wedr_time_sleep_ms(20);
    }
}

/* The workload runs in a process without the sensor's descriptors: exec would have to close them
 * each time. */
static void open_whole(void)
{
    struct wedr_sensor_handles h;
    struct wedr_sensor *s = open_sensor();
    wedr_sensor_handles(s, &h);
    reader = fork();
    if (reader == 0) {
        read_for_ever(&h);
    }
    wedr_sensor_close(s);
}

void bench_kind_open(enum bench_kind kind)
{
    open_kind = kind;
    if (kind == BENCH_EMPTY) {
        open_empty();
    } else if (kind == BENCH_SENSOR) {
        open_whole();
    }
}

static void count(struct wedr_sensor *s, struct bench_counts *counts)
{
    for (int i = 0; i < WEDR_LANE_COUNT; i++) {
        const struct wedr_sensor_lane *lane = &wedr_sensor_state(s)->lane[i];
        counts->records[i] += wedr_sensor_count(&lane->seq);
        for (size_t k = 0; k < sizeof(lane->lost) / sizeof(lane->lost[0]); k++) {
            counts->lost[i] += wedr_sensor_count(&lane->lost[k]);
        }
    }
}

void bench_kind_close(struct bench_counts *counts)
{
    while (link_count > 0) {
        (void)close(links[--link_count]);
    }
    if (open_kind == BENCH_SENSOR) {
        struct wedr_sensor *s = open_sensor();
        if (counts) {
            count(s, counts);
        }
        (void)kill(reader, SIGKILL);
        (void)waitpid(reader, NULL, 0);
        wedr_sensor_close(s);
        (void)(wedr_sensor_unpin(PIN, NULL) == WEDR_OK);
    }
    open_kind = BENCH_NONE;
    wedr_time_sleep_ms(50); /* links are freed by a grace period */
}

static void statistics(const struct wedr_sensor_hook *hook, uint64_t *ret_runs, uint64_t *ret_ns)
{
    struct bpf_prog_info info = {0};
    uint32_t len = sizeof info;
    int fd = bpf_prog_get_fd_by_id(hook->prog_id);
    if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &len) == 0) {
        *ret_runs = info.run_cnt;
        *ret_ns = info.run_time_ns;
    }
    if (fd >= 0) {
        (void)close(fd);
    }
}

size_t bench_programs(void (*work)(void *), void *ctx, struct bench_program *ret, size_t cap)
{
    struct wedr_sensor_hook hooks[WEDR_SENSOR_HOOKS_MAX];
    size_t found = 0;
    size_t n = 0;
    int stats = bpf_enable_stats(BPF_STATS_RUN_TIME);
    if (stats < 0) {
        bench_die("no statistics");
    }
    work(ctx);
    if (wedr_sensor_list_hooks(PIN, hooks, WEDR_SENSOR_HOOKS_MAX, &found) != WEDR_OK) {
        bench_die("the hooks cannot be listed");
    }
    for (size_t i = 0; i < found && n < cap; i++) {
        struct bench_program *p = &ret[n];
        *p = (struct bench_program){.runs = 0};
        if (hooks[i].live) {
            statistics(&hooks[i], &p->runs, &p->ns);
        }
        if (p->runs > 0) {
            memcpy(p->name, hooks[i].name, sizeof p->name);
            memcpy(p->area, hooks[i].area, sizeof p->area);
            n++;
        }
    }
    (void)close(stats);
    return n;
}
