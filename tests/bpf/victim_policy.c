/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/bpf/victim_policy.c — does one thing many times: victim_policy WHAT COUNT [PATH]. Waits for
 * a byte on standard input first, when that is a pipe, so that its starter can say who it is. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int memfd(const char *path)
{
    int fd = memfd_create(path, MFD_CLOEXEC);
    return fd < 0 ? -1 : close(fd);
}

static int write_open(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    return fd < 0 ? -1 : close(fd);
}

int main(int argc, char **argv)
{
    struct stat st;
    char byte;
    if (argc < 3) {
        return 2;
    }
    int (*act)(const char *) = strcmp(argv[1], "memfd") == 0 ? memfd : write_open;
    if (fstat(0, &st) == 0 && S_ISFIFO(st.st_mode) && read(0, &byte, 1) != 1) {
        return 3;
    }
    for (long left = strtol(argv[2], NULL, 10); left > 0; left--) {
        if (act(argc > 3 ? argv[3] : "policy") != 0) {
            return 4;
        }
    }
    return 0;
}
