/* SPDX-License-Identifier: Apache-2.0 */
#include "load_body.h"
#include "core/util/alloc.h"
#include "core/util/json.h"
#include "core/util/sha256.h"
#include "wedr/wire/schema.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#define LINE_CAP 8192u

void bench_die(const char *what, const char *why)
{
    (void)fprintf(stderr, "bench: %s: %s\n", what, why);
    exit(1);
}

static void put_value(struct wedr_json *j, const struct wedr_field_info *f, uint64_t seq)
{
    char text[96];
    switch (f->kind) {
    case WEDR_KIND_STR:
    case WEDR_KIND_ARGV: {
        int n = strcmp(f->name, "comm") == 0
                    ? snprintf(text, sizeof(text), "tool%" PRIu64, seq % 37)
                    : snprintf(text, sizeof(text),
                               "/usr/bin/tool%" PRIu64 " --job %" PRIx64 " --in /srv/data/%" PRIu64,
                               seq % 37, seq * 2654435761u, seq % 50021);
        wedr_json_str(j, text, (size_t)n);
        return;
    }
    case WEDR_KIND_KEY:
        wedr_json_hex64(j, seq * 0x9e3779b97f4a7c15u | 1);
        return;
    case WEDR_KIND_BOOL:
        wedr_json_bool(j, false);
        return;
    case WEDR_KIND_U8:
        wedr_json_u64(j, seq & 0x7f);
        return;
    default:
        wedr_json_u64(j, f->kind == WEDR_KIND_U32 && f->name[0] == 'p' ? 1000 + seq % 30000
                                                                       : f->offset_linux & 0xfffu);
        return;
    }
}

/* One line with every required field of the type, as the agent writes it. */
static size_t put_line(char *mem, const struct wedr_type_info *t, uint64_t seq)
{
    struct wedr_json j;
    wedr_json_init(&j, mem, LINE_CAP);
    wedr_json_obj_begin(&j);
    wedr_json_key(&j, "ts");
    wedr_json_time_us(&j, 1800000000000000 + (int64_t)seq * 37);
    wedr_json_key(&j, "module");
    wedr_json_str(&j, t->module, strlen(t->module));
    wedr_json_key(&j, "event_type");
    wedr_json_str(&j, t->event_type, strlen(t->event_type));
    for (int process = 1; process >= 0; process--) {
        wedr_json_key(&j, process ? "process" : "raw");
        wedr_json_obj_begin(&j);
        for (size_t i = 0; i < t->field_count; i++) {
            const struct wedr_field_info *f = &t->fields[i];
            const char *key = process ? f->process_key : f->name;
            bool wanted = f->required || strcmp(f->name, "command_line") == 0;
            if (wanted && !f->derived && (f->os_mask & WEDR_OSM_LINUX) && key[0]) {
                wedr_json_key(&j, key);
                put_value(&j, f, seq);
            }
        }
        wedr_json_obj_end(&j);
    }
    wedr_json_key(&j, "source");
    wedr_json_str(&j, "kernel", 6);
    wedr_json_key(&j, "kind");
    wedr_json_str(&j, t->kind, strlen(t->kind));
    wedr_json_key(&j, "event_version");
    wedr_json_u64(&j, WEDR_WIRE_VERSION);
    wedr_json_key(&j, "seq");
    wedr_json_u64(&j, seq);
    wedr_json_obj_end(&j);
    size_t n = wedr_json_len(&j);
    if (j.overflow || n == LINE_CAP) {
        bench_die("line", "too long");
    }
    mem[n] = '\n';
    return n + 1;
}

void load_body_make(struct load_body *ret, uint64_t first_seq, uint32_t events)
{
    char *raw = wedr_alloc(events, LINE_CAP);
    const struct wedr_type_info *types[2] = {wedr_type_by_name("process_create", 14),
                                             wedr_type_by_name("process_terminate", 17)};
    if (!raw || !types[0] || !types[1]) {
        bench_die("batches", "out of memory");
    }
    size_t n = 0;
    for (uint32_t k = 0; k < events; k++) {
        n += put_line(raw + n, types[k % 2], first_seq + k);
    }
    size_t cap = ZSTD_compressBound(n);
    void *z = wedr_alloc(cap, 1);
    size_t z_len = z ? ZSTD_compress(z, cap, raw, n, 3) : 0;
    if (z_len == 0 || ZSTD_isError(z_len)) {
        bench_die("batches", "cannot compress");
    }
    *ret = (struct load_body){
        .first_seq = first_seq, .count = events, .z = z, .z_len = z_len, .raw_len = n};
    wedr_sha256(z, z_len, ret->sha256);
    wedr_free(raw);
}
