/* SPDX-License-Identifier: Apache-2.0
 * lib/core/util/log.h — structured log of the programs (libraries never log): a stable dotted event
 * name and key=value pairs; one JSON object a line. Bounded queue to a sink, rate limit per call
 * site, a counter for what was dropped. Thread-safe. No token, key or raw command line above DEBUG.
 */
#pragma once

#include "core/base/attr.h"
#include <stddef.h>
#include <stdint.h>

enum wedr_log_level { WEDR_LOG_ERROR, WEDR_LOG_WARN, WEDR_LOG_INFO, WEDR_LOG_DEBUG };

enum wedr_log_type {
    WEDR_LOG_T_END,
    WEDR_LOG_T_STR,
    WEDR_LOG_T_I64,
    WEDR_LOG_T_U64,
    WEDR_LOG_T_ERR
};

struct wedr_log_kv {
    const char *key;
    enum wedr_log_type type;
    const char *s; /* WEDR_LOG_T_STR; NULL is written as null */
    uint64_t n;    /* I64 (two's complement), U64, ERR (a WEDR_E_*, written as its name) */
};

#define WEDR_STR(k, v) ((struct wedr_log_kv){(k), WEDR_LOG_T_STR, (v), 0})
#define WEDR_I64(k, v) ((struct wedr_log_kv){(k), WEDR_LOG_T_I64, 0, (uint64_t)(int64_t)(v)})
#define WEDR_U64(k, v) ((struct wedr_log_kv){(k), WEDR_LOG_T_U64, 0, (uint64_t)(v)})
#define WEDR_ERR(v) ((struct wedr_log_kv){"err", WEDR_LOG_T_ERR, 0, (uint64_t)(int64_t)(v)})

/* One per call site, static: at most 20 lines a second, then a count of what was held back. */
struct wedr_log_site {
    uint64_t window_s;
    uint32_t in_window;
    uint32_t suppressed;
};

/* wedr_log(INFO, "spool.recovered", WEDR_U64("count", n)); at least one pair. */
#define wedr_log(LVL, event, ...)                                                            \
    do {                                                                                     \
        static struct wedr_log_site wedr_site_;                                              \
        wedr_log_emit(&wedr_site_, WEDR_LOG_##LVL, (event),                                  \
                      (const struct wedr_log_kv[]){__VA_ARGS__, {0, WEDR_LOG_T_END, 0, 0}}); \
    } while (0)

/* Writes one finished line (len without the newline that the sink adds). Called by one thread at a
 * time. */
typedef void (*wedr_log_sink)(void *arg, enum wedr_log_level level, const char *line, size_t len);

/* Before the first log line; name is the program ("wedr-agent.core"), kept by reference. Default
 * sink: standard error. Lines above `level` are skipped. */
void wedr_log_init(const char *name, enum wedr_log_level level, wedr_log_sink sink, void *arg);
void wedr_log_emit(struct wedr_log_site *site,
                   enum wedr_log_level level,
                   const char *event,
                   const struct wedr_log_kv *kv);
/* Lines lost: rate limit, too long (cut at 4 KiB counts too), sink failure. */
uint64_t wedr_log_dropped(void);
/* Clock in microseconds UTC; tests may replace it. NULL = the system's. */
void wedr_log_set_clock(int64_t (*now_us)(void));
