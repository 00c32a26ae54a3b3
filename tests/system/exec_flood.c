/* SPDX-License-Identifier: Apache-2.0
 * tests/system/exec_flood.c — starts COUNT processes one after the other as fast as one core can,
 * each with the argument MARK-<i>, waits for each, and prints how many ran and in how many seconds.
 * Linked statically: the cheapest exec there is, so that the rate is the kernel's. EVERY_US > 0
 * sleeps between two starts. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    if (argc == 2) {
        _exit(3); /* the started process: one argument, the mark */
    }
    if (argc < 4) {
        fprintf(stderr, "usage: exec_flood MARK FIRST COUNT [EVERY_US]\n");
        return 2;
    }
    long first = strtol(argv[2], NULL, 10), count = strtol(argv[3], NULL, 10);
    long every_us = argc > 4 ? strtol(argv[4], NULL, 10) : 0;
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    long ran = 0;
    for (long i = first; i < first + count; i++) {
        char mark[128];
        snprintf(mark, sizeof(mark), "%s-%ld", argv[1], i);
        char *const args[] = {(char *)"exec_flood", mark, NULL};
        pid_t pid = vfork();
        if (pid == 0) {
            execve("/proc/self/exe", args, NULL);
            _exit(127);
        }
        int status = 0;
        if (pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
            WEXITSTATUS(status) == 3) {
            ran++;
        }
        if (every_us > 0) {
            usleep((useconds_t)every_us);
        }
    }
    clock_gettime(CLOCK_MONOTONIC, &b);
    printf("%ld %.3f\n", ran,
           (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9);
    return ran == count ? 0 : 1;
}
