/* SPDX-License-Identifier: Apache-2.0
 *
 * bench/sensor_run.c KIND COMMAND [ARGUMENT...] — runs a command in one of the states of
 * sensor_kinds.h (none, empty, sensor) and prints one JSON object: how long it took, what CPU it
 * and its children used, what the sensor recorded and lost. bench/sensor.py compares with it. Root.
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

int main(int argc, char **argv)
{
    int kind = 0;
    while (argc > 2 && kind < BENCH_KINDS && strcmp(argv[1], bench_kind_names[kind]) != 0) {
        kind++;
    }
    if (argc < 3 || kind == BENCH_KINDS) {
        bench_die("usage: bench_sensor_run none|empty|sensor COMMAND [ARGUMENT...]");
    }
    struct bench_counts counts = {.records = {0}};
    struct rusage used;
    int status = 0;
    bench_kind_open((enum bench_kind)kind);
    uint64_t begin = wedr_time_mono_ns();
    pid_t pid = fork();
    if (pid == 0) {
        (void)dup2(STDERR_FILENO, STDOUT_FILENO);
        (void)execvp(argv[2], argv + 2);
        _exit(127);
    }
    if (pid < 0 || wait4(pid, &status, 0, &used) != pid) {
        bench_die("the command cannot be started");
    }
    double ms = (double)(wedr_time_mono_ns() - begin) / 1e6;
    bench_kind_close(&counts);
    printf("{\"kind\":\"%s\",\"exit\":%d,\"wall_ms\":%.2f,\"cpu_ms\":%.2f,"
           "\"records\":[%llu,%llu],\"lost\":[%llu,%llu]}\n",
           argv[1], WIFEXITED(status) ? WEXITSTATUS(status) : -1, ms, cpu_ms(&used),
           (unsigned long long)counts.records[0], (unsigned long long)counts.records[1],
           (unsigned long long)counts.lost[0], (unsigned long long)counts.lost[1]);
    return 0;
}
