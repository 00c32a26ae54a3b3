/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#include "core/base/endian.h"
#include "core/util/alloc.h"
#include "wedr/plat/time.h"
#include "wedr/wire/decode.h"
#include <dirent.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include <cmocka.h>

static char dirs[4][64];

const char *t_dir(int slot)
{
    /* thousands of syncs: in memory where there is some */
    const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    (void)snprintf(dirs[slot], sizeof(dirs[slot]), "%s/wedr-test-XXXXXX", base);
    assert_non_null(mkdtemp(dirs[slot]));
    return dirs[slot];
}

static void
each_file(const char *dir, const char *suffix, void (*fn)(const char *path, void *arg), void *arg)
{
    DIR *d = opendir(dir);
    const struct dirent *e;
    assert_non_null(d);
    while ((e = readdir(d)) != NULL) {
        size_t n = strlen(e->d_name);
        size_t k = strlen(suffix);
        char path[512];
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 || n < k ||
            strcmp(e->d_name + n - k, suffix) != 0) {
            continue;
        }
        (void)snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
        fn(path, arg);
    }
    (void)closedir(d);
}

static void remove_one(const char *path, void *arg)
{
    (void)arg;
    (void)unlink(path);
}

void t_rmdir(const char *dir)
{
    each_file(dir, "", remove_one, NULL);
    (void)rmdir(dir);
}

static void count_one(const char *path, void *arg)
{
    (void)path;
    ++*(size_t *)arg;
}

size_t t_count_files(const char *dir, const char *suffix)
{
    size_t n = 0;
    each_file(dir, suffix, count_one, &n);
    return n;
}

static void keep_path(const char *path, void *arg)
{
    (void)snprintf(arg, 512, "%s", path);
}

void t_find_file(const char *dir, const char *suffix, char ret[512])
{
    ret[0] = '\0';
    each_file(dir, suffix, keep_path, ret);
    assert_int_not_equal(ret[0], 0);
}

void t_read_file(const char *path, uint8_t **ret, size_t *ret_len)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    long n = ftell(f);
    rewind(f);
    *ret = wedr_alloc((size_t)n + 1, 1);
    assert_non_null(*ret);
    assert_int_equal(fread(*ret, 1, (size_t)n, f), n);
    *ret_len = (size_t)n;
    (void)fclose(f);
}

void t_write_file(const char *path, const void *p, size_t len)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(p, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

static int src_peek(struct wedr_source *s, unsigned lane, struct wedr_span *rec, uint64_t *end)
{
    return wedr_mem_ring_peek(&((struct t_source *)s)->ring[lane], rec, end);
}

static void src_release(struct wedr_source *s, unsigned lane, uint64_t end)
{
    struct t_source *t = (struct t_source *)s;
    assert_true(end > t->released[lane]);
    t->released[lane] = end;
    wedr_mem_ring_release(&t->ring[lane], end);
}

static void src_counters(struct wedr_source *s, unsigned lane, struct wedr_source_counters *ret)
{
    *ret = ((struct t_source *)s)->counters[lane];
    ret->lost_total = 0;
    for (unsigned i = 1; i < WEDR_SENSOR_LOST_REASONS; i++) {
        ret->lost_total += ret->lost[i];
    }
}

static void src_start(struct wedr_source *s, const uint64_t base[WEDR_LANE_COUNT])
{
    (void)s;
    (void)base;
}

static bool src_ended(const struct wedr_source *s)
{
    return ((const struct t_source *)s)->ended;
}

static uint32_t src_wait(struct wedr_source *s)
{
    (void)s;
    return 1;
}

static void src_close(struct wedr_source *s)
{
    ((struct t_source *)s)->closed = true;
}

static const struct wedr_source_ops src_ops = {.peek = src_peek,
                                               .release = src_release,
                                               .counters = src_counters,
                                               .start = src_start,
                                               .ended = src_ended,
                                               .wait_ms = src_wait,
                                               .close = src_close};

void t_source_init(struct t_source *s, uint64_t epoch)
{
    memset(s, 0, sizeof(*s));
    s->base.ops = &src_ops;
    s->base.info = (struct wedr_source_info){.name = "fake",
                                             .epoch = epoch,
                                             .os = WEDR_OS_LINUX,
                                             .boot_ns = wedr_time_boot_ns(),
                                             .utc_us = wedr_time_utc_us()};
    memset(s->base.info.boot_id, 0xab, WEDR_BOOT_ID_LEN);
    for (unsigned i = 0; i < WEDR_LANE_COUNT; i++) {
        assert_int_equal(wedr_mem_ring_init(&s->ring[i], (size_t)1 << 24), WEDR_OK);
    }
}

void t_source_fini(struct t_source *s)
{
    for (unsigned i = 0; i < WEDR_LANE_COUNT; i++) {
        wedr_mem_ring_fini(&s->ring[i]);
    }
}

void t_source_rewind(struct t_source *s)
{
    for (unsigned i = 0; i < WEDR_LANE_COUNT; i++) {
        s->ring[i].cursor = s->ring[i].tail;
    }
    s->closed = false;
}

size_t t_fork_record(uint8_t *mem, size_t cap, unsigned lane, uint64_t seq)
{
    struct wedr_record r;
    assert_int_equal(wedr_record_begin(&r, mem, cap, WEDR_EV_PROCESS_FORK, WEDR_OS_LINUX), WEDR_OK);
    assert_int_equal(wedr_record_set_uint(&r, "pid", (seq & 0x3fffff) + 1), WEDR_OK);
    assert_int_equal(wedr_record_set_uint(&r, "parent_pid", 1), WEDR_OK);
    assert_int_equal(wedr_record_set_uint(&r, "process_key", seq), WEDR_OK);
    assert_int_equal(wedr_record_set_uint(&r, "parent_key", 7), WEDR_OK);
    assert_int_equal(wedr_record_set_str(&r, "comm", "tester", 6, 0), WEDR_OK);
    return wedr_record_finish(&r, seq, (int64_t)wedr_time_boot_ns(), (uint8_t)lane, 0);
}

void t_push_bytes(struct t_source *s, unsigned lane, const void *p, size_t n)
{
    assert_int_equal(wedr_mem_ring_push(&s->ring[lane], p, n), WEDR_OK);
}

void t_push(struct t_source *s, unsigned lane, uint64_t seq)
{
    uint8_t mem[512];
    size_t n = t_fork_record(mem, sizeof(mem), lane, seq);
    t_push_bytes(s, lane, mem, n);
    if (seq > s->counters[lane].produced) {
        s->counters[lane].produced = seq;
    }
}

void t_server_init(struct t_server *s)
{
    memset(s, 0, sizeof(*s));
}

void t_server_fini(struct t_server *s)
{
    for (size_t i = 0; i < s->count; i++) {
        wedr_free(s->streams[i].seen);
    }
    wedr_free(s->last_ranges);
    memset(s, 0, sizeof(*s));
}

struct t_stream *t_stream(struct t_server *s, uint64_t epoch, const char *name)
{
    for (size_t i = 0; i < s->count; i++) {
        if (s->streams[i].epoch == epoch && strcmp(s->streams[i].name, name) == 0) {
            return &s->streams[i];
        }
    }
    assert_true(s->count < T_STREAMS);
    struct t_stream *st = &s->streams[s->count++];
    st->epoch = epoch;
    (void)snprintf(st->name, sizeof(st->name), "%s", name);
    return st;
}

static void mark(struct t_stream *st, uint64_t seq)
{
    if (seq >= st->cap) {
        size_t cap = (size_t)seq * 2 + 64;
        st->seen = wedr_realloc(st->seen, cap, 1);
        assert_non_null(st->seen);
        memset(st->seen + st->cap, 0, cap - st->cap);
        st->cap = cap;
    }
    st->twice += st->seen[seq] != 0;
    st->stored += st->seen[seq] == 0;
    st->seen[seq] = 1;
}

static uint64_t json_key(const json_t *raw, const char *name)
{
    const char *text = json_string_value(json_object_get(raw, name));
    return text ? strtoull(text, NULL, 16) : 0;
}

static void take_agent_line(struct t_server *s, const json_t *line)
{
    const char *type = json_string_value(json_object_get(line, "event_type"));
    const json_t *raw = json_object_get(line, "raw");
    const char *stream = json_string_value(json_object_get(raw, "stream"));
    s->agent_starts += strcmp(type, "agent_start") == 0;
    s->gaps += strcmp(type, "coverage_gap") == 0;
    s->clock_changes += strcmp(type, "clock_change") == 0;
    if (!stream || !json_object_get(raw, "epoch")) {
        return;
    }
    struct t_stream *st = t_stream(s, json_key(raw, "epoch"), stream);
    uint64_t produced = (uint64_t)json_integer_value(json_object_get(raw, "produced"));
    st->starts += strcmp(type, "epoch_start") == 0;
    if (strcmp(type, "epoch_end") == 0) {
        st->ends++;
        st->end_produced = produced;
    }
    if (strcmp(type, "telemetry_loss") == 0) {
        uint64_t code = (uint64_t)json_integer_value(json_object_get(raw, "reason_code"));
        uint64_t lost = (uint64_t)json_integer_value(json_object_get(raw, "lost"));
        assert_true(code > 0 && code < 32);
        assert_true(lost >= st->lost[code]); /* cumulative: never goes back */
        st->lost[code] = lost;
        st->loss_produced = produced > st->loss_produced ? produced : st->loss_produced;
        wedr_free(s->last_ranges);
        const char *ranges = json_string_value(json_object_get(raw, "ranges"));
        s->last_ranges = wedr_strndup(ranges ? ranges : "", ranges ? strlen(ranges) : 0);
    }
}

static void take_lines(struct t_server *s,
                       struct t_stream *st,
                       const struct wedr_batch_id *id,
                       const char *p,
                       size_t len)
{
    uint64_t before = 0;
    uint32_t count = 0;
    while (len > 0) {
        const char *nl = memchr(p, '\n', len);
        assert_non_null(nl);
        json_error_t err;
        json_t *line = json_loadb(p, (size_t)(nl - p), JSON_REJECT_DUPLICATES, &err);
        if (!line) {
            fail_msg("line is not JSON: %s: %.*s", err.text, (int)(nl - p), p);
        }
        uint64_t seq = (uint64_t)json_integer_value(json_object_get(line, "seq"));
        assert_true(seq > before && seq >= id->first_seq && seq <= id->last_seq);
        mark(st, seq);
        before = seq;
        count++;
        s->lines++;
        if (strcmp(id->stream, WEDR_STREAM_NAME_AGENT) == 0) {
            take_agent_line(s, line);
        }
        json_decref(line);
        len -= (size_t)(nl - p) + 1;
        p = nl + 1;
    }
    assert_int_equal(count, id->count);
}

static void take_batch(struct t_server *s, const struct wedr_batch_id *id, wedr_handle h)
{
    struct wedr_buf z;
    wedr_buf_init(&z, WEDR_BATCH_Z_MAX);
    assert_int_equal(wedr_fs_read_all(h, &z), WEDR_OK);
    unsigned long long n = ZSTD_getFrameContentSize(z.p, z.len);
    assert_true(n > 0 && n <= WEDR_BATCH_RAW_MAX);
    char *raw = wedr_alloc((size_t)n, 1);
    assert_non_null(raw);
    assert_int_equal(ZSTD_decompress(raw, (size_t)n, z.p, z.len), n);
    struct t_stream *st = t_stream(s, id->epoch, id->stream);
    assert_true(id->first_seq >= st->next_first);
    st->next_first = id->last_seq + 1;
    st->produced = id->produced > st->produced ? id->produced : st->produced;
    take_lines(s, st, id, raw, (size_t)n);
    wedr_free(raw);
    wedr_buf_fini(&z);
}

size_t t_ship(struct t_server *s, struct wedr_engine *e, size_t max)
{
    size_t n = 0;
    for (; n < max; n++) {
        struct wedr_batch_id id;
        wedr_handle h;
        int err = wedr_engine_next_batch(e, &id, &h);
        if (err != WEDR_OK) {
            assert_int_equal(err, WEDR_E_NOENT);
            break;
        }
        assert_int_equal(wedr_batch_id_check(&id), WEDR_OK);
        take_batch(s, &id, h);
        wedr_fs_close(h);
        assert_int_equal(wedr_engine_outcome(e, &id, WEDR_BATCH_ACKED), WEDR_OK);
    }
    return n;
}

struct wedr_engine_cfg t_cfg(const char *dir)
{
    struct wedr_engine_cfg cfg = {.spool_dir = dir,
                                  .segment_raw_max = 256 * 1024,
                                  .segment_age_ms = 3600000,
                                  .spool_bytes_max = 1u << 30,
                                  .zstd_level = 3,
                                  .agent_version = "0.1.0",
                                  .os_name = "Linux",
                                  .os_release = "test"};
    memset(cfg.boot_id, 0xcd, sizeof(cfg.boot_id));
    return cfg;
}

struct wedr_engine *t_open(const struct wedr_engine_cfg *cfg)
{
    struct wedr_engine *e = NULL;
    struct wedr_errinfo ei = {""};
    int err = wedr_engine_open(cfg, &e, &ei);
    if (err != WEDR_OK) {
        fail_msg("engine: %s", ei.text);
    }
    return e;
}

void t_rounds(struct wedr_engine *e, unsigned count)
{
    bool busy = true;
    for (unsigned i = 0; i < count && busy; i++) {
        uint32_t wait;
        assert_int_equal(wedr_engine_round(e, &busy, &wait), WEDR_OK);
    }
}

int64_t t_missing(const struct t_stream *st)
{
    uint64_t produced = st->produced;
    uint64_t lost = 0;
    produced = st->loss_produced > produced ? st->loss_produced : produced;
    produced = st->end_produced > produced ? st->end_produced : produced;
    for (size_t i = 0; i < 32; i++) {
        lost += st->lost[i];
    }
    return (int64_t)(produced - st->stored - lost);
}
