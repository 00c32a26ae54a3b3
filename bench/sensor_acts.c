/* SPDX-License-Identifier: Apache-2.0
 *
 * bench/sensor_acts.c — does so many things of one kind, each of which can be told from all others,
 * and prints how many and in how many seconds:
 *   exec MARK COUNT      starts ./sensor_acts with the arguments MARK-<i> and "two words"
 *   open MARK COUNT      makes the file MARK-<i> in the working folder, by a relative name
 *   connect PORT COUNT   connects to 127.<i's bytes>:PORT, where it listens itself
 *   paced RATE SECONDS   makes, renames and removes files in the working folder, RATE times a
 * second Linked statically: the cheapest process there is. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int exec_one(const char *mark, long i)
{
    char name[128];
    int status = 0;
    snprintf(name, sizeof name, "%s-%ld", mark, i);
    char *const args[] = {(char *)"sensor_acts", name, (char *)"two words", NULL};
    pid_t pid = vfork();
    if (pid == 0) {
        execv("./sensor_acts", args);
        _exit(127);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
           WEXITSTATUS(status) == 3;
}

static int open_one(const char *mark, long i)
{
    char name[128];
    snprintf(name, sizeof name, "%s-%ld", mark, i);
    int fd = open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    return fd >= 0 && close(fd) == 0;
}

static struct sockaddr_in address(long i, int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    a.sin_addr.s_addr = htonl(0x7F000000u | (unsigned)(i + 256));
    return a;
}

static int listen_at(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    int yes = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 &&
                   bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && listen(fd, 64) == 0
               ? fd
               : -1;
}

static int connect_one(int listener, int port, long i)
{
    struct sockaddr_in a = address(i, port);
    struct linger hard = {1, 0}; /* no port waits for late segments */
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int ok = fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) == 0;
    int peer = ok ? accept(listener, NULL, NULL) : -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(fd);
    close(peer);
    return ok;
}

/* Makes, renames and removes a file. */
static int file_turn(long i)
{
    char name[64];
    char other[64];
    snprintf(name, sizeof name, "a%d-%ld", (int)getpid(), i);
    snprintf(other, sizeof other, "b%d-%ld", (int)getpid(), i);
    int fd = open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    return fd >= 0 && close(fd) == 0 && rename(name, other) == 0 && unlink(other) == 0;
}

/* What is due, at most so much that the end is not missed, or a millisecond of sleep. */
static long paced(double rate, double seconds)
{
    double begin = now();
    long done = 0;
    for (double at = 0; at < seconds; at = now() - begin) {
        long due = (long)(at * rate) - done;
        for (long i = 0; i < due && i < 64; i++) {
            if (!file_turn(done++)) {
                return -1;
            }
        }
        if (due <= 0) {
            usleep(1000);
        }
    }
    return done;
}

int main(int argc, char **argv)
{
    if (argc == 3) {
        _exit(3); /* the started process: two arguments */
    }
    if (argc != 4) {
        fprintf(stderr,
                "usage: sensor_acts exec|open|connect|paced MARK|PORT|RATE COUNT|SECONDS\n");
        return 2;
    }
    long count = strtol(argv[3], NULL, 10);
    int port = (int)strtol(argv[2], NULL, 10);
    int listener = strcmp(argv[1], "connect") == 0 ? listen_at(port) : -1;
    long done = 0;
    double begin = now();
    if (strcmp(argv[1], "paced") == 0) {
        done = paced(strtod(argv[2], NULL), strtod(argv[3], NULL));
        count = done < 0 ? 0 : done;
    } else {
        for (long i = 0; i < count; i++) {
            done += strcmp(argv[1], "exec") == 0   ? exec_one(argv[2], i)
                    : strcmp(argv[1], "open") == 0 ? open_one(argv[2], i)
                                                   : connect_one(listener, port, i);
        }
    }
    printf("%ld %.4f\n", done, now() - begin);
    return done == count ? 0 : 1;
}
