/* SPDX-License-Identifier: Apache-2.0
 *
 * bench/sensor_run.c KIND COMMAND [ARGUMENT...] — runs a command in one of the states of
 * sensor_kinds.h (none, empty, sensor) and prints one JSON object: how long it took, what CPU it
 * and its children used, what the sensor recorded and lost. bench/sensor.py compares with it. KIND
 * programs is the sensor with the kernel's statistics of its programs, which the loop's noise does
 * not hide: their time, and no other that is compared. Root.
 */
#include "sensor_kinds.h"
#include "wedr/plat/time.h"
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static double cpu_ms(const struct rusage *u)
{
    return (double)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) * 1e3 +
           (double)(u->ru_utime.tv_usec + u->ru_stime.tv_usec) / 1e3;
}

struct run {
    char **argv;
    struct rusage used;
    int status;
    double ms;
};

static void run(void *ctx)
{
    struct run *r = ctx;
    uint64_t begin = wedr_time_mono_ns();
    pid_t pid = fork();
    if (pid == 0) {
        (void)dup2(STDERR_FILENO, STDOUT_FILENO);
        (void)execvp(r->argv[0], r->argv);
        _exit(127);
    }
    if (pid < 0 || wait4(pid, &r->status, 0, &r->used) != pid) {
        bench_die("the command cannot be started");
    }
    r->ms = (double)(wedr_time_mono_ns() - begin) / 1e6;
}

/* Of all programs together; the runs of other processes are among them. */
static double programs_ms(struct run *r)
{
    static struct bench_program programs[WEDR_SENSOR_HOOKS_MAX];
    uint64_t ns = 0;
    size_t n = bench_programs(run, r, programs, WEDR_SENSOR_HOOKS_MAX);
    for (size_t i = 0; i < n; i++) {
        ns += programs[i].ns;
    }
    return (double)ns / 1e6;
}

int main(int argc, char **argv)
{
    int kind = 0;
    bool statistics = argc > 2 && strcmp(argv[1], "programs") == 0;
    while (argc > 2 && !statistics && kind < BENCH_KINDS &&
           strcmp(argv[1], bench_kind_names[kind]) != 0) {
        kind++;
    }
    if (argc < 3 || kind == BENCH_KINDS) {
        bench_die("usage: bench_sensor_run none|empty|sensor|programs COMMAND [ARGUMENT...]");
    }
    struct bench_counts counts = {.records = {0}};
    struct run r = {.argv = argv + 2};
    double programs = 0;
    bench_kind_open(statistics ? BENCH_SENSOR : (enum bench_kind)kind);
    if (statistics) {
        programs = programs_ms(&r);
    } else {
        run(&r);
    }
    bench_kind_close(&counts);
    printf("{\"kind\":\"%s\",\"exit\":%d,\"wall_ms\":%.2f,\"cpu_ms\":%.2f,\"programs_ms\":%.2f,"
           "\"records\":[%llu,%llu],\"lost\":[%llu,%llu]}\n",
           argv[1], WIFEXITED(r.status) ? WEXITSTATUS(r.status) : -1, r.ms, cpu_ms(&r.used),
           programs, (unsigned long long)counts.records[0], (unsigned long long)counts.records[1],
           (unsigned long long)counts.lost[0], (unsigned long long)counts.lost[1]);
    return 0;
}
