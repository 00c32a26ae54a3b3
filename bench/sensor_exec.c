/* SPDX-License-Identifier: Apache-2.0
 *
 * bench/sensor_exec.c [rounds] [iterations] [program] — what the sensor costs a process start. Each
 * round times the same vfork + exec + wait loop in the three states of sensor_kinds.h, one behind
 * the other, so that a machine that becomes slower meanwhile becomes so for all. What is measured
 * is a sensor at work: each state is left alone for a second and warmed up with as many starts as
 * are timed, or the loading of a hundred programs would be counted as well. Prints one JSON object:
 * medians, minima, and of the ratios to the state without a sensor, and of what the sensor takes
 * beyond the empty programs in hundredths of a start, the median with its 95 % bounds (order
 * statistics); then, from a run of their own, each program's runs and nanoseconds per start by the
 * kernel's statistics. Root. */
#include "sensor_kinds.h"
#include "wedr/plat/time.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS_MAX 99
#define HOOKS_MAX 160
#define SETTLE_MS 1000

struct run {
    const char *program;
    long iterations;
    double us[BENCH_KINDS][ROUNDS_MAX]; /* per start */
    struct bench_counts counts;
    struct bench_program programs[HOOKS_MAX];
    size_t program_count;
};

static void start_one(const char *program)
{
    pid_t pid = vfork(); /* fork would measure the size of this process */
    if (pid == 0) {
        (void)execl(program, program, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) == 127) {
        bench_die("the program does not start");
    }
}

static void loop(void *ctx)
{
    const struct run *r = ctx;
    for (long i = 0; i < r->iterations; i++) {
        start_one(r->program);
    }
}

static double timed_loop(struct run *r)
{
    wedr_time_sleep_ms(SETTLE_MS);
    loop(r);
    uint64_t begin = wedr_time_mono_ns();
    loop(r);
    return (double)(wedr_time_mono_ns() - begin) / 1000.0 / (double)r->iterations;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

struct figure {
    double median, least, low, high; /* low, high: 95 % bounds of the median */
};

/* Sorts v. The bounds are the values so many places off the middle that a median lies between them
 * in 95 of 100 cases, whatever the values are distributed like. */
static struct figure figure_of(double *v, int n)
{
    qsort(v, (size_t)n, sizeof *v, by_value);
    int off = (int)floor(((double)n - 1.96 * sqrt((double)n)) / 2.0);
    int low = off < 0 ? 0 : off;
    struct figure f = {.median = n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2,
                       .least = v[0],
                       .low = v[low],
                       .high = v[n - 1 - low]};
    return f;
}

static void print_figure(const char *name, double *v, int n)
{
    struct figure f = figure_of(v, n);
    printf("\"%s\":{\"median\":%.4f,\"low_95\":%.4f,\"high_95\":%.4f},", name, f.median, f.low,
           f.high);
}

static void report(struct run *r, int rounds)
{
    double ratio[ROUNDS_MAX];
    char name[32];
    printf("{\"bench\":\"sensor_exec\",\"program\":\"%s\",\"rounds\":%d,\"iterations\":%ld,",
           r->program, rounds, r->iterations);
    for (int k = BENCH_EMPTY; k < BENCH_KINDS; k++) {
        for (int i = 0; i < rounds; i++) {
            ratio[i] = r->us[k][i] / r->us[BENCH_NONE][i];
        }
        (void)snprintf(name, sizeof name, "%s_ratio", bench_kind_names[k]);
        print_figure(name, ratio, rounds);
    }
    for (int i = 0; i < rounds; i++) {
        ratio[i] = 100 * (r->us[BENCH_SENSOR][i] - r->us[BENCH_EMPTY][i]) / r->us[BENCH_NONE][i];
    }
    print_figure("points_above_empty", ratio, rounds);
    for (int k = 0; k < BENCH_KINDS; k++) {
        struct figure f = figure_of(r->us[k], rounds);
        printf("\"%s_us\":{\"median\":%.1f,\"min\":%.1f},", bench_kind_names[k], f.median, f.least);
    }
    double all = 0;
    printf("\"programs\":[");
    for (size_t i = 0; i < r->program_count; i++) {
        const struct bench_program *p = &r->programs[i];
        double per = 1.0 / (double)r->iterations;
        all += (double)p->ns * per;
        printf("%s{\"area\":\"%s\",\"name\":\"%s\",\"runs_per_exec\":%.2f,\"ns_per_run\":%.0f}",
               i ? "," : "", p->area, p->name, (double)p->runs * per,
               (double)p->ns / (double)p->runs);
    }
    printf("],\"programs_ns_per_exec\":%.0f,\"records\":%llu,\"lost\":%llu}\n", all,
           (unsigned long long)(r->counts.records[0] + r->counts.records[1]),
           (unsigned long long)(r->counts.lost[0] + r->counts.lost[1]));
}

int main(int argc, char **argv)
{
    static struct run r;
    long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : 15;
    r.iterations = argc > 2 ? strtol(argv[2], NULL, 10) : 300;
    r.program = argc > 3 ? argv[3] : "/bin/true";
    if (rounds < 1 || rounds > ROUNDS_MAX || r.iterations < 10) {
        bench_die("usage: bench_sensor_exec [rounds 1..99] [iterations >= 10] [program]");
    }
    for (int i = 0; i < rounds; i++) {
        for (int k = 0; k < BENCH_KINDS; k++) {
            bench_kind_open((enum bench_kind)k);
            r.us[k][i] = timed_loop(&r);
            if (k == BENCH_SENSOR && i + 1 == rounds) {
                r.program_count = bench_programs(loop, &r, r.programs, HOOKS_MAX);
            }
            bench_kind_close(&r.counts);
        }
    }
    report(&r, (int)rounds);
    return 0;
}
