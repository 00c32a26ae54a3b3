/* SPDX-License-Identifier: Apache-2.0 */
#include "batch_builder.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/sha256.h"
#include "ingest/line_schema.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <zstd.h>

void tb_init(struct tb *b, const char *stream)
{
    memset(b, 0, sizeof(*b));
    wedr_buf_init(&b->raw, 64u * 1024u * 1024u);
    b->agent = TB_AGENT;
    b->hostname = "host-a";
    b->received_us = TB_T0 + 1000000;
    b->id.epoch = TB_EPOCH;
    for (unsigned i = 0; i < sizeof(b->id.boot_id); i++) {
        b->id.boot_id[i] = (uint8_t)(0xA0u + i);
    }
    (void)snprintf(b->id.stream, sizeof(b->id.stream), "%s", stream);
}

void tb_fini(struct tb *b)
{
    wedr_buf_fini(&b->raw);
    wedr_free(b->z);
    b->z = NULL;
}

static void note(struct tb *b, uint64_t seq)
{
    if (b->id.count++ == 0) {
        b->id.first_seq = seq;
    }
    b->id.last_seq = seq;
}

void tb_line(struct tb *b, uint64_t seq, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    size_t n = (size_t)vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    uint8_t *at = wedr_buf_reserve(&b->raw, n + 1);
    if (at) {
        (void)vsnprintf((char *)at, n + 1, fmt, ap);
        wedr_buf_commit(&b->raw, n);
    }
    va_end(ap);
    wedr_buf_adds(&b->raw, "\n");
    note(b, seq);
}

const char *tb_time(int64_t us)
{
    static char text[4][40];
    static unsigned turn;
    char *t = text[turn++ % 4];
    int y;
    unsigned m, d;
    int64_t s = us / 1000000;
    wedr_civil_from_days(s / 86400, &y, &m, &d);
    (void)snprintf(t, 40, "%04d-%02u-%02uT%02d:%02d:%02d.%06dZ", y, m, d, (int)(s % 86400 / 3600),
                   (int)(s % 3600 / 60), (int)(s % 60), (int)(us % 1000000));
    return t;
}

void tb_create(struct tb *b,
               uint64_t seq,
               int64_t ts_us,
               uint32_t pid,
               uint32_t ppid,
               const char *path,
               const char *argument)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    tb_line(
        b, seq,
        "{\"ts\":\"%s\",\"module\":\"kernel_callback\",\"event_type\":\"process_create\","
        "\"process\":{\"pid\":%u,"
        "\"ppid\":%u,\"key\":\"%016x\",\"parent_key\":\"%016x\",\"name\":\"%s\",\"path\":\"%s\","
        "\"command_line\":\"%s "
        "%s\",\"uid\":1000,\"user\":\"alice\"},\"raw\":{\"argv\":[\"%s\",\"%s\"],\"argv_size\":20,"
        "\"cap_bounding\":2199023255551,\"cap_effective\":0,\"cap_permitted\":0,\"cgroup_id\":77,"
        "\"comm\":\"%s\","
        "\"command_line\":\"%s "
        "%s\",\"container_id\":\"c0ffee\",\"creating_pid\":%u,\"egid\":1000,\"euid\":1000,"
        "\"exe_dev\":8388609,\"exe_inode\":5,\"exe_mode\":33261,\"exe_nlink\":1,\"exe_size\":12345,"
        "\"exe_uid\":0,"
        "\"fsgid\":1000,\"fsuid\":1000,\"gid\":1000,\"image_path\":\"%s\",\"login_uid\":4294967295,"
        "\"ns_cgroup\":1,"
        "\"ns_ipc\":2,\"ns_mnt\":3,\"ns_net\":4,\"ns_pid\":5,\"ns_pid_nr\":%u,\"ns_user\":6,\"ns_"
        "uts\":7,"
        "\"parent_key\":\"%016x\",\"parent_pid\":%u,\"pgid\":%u,\"pid\":%u,\"process_key\":\"%"
        "016x\",\"sgid\":1000,"
        "\"sha256\":\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\",\"sid\":1,"
        "\"suid\":1000,"
        "\"uid\":1000,\"user\":\"alice\"},\"source\":\"kernel\",\"kind\":\"ProcessCreate\",\"event_"
        "version\":7,\"seq\":%llu}",
        tb_time(ts_us), pid, ppid, pid, ppid, name, path, name, argument, name, argument, name,
        name, argument, pid, path, pid, ppid, ppid, pid, pid, pid, (unsigned long long)seq);
}

void tb_fork(struct tb *b, uint64_t seq, int64_t ts_us, uint32_t pid, uint32_t ppid)
{
    tb_line(b, seq,
            "{\"ts\":\"%s\",\"module\":\"kernel_callback\",\"event_type\":\"process_fork\","
            "\"process\":{\"pid\":%u,"
            "\"ppid\":%u,\"key\":\"%016x\",\"parent_key\":\"%016x\",\"name\":\"sh\",\"uid\":0},"
            "\"raw\":{\"comm\":\"sh\","
            "\"creating_pid\":%u,\"parent_key\":\"%016x\",\"parent_pid\":%u,\"pid\":%u,\"process_"
            "key\":\"%016x\","
            "\"uid\":0},\"source\":\"kernel\",\"kind\":\"ProcessFork\",\"event_version\":7,\"seq\":"
            "%llu}",
            tb_time(ts_us), pid, ppid, pid, ppid, ppid, ppid, ppid, pid, pid,
            (unsigned long long)seq);
}

void tb_connect(
    struct tb *b, uint64_t seq, int64_t ts_us, uint32_t pid, const char *ip, unsigned port)
{
    tb_line(b, seq,
            "{\"ts\":\"%s\",\"module\":\"kernel_callback\",\"event_type\":\"network_connect\","
            "\"process\":{\"pid\":%u,"
            "\"uid\":0},\"raw\":{\"dst_ip\":\"%s\",\"dst_port\":%u,\"pid\":%u,\"protocol\":\"tcp\","
            "\"protocol_code\":6,"
            "\"uid\":0},\"source\":\"kernel\",\"kind\":\"NetworkConnect\",\"event_version\":7,"
            "\"seq\":%llu}",
            tb_time(ts_us), pid, ip, port, pid, (unsigned long long)seq);
}

static void agent_line(
    struct tb *b, uint64_t seq, int64_t ts_us, const char *type, const char *kind, const char *raw)
{
    tb_line(b, seq,
            "{\"ts\":\"%s\",\"module\":\"agent\",\"event_type\":\"%s\",\"raw\":{%s},\"source\":"
            "\"agent\",\"kind\":\"%s\","
            "\"event_version\":7,\"seq\":%llu}",
            tb_time(ts_us), type, raw, kind, (unsigned long long)seq);
}

void tb_epoch_start(struct tb *b, uint64_t seq, int64_t ts_us, uint64_t epoch, const char *stream)
{
    char raw[512], boot[40];
    wedr_hex(b->id.boot_id, sizeof(b->id.boot_id), boot);
    (void)snprintf(raw, sizeof(raw),
                   "\"boot_id_hex\":\"%s\",\"epoch\":\"%016llx\",\"stream\":\"%s\",\"utc\":\"%s\"",
                   boot, (unsigned long long)epoch, stream, tb_time(ts_us));
    agent_line(b, seq, ts_us, "epoch_start", "EpochStart", raw);
}

void tb_epoch_end(struct tb *b,
                  uint64_t seq,
                  int64_t ts_us,
                  uint64_t epoch,
                  const char *stream,
                  uint64_t produced)
{
    char raw[512];
    (void)snprintf(
        raw, sizeof(raw),
        "\"epoch\":\"%016llx\",\"produced\":%llu,\"reason\":\"stopped\",\"stream\":\"%s\"",
        (unsigned long long)epoch, (unsigned long long)produced, stream);
    agent_line(b, seq, ts_us, "epoch_end", "EpochEnd", raw);
}

void tb_loss(struct tb *b,
             uint64_t seq,
             int64_t ts_us,
             uint64_t epoch,
             const char *stream,
             const char *reason,
             uint64_t lost,
             const char *ranges)
{
    char raw[4096];
    (void)snprintf(raw, sizeof(raw),
                   "\"epoch\":\"%016llx\",\"lost\":%llu%s%s%s,\"reason\":\"%s\",\"stream\":\"%s\"",
                   (unsigned long long)epoch, (unsigned long long)lost,
                   ranges == NULL ? "" : ",\"ranges\":\"", ranges == NULL ? "" : ranges,
                   ranges == NULL ? "" : "\"", reason, stream);
    agent_line(b, seq, ts_us, "telemetry_loss", "TelemetryLoss", raw);
}

void tb_gap(struct tb *b,
            uint64_t seq,
            int64_t ts_us,
            const char *stream,
            int64_t from_us,
            int64_t to_us,
            const char *reason)
{
    char raw[512];
    (void)snprintf(raw, sizeof(raw),
                   "\"from\":\"%s\",\"reason\":\"%s\",\"stream\":\"%s\",\"to\":\"%s\"",
                   tb_time(from_us), reason, stream, tb_time(to_us));
    agent_line(b, seq, ts_us, "coverage_gap", "CoverageGap", raw);
}

void tb_forks(struct tb *b, uint64_t first_seq, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        tb_fork(b, first_seq + i, TB_T0 + (int64_t)(first_seq + i) * 1000000, 1000u + i,
                1u + i % 7u);
    }
}

void tb_seal(struct tb *b)
{
    size_t bound = ZSTD_compressBound(b->raw.len);
    b->z = wedr_alloc(bound, 1);
    b->z_len = ZSTD_compress(b->z, bound, b->raw.p, b->raw.len, 1);
    if (b->id.produced == 0) {
        b->id.produced = b->id.last_seq;
    }
    wedr_sha256(b->z, b->z_len, b->id.sha256);
}

int tb_prepare(struct tb *b, struct wedr_prepared **ret)
{
    if (b->z == NULL) {
        tb_seal(b);
    }
    struct wedr_ingest_batch in = {b->agent, b->hostname, b->id, b->z, b->z_len, b->received_us};
    struct wedr_errinfo ei;
    return wedr_ingest_prepare(&in, ret, &ei);
}
