/* SPDX-License-Identifier: Apache-2.0 */
#include "store_lines.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/sha256.h"
#include "wedr/plat/fs.h"
#include <stdio.h>
#include <string.h>
#include <zstd.h>

static uint64_t g_rng = 88172645463325252ull;

static uint64_t rnd(void)
{
    g_rng ^= g_rng << 13;
    g_rng ^= g_rng >> 7;
    return g_rng ^= g_rng << 17;
}

/* Squaring makes low numbers frequent, as programs on a real host are. */
static unsigned skewed(unsigned n)
{
    uint64_t a = rnd() % n, b = rnd() % n;
    return (unsigned)(a * b / n);
}

static void add_line(struct wedr_buf *b, uint64_t seq)
{
    unsigned p = skewed(400), pid = 1000u + (unsigned)(rnd() % 60000u), ppid = 1u + skewed(5000);
    uint64_t us = seq * 1300 + rnd() % 1000;
    char ts[64];
    (void)snprintf(ts, sizeof(ts), "2026-11-24T%02u:%02u:%02u.%06uZ",
                   (unsigned)(us / 3600000000u % 24), (unsigned)(us / 60000000u % 60),
                   (unsigned)(us / 1000000u % 60), (unsigned)(us % 1000000u));
    if (seq % 3 == 0) {
        wedr_buf_addf(b,
                      "{\"ts\":\"%s\",\"module\":\"kernel_callback\",\"event_type\":\"file_write\","
                      "\"process\":{\"pid\":%u,"
                      "\"key\":\"%016x\",\"uid\":%u},\"raw\":{\"dev\":8388609,\"inode\":%u,\"op\":"
                      "\"Write\",\"op_code\":1,"
                      "\"open_flags\":577,\"pid\":%u,\"process_key\":\"%016x\",\"target_path\":\"/"
                      "srv/data/%u/file-%u.tmp\","
                      "\"uid\":%u},\"source\":\"kernel\",\"kind\":\"FileWrite\",\"event_version\":"
                      "7,\"seq\":%llu}\n",
                      ts, pid, pid, p % 9, pid * 3, pid, pid, p, (unsigned)(rnd() % 100000u), p % 9,
                      (unsigned long long)seq);
        return;
    }
    wedr_buf_addf(
        b,
        "{\"ts\":\"%s\",\"module\":\"kernel_callback\",\"event_type\":\"process_fork\",\"process\":"
        "{\"pid\":%u,"
        "\"ppid\":%u,\"key\":\"%016x\",\"parent_key\":\"%016x\",\"name\":\"program%u\",\"path\":"
        "\"/usr/lib/packages/program%u/bin/program%u\",\"uid\":%u},\"raw\":{\"comm\":\"program%u\","
        "\"creating_pid\":%u,\"parent_key\":\"%016x\",\"parent_pid\":%u,\"pid\":%u,\"process_key\":"
        "\"%016x\","
        "\"uid\":%u},\"source\":\"kernel\",\"kind\":\"ProcessFork\",\"event_version\":7,\"seq\":%"
        "llu}\n",
        ts, pid, ppid, pid, ppid, p, p, p, p % 9, p, ppid, ppid, ppid, pid, pid, p % 9,
        (unsigned long long)seq);
}

int wedr_bench_batch(struct wedr_ingest_batch *in,
                     struct wedr_buf *raw,
                     char agent[37],
                     uint64_t first,
                     uint32_t lines,
                     unsigned k)
{
    wedr_buf_truncate(raw, 0);
    for (uint64_t i = 0; i < lines; i++) {
        add_line(raw, first + i);
    }
    size_t bound = ZSTD_compressBound(raw->len);
    uint8_t *z = wedr_alloc(bound, 1);
    if (z == NULL || raw->overflow) {
        wedr_free(z);
        return WEDR_E_NOMEM;
    }
    (void)snprintf(agent, 37, "%08x-1111-4111-8111-111111111111", k);
    memset(in, 0, sizeof(*in));
    in->agent_id = agent;
    in->hostname = "bench";
    in->z = z;
    in->z_len = ZSTD_compress(z, bound, raw->p, raw->len, 1);
    in->received_us = WEDR_BENCH_T0 + (int64_t)first;
    memcpy(in->id.stream, "kernel.bulk", 12);
    in->id.epoch = 1;
    in->id.first_seq = first;
    in->id.last_seq = in->id.produced = first + lines - 1;
    in->id.count = lines;
    wedr_sha256(in->z, in->z_len, in->id.sha256);
    return WEDR_OK;
}

static int remove_one(void *arg, const char *name)
{
    return wedr_fs_unlink_at(*(wedr_handle *)arg, name);
}

void wedr_bench_clean(const char *dir)
{
    char path[300];
    wedr_handle h = WEDR_HANDLE_NONE;
    (void)snprintf(path, sizeof(path), "%s/events", dir);
    if (wedr_fs_open_dir(path, &h) == WEDR_OK) {
        if (wedr_fs_list(h, remove_one, &h) != WEDR_OK) {
            fprintf(stderr, "bench: %s is left behind\n", path);
        }
        wedr_fs_close(h);
    }
    (void)remove(path);
    (void)remove(dir);
}
