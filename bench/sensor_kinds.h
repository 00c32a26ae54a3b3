/* SPDX-License-Identifier: Apache-2.0
 *
 * bench/sensor_kinds.h — three states of the machine that a workload is compared in: without a
 * sensor, with empty programs at the same hooks (the floor: what the kernel's own part costs), and
 * with the whole sensor and a reader that empties both rings every 20 ms. Root. One at a time. */
#pragma once

#include "sensor/lib/sensor.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum bench_kind { BENCH_NONE, BENCH_EMPTY, BENCH_SENSOR, BENCH_KINDS };
extern const char *const bench_kind_names[BENCH_KINDS];

struct bench_counts {
    uint64_t records[WEDR_LANE_COUNT], lost[WEDR_LANE_COUNT];
};

/* Ends the program with a message when something does not work. */
void bench_die(const char *what);
void bench_kind_open(enum bench_kind kind);
/* Adds to *counts what the sensor made; NULL: nobody asks. */
void bench_kind_close(struct bench_counts *counts);

struct bench_program {
    char name[32], area[16];
    uint64_t runs, ns; /* since statistics were switched on */
};
/* What the open sensor's programs did while `work` ran with the kernel's statistics on, which make
 * every run slower: never a time that is compared. Up to cap programs. */
size_t bench_programs(void (*work)(void *), void *ctx, struct bench_program *ret, size_t cap);
