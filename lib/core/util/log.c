/* SPDX-License-Identifier: Apache-2.0
 * lib/core/util/log.c — a line is written in the caller's stack, then queued; whoever finds no one
 * draining drains. So one thread is in the sink at a time, nobody waits for it, and no thread of
 * our own is needed. */
#include "core/util/log.h"
#include "core/base/err.h"
#include "core/util/json.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define LINE_MAX_LEN 4096u
#define QUEUE_LEN 65536u
#define LINES_PER_SECOND 20u
#define NAME_LEN 128u /* of an event or program name; escapes make it six times that */
#define TAIL_LEN 48u  /* room for "suppressed", "cut" and the closing brace */

struct entry {
    uint32_t len;
    uint32_t level;
};

static struct {
    atomic_flag lock; /* held for copies only, never across the sink or the clock */
    bool draining;
    size_t head, used; /* byte ring of entry + line */
    uint8_t queue[QUEUE_LEN];
    const char *name;
    wedr_log_sink sink;
    void *sink_arg;
} g = {.lock = ATOMIC_FLAG_INIT};

static atomic_int max_level = WEDR_LOG_INFO;
static _Atomic uint64_t dropped;
static _Atomic(int64_t (*)(void)) clock_us;

static void lock(void)
{
    while (atomic_flag_test_and_set_explicit(&g.lock, memory_order_acquire)) {
    }
}

static void unlock(void)
{
    atomic_flag_clear_explicit(&g.lock, memory_order_release);
}

static void to_stderr(void *arg, enum wedr_log_level level, const char *line, size_t len)
{
    (void)arg;
    (void)level;
    if (fprintf(stderr, "%.*s\n", (int)len, line) < 0) {
        atomic_fetch_add(&dropped, 1);
    }
}

static int64_t now_us(void)
{
    int64_t (*replaced)(void) = atomic_load(&clock_us);
    if (replaced) {
        return replaced();
    }
    struct timespec ts;
    if (timespec_get(&ts, TIME_UTC) != TIME_UTC) {
        return 0;
    }
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

void wedr_log_init(const char *name, enum wedr_log_level level, wedr_log_sink sink, void *arg)
{
    lock();
    g.name = name;
    g.sink = sink;
    g.sink_arg = arg;
    unlock();
    atomic_store(&max_level, (int)level);
}

void wedr_log_set_clock(int64_t (*now)(void))
{
    atomic_store(&clock_us, now);
}

uint64_t wedr_log_dropped(void)
{
    return atomic_load(&dropped);
}

/* Moves n bytes into or out of the ring at head + offset. */
static void ring_copy(size_t offset, void *mem, size_t n, bool in)
{
    size_t at = (g.head + offset) % QUEUE_LEN;
    size_t first = n < QUEUE_LEN - at ? n : QUEUE_LEN - at;
    uint8_t *b = mem;
    if (in) {
        memcpy(g.queue + at, b, first);
        memcpy(g.queue, b + first, n - first);
    } else {
        memcpy(b, g.queue + at, first);
        memcpy(b + first, g.queue, n - first);
    }
}

/* Queues the line; true when the caller is the one who must drain. */
static bool enqueue(enum wedr_log_level level, char *line, size_t len)
{
    struct entry e = {(uint32_t)len, (uint32_t)level};
    bool drain = false;
    lock();
    if (QUEUE_LEN - g.used < sizeof(e) + len) {
        atomic_fetch_add(&dropped, 1);
    } else {
        ring_copy(g.used, &e, sizeof(e), true);
        ring_copy(g.used + sizeof(e), line, len, true);
        g.used += sizeof(e) + len;
        drain = !g.draining;
        g.draining = true;
    }
    unlock();
    return drain;
}

/* line is the caller's storage of LINE_MAX_LEN bytes, used again for each entry. */
static void drain(char *line)
{
    for (;;) {
        struct entry e;
        lock();
        if (g.used == 0) {
            g.draining = false;
            unlock();
            return;
        }
        ring_copy(0, &e, sizeof(e), false);
        ring_copy(sizeof(e), line, e.len, false);
        g.head = (g.head + sizeof(e) + e.len) % QUEUE_LEN;
        g.used -= sizeof(e) + e.len;
        wedr_log_sink give = g.sink ? g.sink : to_stderr;
        void *arg = g.sink_arg;
        unlock();
        give(arg, (enum wedr_log_level)e.level, line, e.len);
    }
}

/* False when the site is over its limit; else *ret_held is what it held back since its last line.
 */
static bool site_allows(struct wedr_log_site *site, int64_t now, uint32_t *ret_held)
{
    uint64_t second = (uint64_t)now / 1000000;
    bool allowed = true;
    lock();
    if (site->window_s != second) {
        site->window_s = second;
        site->in_window = 0;
    }
    if (site->in_window >= LINES_PER_SECOND) {
        site->suppressed += site->suppressed < UINT32_MAX;
        allowed = false;
    } else {
        site->in_window++;
        *ret_held = site->suppressed;
        site->suppressed = 0;
    }
    unlock();
    return allowed;
}

static void write_value(struct wedr_json *j, const struct wedr_log_kv *kv)
{
    wedr_json_key(j, kv->key);
    if (kv->type == WEDR_LOG_T_U64) {
        wedr_json_u64(j, kv->n);
    } else if (kv->type == WEDR_LOG_T_I64) {
        wedr_json_i64(j, (int64_t)kv->n);
    } else if (kv->type == WEDR_LOG_T_ERR) {
        const char *name = wedr_err_name((int)(int64_t)kv->n);
        (void)wedr_json_str(j, name, strlen(name));
    } else if (kv->s) {
        (void)wedr_json_str(j, kv->s, strlen(kv->s));
    } else {
        wedr_json_null(j);
    }
}

static void write_name(struct wedr_json *j, const char *key, const char *name)
{
    const char *end = memchr(name, 0, NAME_LEN);
    wedr_json_key(j, key);
    (void)wedr_json_str(j, name, end ? (size_t)(end - name) : NAME_LEN);
}

static size_t format(char *line,
                     const char *name,
                     int64_t now,
                     enum wedr_log_level level,
                     const char *event,
                     const struct wedr_log_kv *kv,
                     uint32_t held)
{
    static const char *const levels[] = {"error", "warn", "info", "debug"};
    struct wedr_json j;
    bool cut = false;
    wedr_json_init(&j, line, LINE_MAX_LEN - TAIL_LEN);
    wedr_json_obj_begin(&j);
    wedr_json_key(&j, "ts");
    wedr_json_time_us(&j, now);
    write_name(&j, "level", levels[level]);
    write_name(&j, "program", name);
    write_name(&j, "event", event);
    for (; kv->type != WEDR_LOG_T_END; kv++) {
        struct wedr_json before = j;
        write_value(&j, kv);
        if (j.overflow) {
            j = before; /* leave this pair out, keep the line whole */
            cut = true;
        }
    }
    j.end += TAIL_LEN;
    if (held) {
        wedr_json_key(&j, "suppressed");
        wedr_json_u64(&j, held);
    }
    if (cut) {
        wedr_json_key(&j, "cut");
        wedr_json_bool(&j, true);
        atomic_fetch_add(&dropped, 1);
    }
    wedr_json_obj_end(&j);
    return wedr_json_len(&j);
}

void wedr_log_emit(struct wedr_log_site *site,
                   enum wedr_log_level level,
                   const char *event,
                   const struct wedr_log_kv *kv)
{
    if ((int)level > atomic_load_explicit(&max_level, memory_order_relaxed)) {
        return;
    }
    int64_t now = now_us();
    uint32_t held = 0;
    if (!site_allows(site, now, &held)) {
        atomic_fetch_add(&dropped, 1);
        return;
    }
    lock();
    const char *name = g.name ? g.name : "";
    unlock();
    char line[LINE_MAX_LEN];
    size_t len = format(line, name, now, level, event, kv, held);
    if (enqueue(level, line, len)) {
        drain(line);
    }
}
