/* SPDX-License-Identifier: Apache-2.0 */
#include "records.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

uint64_t rec_key(uint32_t pid)
{
    return wedr_linux_process_key((uint64_t)pid * 1000000, pid);
}

static struct wedr_record begin(uint8_t *mem, uint16_t type)
{
    struct wedr_record r;
    assert_int_equal(wedr_record_begin(&r, mem, WEDR_RECORD_MAX, type, WEDR_OS_LINUX), 0);
    return r;
}

static void set(struct wedr_record *r, const char *name, uint64_t v)
{
    assert_int_equal(wedr_record_set_uint(r, name, v), 0);
}

static void text(struct wedr_record *r, const char *name, const char *s, size_t len)
{
    assert_int_equal(wedr_record_set_str(r, name, s, len, 0), 0);
}

static struct wedr_event_view
finish(struct wedr_record *r, uint64_t seq, uint64_t boot_ms, uint8_t stream)
{
    struct wedr_event_view v;
    size_t n = wedr_record_finish(r, seq, (int64_t)(boot_ms * 1000000), stream, 0);
    assert_int_equal(wedr_event_decode(wedr_span(r->p, n), &v), 0);
    return v;
}

struct wedr_event_view rec_exec(uint8_t *mem,
                                uint64_t seq,
                                uint64_t boot_ms,
                                uint32_t pid,
                                uint32_t parent,
                                const char *image,
                                const char *argv,
                                size_t argv_len)
{
    struct wedr_record r = begin(mem, WEDR_EV_PROCESS_CREATE);
    set(&r, "pid", pid);
    set(&r, "parent_pid", parent);
    set(&r, "process_key", rec_key(pid));
    set(&r, "parent_key", rec_key(parent));
    set(&r, "uid", 1000);
    text(&r, "image_path", image, strlen(image));
    text(&r, "command_line", argv, argv_len);
    text(&r, "comm", "x", 1);
    return finish(&r, seq, boot_ms, WEDR_STREAM_CRITICAL);
}

struct wedr_event_view
rec_fork(uint8_t *mem, uint64_t seq, uint64_t boot_ms, uint32_t pid, uint32_t parent)
{
    struct wedr_record r = begin(mem, WEDR_EV_PROCESS_FORK);
    set(&r, "pid", pid);
    set(&r, "parent_pid", parent);
    set(&r, "process_key", rec_key(pid));
    set(&r, "parent_key", rec_key(parent));
    set(&r, "uid", 1000);
    text(&r, "comm", "x", 1);
    return finish(&r, seq, boot_ms, WEDR_STREAM_CRITICAL);
}

struct wedr_event_view rec_exit(uint8_t *mem, uint64_t seq, uint64_t boot_ms, uint32_t pid)
{
    struct wedr_record r = begin(mem, WEDR_EV_PROCESS_TERMINATE);
    set(&r, "pid", pid);
    set(&r, "process_key", rec_key(pid));
    text(&r, "comm", "x", 1);
    return finish(&r, seq, boot_ms, WEDR_STREAM_CRITICAL);
}

struct wedr_event_view rec_gap(uint8_t *mem, uint64_t seq, uint64_t boot_ms, const char *stream)
{
    struct wedr_record r = begin(mem, WEDR_EV_COVERAGE_GAP);
    text(&r, "stream", stream, strlen(stream));
    set(&r, "from", 1000);
    set(&r, "to", 2000);
    set(&r, "reason", WEDR_GAP_REASON_SENSOR_FAILED);
    return finish(&r, seq, boot_ms, WEDR_STREAM_AGENT);
}
