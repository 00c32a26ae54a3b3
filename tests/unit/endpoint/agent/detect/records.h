/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/unit/endpoint/agent/detect/records.h — records of processes made by hand, as a Linux sensor
 * would write them. The clock pair of all of them is {0, RECORDS_UTC_US}.
 */
#pragma once

#include "wedr/wire/decode.h"

#define RECORDS_UTC_US INT64_C(1764000000000000)

/* The key of process pid: it started pid milliseconds after boot. */
uint64_t rec_key(uint32_t pid);
/* A record in memory of the caller's (WEDR_RECORD_MAX bytes); boot_ms is its time. */
struct wedr_event_view rec_exec(uint8_t *mem,
                                uint64_t seq,
                                uint64_t boot_ms,
                                uint32_t pid,
                                uint32_t parent,
                                const char *image,
                                const char *argv,
                                size_t argv_len);
struct wedr_event_view
rec_fork(uint8_t *mem, uint64_t seq, uint64_t boot_ms, uint32_t pid, uint32_t parent);
struct wedr_event_view rec_exit(uint8_t *mem, uint64_t seq, uint64_t boot_ms, uint32_t pid);
struct wedr_event_view rec_gap(uint8_t *mem, uint64_t seq, uint64_t boot_ms, const char *stream);
