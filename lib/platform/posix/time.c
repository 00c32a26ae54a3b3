/* SPDX-License-Identifier: Apache-2.0 */
#include "wedr/plat/time.h"

#include <errno.h>
#include <time.h>

/* The three clocks below cannot fail on a system that runs us at all; 0 would be the answer. */
static uint64_t clock_ns(clockid_t id)
{
    struct timespec ts = {0, 0};
    (void)clock_gettime(id, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

int64_t wedr_time_utc_us(void)
{
    struct timespec ts = {0, 0};
    (void)clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

uint64_t wedr_time_mono_ms(void)
{
    return clock_ns(CLOCK_MONOTONIC) / 1000000u;
}

uint64_t wedr_time_mono_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

uint64_t wedr_time_boot_ns(void)
{
    return clock_ns(CLOCK_BOOTTIME);
}

void wedr_time_sleep_ms(uint32_t ms)
{
    struct timespec left = {(time_t)(ms / 1000u), (long)(ms % 1000u) * 1000000L};
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR) {
    }
}
