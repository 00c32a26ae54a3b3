/* SPDX-License-Identifier: Apache-2.0
 *
 * bench/sensor_exec.c [rounds] [iterations] [program] — what the sensor costs a process start.
 * Every round times the same fork + exec + wait loop three times: without a sensor, with empty
 * programs at the same hooks, with the sensor and a reader that empties the ring every 20 ms.
 * Prints one JSON object. Root. */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "sensor/lib/bpf_ring.h"
#include "sensor/lib/sensor.h"
#include "sensor_empty.skel.h"
#include "wedr/plat/time.h"
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PIN "wedr-bench"
#define ROUNDS_MAX 99
#define HOOKS 3

enum kind { NONE, EMPTY, SENSOR, KINDS };

struct run {
    const char *program;
    long iterations;
    double us[KINDS][ROUNDS_MAX]; /* per start */
    double hook_ns[HOOKS];
    uint64_t records, lost;
};

static void die(const char *what)
{
    (void)fprintf(stderr, "sensor_exec: %s\n", what);
    exit(1);
}

static void start_one(const char *program)
{
    pid_t pid = vfork(); /* fork would measure the size of this process */
    if (pid == 0) {
        (void)execl(program, program, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) == 127) {
        die("the program does not start");
    }
}

static double timed_loop(const struct run *r)
{
    for (long i = 0; i < r->iterations / 10; i++) {
        start_one(r->program);
    }
    uint64_t begin = wedr_time_mono_ns();
    for (long i = 0; i < r->iterations; i++) {
        start_one(r->program);
    }
    return (double)(wedr_time_mono_ns() - begin) / 1000.0 / (double)r->iterations;
}

static double with_empty(const struct run *r)
{
    static const char *const names[HOOKS] = {"empty_exec", "empty_fork", "empty_exit"};
    size_t len = 0;
    int link[HOOKS];
    const void *bytes = sensor_empty__elf_bytes(&len);
    struct bpf_object *obj = bpf_object__open_mem(bytes, len, NULL);
    if (!obj || bpf_object__load(obj) != 0) {
        die("the empty programs do not load");
    }
    for (int i = 0; i < HOOKS; i++) {
        struct bpf_program *p = bpf_object__find_program_by_name(obj, names[i]);
        link[i] = bpf_raw_tracepoint_open(NULL, bpf_program__fd(p));
        if (link[i] < 0) {
            die("the empty programs do not attach");
        }
    }
    double us = timed_loop(r);
    for (int i = 0; i < HOOKS; i++) {
        (void)close(link[i]);
    }
    bpf_object__close(obj);
    return us;
}

static void read_for_ever(const struct wedr_sensor_handles *h)
{
    struct wedr_bpf_ring *ring = NULL;
    struct wedr_span rec;
    if (wedr_bpf_ring_open(h->ring[WEDR_LANE_CRITICAL], h->ring_bytes, &ring) != WEDR_OK) {
        _exit(1);
    }
    uint64_t pos = wedr_bpf_ring_consumer(ring);
    for (;;) {
        while (wedr_bpf_ring_next(ring, &pos, &rec) == WEDR_OK) {
        }
        wedr_bpf_ring_release(ring, pos);
        wedr_time_sleep_ms(20);
    }
}

/* With statistics on the loop itself is slower: a run of its own, not one that is compared. */
static void measure_hooks(struct run *r)
{
    struct wedr_sensor_hook hooks[HOOKS];
    size_t count = 0;
    int stats = bpf_enable_stats(BPF_STATS_RUN_TIME);
    (void)timed_loop(r);
    if (stats < 0 || wedr_sensor_list_hooks(PIN, hooks, HOOKS, &count) != WEDR_OK) {
        die("no statistics");
    }
    for (size_t i = 0; i < count; i++) {
        struct bpf_prog_info info = {0};
        uint32_t len = sizeof info;
        int fd = bpf_prog_get_fd_by_id(hooks[i].prog_id);
        if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &len) == 0 && info.run_cnt) {
            r->hook_ns[i] = (double)info.run_time_ns / (double)info.run_cnt;
        }
        (void)close(fd);
    }
    (void)close(stats);
}

static struct wedr_sensor *open_sensor(void)
{
    struct wedr_sensor_cfg cfg = {.pin_name = PIN};
    struct wedr_sensor *s = NULL;
    struct wedr_sensor_opened how;
    struct wedr_errinfo ei = {""};
    if (wedr_sensor_open(&cfg, &s, &how, &ei) != WEDR_OK) {
        die(ei.text);
    }
    return s;
}

/* The loop runs in a process without the sensor's descriptors: exec would have to close them each
 * time. */
static double with_sensor(struct run *r, bool last)
{
    struct wedr_sensor_handles h;
    struct wedr_sensor *s = open_sensor();
    wedr_sensor_handles(s, &h);
    pid_t reader = fork();
    if (reader == 0) {
        read_for_ever(&h);
    }
    wedr_sensor_close(s);
    double us = timed_loop(r);
    if (last) {
        measure_hooks(r);
    }
    s = open_sensor();
    const struct wedr_sensor_lane *lane = &wedr_sensor_state(s)->lane[WEDR_LANE_CRITICAL];
    r->records += wedr_sensor_count(&lane->seq);
    r->lost += wedr_sensor_count(&lane->lost[WEDR_LOSS_REASON_RING_FULL]) +
               wedr_sensor_count(&lane->lost[WEDR_LOSS_REASON_SCRATCH]);
    (void)kill(reader, SIGKILL);
    (void)waitpid(reader, NULL, 0);
    wedr_sensor_close(s);
    (void)(wedr_sensor_unpin(PIN, NULL) == WEDR_OK);
    return us;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Median and minimum of n values; sorts them. */
static double median(double *v, int n, double *ret_min)
{
    qsort(v, (size_t)n, sizeof *v, by_value);
    *ret_min = v[0];
    return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static void report(struct run *r, int rounds)
{
    double med[KINDS], min[KINDS], ratio[2][ROUNDS_MAX], unused;
    for (int i = 0; i < rounds; i++) {
        ratio[0][i] = r->us[EMPTY][i] / r->us[NONE][i];
        ratio[1][i] = r->us[SENSOR][i] / r->us[NONE][i];
    }
    for (int k = 0; k < KINDS; k++) {
        med[k] = median(r->us[k], rounds, &min[k]);
    }
    printf("{\"bench\":\"sensor_exec\",\"program\":\"%s\",\"rounds\":%d,\"iterations\":%ld,",
           r->program, rounds, r->iterations);
    printf("\"none_us\":%.1f,\"empty_us\":%.1f,\"sensor_us\":%.1f,", med[NONE], med[EMPTY],
           med[SENSOR]);
    printf("\"empty_ratio_median\":%.4f,\"sensor_ratio_median\":%.4f,",
           median(ratio[0], rounds, &unused), median(ratio[1], rounds, &unused));
    printf("\"empty_ratio_min\":%.4f,\"sensor_ratio_min\":%.4f,", min[EMPTY] / min[NONE],
           min[SENSOR] / min[NONE]);
    printf("\"exec_ns\":%.0f,\"fork_ns\":%.0f,\"exit_ns\":%.0f,\"records\":%llu,\"lost\":%llu}\n",
           r->hook_ns[0], r->hook_ns[1], r->hook_ns[2], (unsigned long long)r->records,
           (unsigned long long)r->lost);
}

int main(int argc, char **argv)
{
    static struct run r;
    long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : 9;
    r.iterations = argc > 2 ? strtol(argv[2], NULL, 10) : 300;
    r.program = argc > 3 ? argv[3] : "/bin/true";
    if (rounds < 1 || rounds > ROUNDS_MAX || r.iterations < 10) {
        die("usage: bench_sensor_exec [rounds 1..99] [iterations >= 10] [program]");
    }
    for (int i = 0; i < rounds; i++) {
        r.us[NONE][i] = timed_loop(&r);
        r.us[EMPTY][i] = with_empty(&r);
        r.us[SENSOR][i] = with_sensor(&r, i + 1 == rounds);
        wedr_time_sleep_ms(50); /* the links of this round are freed by a grace period */
    }
    report(&r, (int)rounds);
    return 0;
}
