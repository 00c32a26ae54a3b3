/* SPDX-License-Identifier: Apache-2.0
 * tests/system/mixed_flood.c — does one thing as fast as it can for SECONDS and prints how often:
 *   files DIR SECONDS  makes a file, writes, renames and removes it, over and over
 *   forks SECONDS      forks children that end at once
 *   dns PORT SECONDS   sends a question for another name each time to 127.0.0.1:PORT
 *   sink PORT SECONDS  takes what dns sends, so that no error comes back
 * Linked statically. */
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

#define LOOK_EVERY 64 /* turns between two looks at the clock */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int file_turn(const char *dir, long i)
{
    char a[256], b[256];
    snprintf(a, sizeof a, "%s/f%d-%ld", dir, (int)getpid(), i);
    snprintf(b, sizeof b, "%s/g%d-%ld", dir, (int)getpid(), i);
    int fd = open(a, O_CREAT | O_WRONLY | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, "x", 1) != 1 || close(fd) != 0) {
        return -1;
    }
    return rename(a, b) == 0 && unlink(b) == 0 ? 0 : -1;
}

static int fork_turn(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        _exit(0);
    }
    int status = 0;
    return pid > 0 && waitpid(pid, &status, 0) == pid ? 0 : -1;
}

static size_t question(unsigned char *p, long i)
{
    static const unsigned char head[12] = {0x12, 0x34, 1, 0, 0, 1};
    char label[32];
    int n = snprintf(label, sizeof label, "n%ld-%d", i, (int)getpid());
    memcpy(p, head, sizeof head);
    size_t at = sizeof head;
    p[at++] = (unsigned char)n;
    memcpy(p + at, label, (size_t)n);
    at += (size_t)n;
    memcpy(p + at, "\5flood\4test\0\0\1\0\1", 16);
    return at + 16;
}

static int udp(int port, int to_bind)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int err = to_bind ? bind(fd, (struct sockaddr *)&a, sizeof a)
                      : connect(fd, (struct sockaddr *)&a, sizeof a);
    return err == 0 ? fd : -1;
}

static int sink(int port, double end)
{
    unsigned char p[512];
    struct timeval wait = {.tv_usec = 100000};
    int fd = udp(port, 1);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) != 0) {
        return 1;
    }
    puts("ready");
    fflush(stdout);
    while (now() < end) {
        (void)!recv(fd, p, sizeof p, 0);
    }
    return 0;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    int forks = strcmp(what, "forks") == 0, files = strcmp(what, "files") == 0;
    if (argc != (forks ? 3 : 4)) {
        fprintf(stderr, "usage: mixed_flood files DIR S | forks S | dns PORT S | sink PORT S\n");
        return 2;
    }
    double end = now() + atof(argv[argc - 1]);
    int port = forks || files ? 0 : atoi(argv[2]);
    if (strcmp(what, "sink") == 0) {
        return sink(port, end);
    }
    int fd = forks || files ? -1 : udp(port, 0);
    long i = 0;
    for (; i % LOOK_EVERY != 0 || now() < end; i++) {
        unsigned char p[128];
        int err = forks ? fork_turn() : files ? file_turn(argv[2], i) : 0;
        if (!forks && !files) {
            size_t len = question(p, i);
            err = send(fd, p, len, 0) == (ssize_t)len ? 0 : -1;
        }
        if (err != 0) {
            perror(what);
            return 1;
        }
    }
    printf("%ld\n", i);
    return 0;
}
