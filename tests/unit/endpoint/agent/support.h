/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/unit/endpoint/agent/support.h — scratch folders, a source made by hand and a server that
 * only counts.
 */
#pragma once

#include "engine_internal.h"
#include "source/mem_ring.h"
#include "source/source.h"
#include <stddef.h>
#include <stdint.h>

/* A new empty folder below the temporary folder; borrowed, one at a time per slot (0..3). */
const char *t_dir(int slot);
void t_rmdir(const char *dir);
/* Names in dir that end with suffix. */
size_t t_count_files(const char *dir, const char *suffix);
/* The only file with that suffix, its path in ret. Fails the test when there is none. */
void t_find_file(const char *dir, const char *suffix, char ret[512]);
void t_read_file(const char *path, uint8_t **ret, size_t *ret_len);
void t_write_file(const char *path, const void *p, size_t len);

/* A source that the test fills: records of process_fork, their seq as given. */
struct t_source {
    struct wedr_source base;
    struct wedr_mem_ring ring[WEDR_LANE_COUNT];
    struct wedr_source_counters counters[WEDR_LANE_COUNT];
    bool ended, closed;
    uint64_t released[WEDR_LANE_COUNT];
};
void t_source_init(struct t_source *s, uint64_t epoch);
void t_source_fini(struct t_source *s);
/* Reads what was not released again, as a new agent would. */
void t_source_rewind(struct t_source *s);
void t_push(struct t_source *s, unsigned lane, uint64_t seq);
void t_push_bytes(struct t_source *s, unsigned lane, const void *p, size_t n);
size_t t_fork_record(uint8_t *mem, size_t cap, unsigned lane, uint64_t seq);

/* What a server would have: how often each seq of each stream came. */
#define T_STREAMS 64
struct t_server {
    struct t_stream {
        uint64_t epoch;
        char name[WEDR_STREAM_NAME_MAX];
        uint8_t *seen; /* by seq */
        size_t cap;
        uint64_t stored, twice, produced;
        uint64_t next_first; /* batches of a stream come without overlap */
        uint64_t lost[32];   /* newest telemetry_loss by reason code */
        uint64_t loss_produced;
        uint64_t end_produced;
        unsigned starts, ends;
    } streams[T_STREAMS];
    size_t count;
    unsigned gaps, clock_changes, agent_starts;
    char *last_ranges;
    uint64_t lines;
};
void t_server_init(struct t_server *s);
void t_server_fini(struct t_server *s);
struct t_stream *t_stream(struct t_server *s, uint64_t epoch, const char *name);
/* Ships up to max batches; every line must be valid JSON with the seq that its place says. Returns
 * how many. */
size_t t_ship(struct t_server *s, struct wedr_engine *e, size_t max);

struct wedr_engine_cfg t_cfg(const char *dir);
struct wedr_engine *t_open(const struct wedr_engine_cfg *cfg);
/* Rounds until idle (or count). */
void t_rounds(struct wedr_engine *e, unsigned count);
/* missing = produced - stored - lost, with the newest figures */
int64_t t_missing(const struct t_stream *st);
