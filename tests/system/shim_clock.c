/* SPDX-License-Identifier: Apache-2.0
 * tests/system/shim_clock.c — preloaded into an agent or server under test: adds an offset to
 * CLOCK_REALTIME. The offset (int64, microseconds) is read from a shared mapping of the file that
 * WEDR_SHIM_CLOCK names, so that a test can make the clock jump while the programs run, also inside
 * their sandboxes (the mapping is made before). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *offset_us;
static int (*real_clock_gettime)(clockid_t, struct timespec *);

/* Other constructors may ask for the time before ours ran. */
static int ask_real(clockid_t clock, struct timespec *ts)
{
    if (!real_clock_gettime) {
        real_clock_gettime =
            (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    }
    return real_clock_gettime(clock, ts);
}

__attribute__((constructor)) static void shim_init(void)
{
    const char *path = getenv("WEDR_SHIM_CLOCK");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        void *p = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);
        if (p != MAP_FAILED) {
            offset_us = p;
        }
        close(fd);
    }
}

int clock_gettime(clockid_t clock, struct timespec *ts)
{
    int rc = ask_real(clock, ts);
    if (rc == 0 && clock == CLOCK_REALTIME && offset_us) {
        int64_t us = (int64_t)ts->tv_sec * 1000000 + ts->tv_nsec / 1000 + *offset_us;
        ts->tv_sec = us / 1000000;
        ts->tv_nsec = us % 1000000 * 1000;
    }
    return rc;
}

int gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
    struct timespec ts;
    (void)tz;
    int rc = clock_gettime(CLOCK_REALTIME, &ts);
    tv->tv_sec = ts.tv_sec;
    tv->tv_usec = ts.tv_nsec / 1000;
    return rc;
}

time_t time(time_t *out)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    if (out) {
        *out = ts.tv_sec;
    }
    return ts.tv_sec;
}
