/* SPDX-License-Identifier: Apache-2.0
 * bench/load_body.h — the batches that load agents send. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The n-th batch of every agent: the same lines, the same bytes; what differs is in the headers. */
struct load_body {
    uint64_t first_seq;
    uint32_t count;
    uint8_t sha256[32];
    void *z;
    size_t z_len, raw_len;
};

/* Prints the two texts and ends the program with 1. */
_Noreturn void bench_die(const char *what, const char *why);
/* Process starts and exits in turn, `events` of them from first_seq on. */
void load_body_make(struct load_body *ret, uint64_t first_seq, uint32_t events);
