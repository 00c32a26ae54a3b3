/* SPDX-License-Identifier: Apache-2.0
 * bench/wire_decode.c — what the decoder costs per record: a mix like that of a busy Linux host,
 * and process_create alone. Prints one JSON object. wire_decode [SECONDS] */
#include "core/base/err.h"
#include "wedr/plat/time.h"
#include "wedr/wire/decode.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORDS 1024
#define RECORD_CAP 1024

static uint8_t mem[RECORDS * RECORD_CAP];
static volatile uint64_t sink;

static void set(struct wedr_record *r, const char *name, const char *text)
{
    (void)wedr_record_set_str(r, name, text, strlen(text), 0);
}

static size_t put(uint8_t *at, uint16_t type, unsigned i)
{
    static const char argv[] = "gcc\0-O2\0-Wall\0-Wextra\0-c\0-o\0build/module.o\0src/module.c";
    struct wedr_record r;

    if (wedr_record_begin(&r, at, RECORD_CAP, type, WEDR_OS_LINUX) != WEDR_OK) {
        return 0;
    }
    (void)wedr_record_set_uint(&r, "pid", 1000 + i);
    (void)wedr_record_set_uint(&r, "process_key", 0x1234567890ull * (i + 1));
    set(&r, "comm", "gcc");
    if (type == WEDR_EV_PROCESS_CREATE) {
        set(&r, "image_path", "/usr/bin/x86_64-linux-gnu-gcc-12");
        set(&r, "parent_image_path", "/usr/bin/make");
        set(&r, "cwd", "/home/user/project/build");
        set(&r, "tty", "pts/3");
        set(&r, "cgroup_name", "session-42.scope");
        (void)wedr_record_set_str(&r, "command_line", argv, sizeof(argv), 0);
    }
    set(&r, "target_path", "/home/user/project/build/module.o");
    return wedr_record_finish(&r, i + 1, i, WEDR_STREAM_CRITICAL, 0);
}

/* Nanoseconds per record over the buffer, decoded again and again for about `seconds`. */
static double measure(size_t len, double seconds)
{
    uint64_t start = wedr_time_mono_ns();
    uint64_t until = start + (uint64_t)(seconds * 1e9);
    uint64_t now = start, count = 0;
    struct wedr_event_view v;

    while (now < until) {
        for (int round = 0; round < 32; round++) {
            struct wedr_span in = wedr_span(mem, len);

            while (in.len > 0 && wedr_event_decode(in, &v) == WEDR_OK) {
                in = wedr_span(in.p + v.rec.len, in.len - v.rec.len);
                sink += v.h.seq;
                count++;
            }
        }
        now = wedr_time_mono_ns();
    }
    return count == 0 ? 0 : (double)(now - start) / (double)count;
}

int main(int argc, char **argv)
{
    /* Of ten: execs with their forks and exits, and file writes. */
    static const uint16_t mix[] = {WEDR_EV_PROCESS_FORK,   WEDR_EV_PROCESS_CREATE,
                                   WEDR_EV_FILE_WRITE,     WEDR_EV_PROCESS_TERMINATE,
                                   WEDR_EV_PROCESS_FORK,   WEDR_EV_PROCESS_CREATE,
                                   WEDR_EV_FILE_WRITE,     WEDR_EV_PROCESS_TERMINATE,
                                   WEDR_EV_PROCESS_CREATE, WEDR_EV_FILE_RENAME};
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 1.0;
    size_t len = 0, bytes;
    double ns, create_ns;

    if (!(seconds > 0 && seconds < 3600)) {
        (void)fprintf(stderr, "usage: wire_decode [SECONDS]\n");
        return 2;
    }
    for (unsigned i = 0; i < RECORDS; i++) {
        len += put(mem + len, mix[i % WEDR_ARRAY_COUNT(mix)], i);
    }
    bytes = len / RECORDS;
    ns = measure(len, seconds);
    len = 0;
    for (unsigned i = 0; i < RECORDS; i++) {
        len += put(mem + len, WEDR_EV_PROCESS_CREATE, i);
    }
    create_ns = measure(len, seconds);
    if (ns <= 0 || create_ns <= 0) {
        (void)fprintf(stderr, "wire_decode: the records were refused\n");
        return 1;
    }
    (void)printf("{\"bench\":\"wire_decode\",\"events_per_second\":%.0f,\"ns_per_event\":%.1f,"
                 "\"bytes_per_event\":%zu,"
                 "\"process_create_ns\":%.1f}\n",
                 1e9 / ns, ns, bytes, create_ns);
    return 0;
}
