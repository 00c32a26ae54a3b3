/* SPDX-License-Identifier: Apache-2.0
 * wedr/plat/time.h — clocks. Thread-safe. */
#pragma once

#include <stdint.h>

int64_t wedr_time_utc_us(void);   /* microseconds since 1970 UTC; may jump */
uint64_t wedr_time_mono_ms(void); /* never goes back; does not count suspend on POSIX */
uint64_t wedr_time_mono_ns(void);
uint64_t wedr_time_boot_ns(
    void); /* CLOCK_BOOTTIME: what a Linux record carries; interrupt time on Windows */
void wedr_time_sleep_ms(uint32_t ms);
