/* SPDX-License-Identifier: Apache-2.0 */
#include "query_lines.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/sha256.h"
#include <stdio.h>
#include <string.h>
#include <zstd.h>

#define TAIL "\"source\":\"kernel\",\"kind\":\"%s\",\"event_version\":7,\"seq\":%llu}\n"

void ql_init(struct ql *g, uint64_t total)
{
    memset(g, 0, sizeof(*g));
    g->random = 88172645463325252ull;
    g->total = total;
}

uint32_t ql_random(struct ql *g, uint32_t n)
{
    g->random ^= g->random << 13;
    g->random ^= g->random >> 7;
    g->random ^= g->random << 17;
    return (uint32_t)(g->random >> 20) % n;
}

/* The product makes low numbers frequent, as programs on a real host are. */
static unsigned skewed(struct ql *g, unsigned n)
{
    return (unsigned)((uint64_t)ql_random(g, n) * ql_random(g, n) / n);
}

void ql_agent(unsigned host, char ret[37])
{
    (void)snprintf(ret, 37, "%08x-1111-4111-8111-111111111111", host);
}

uint32_t ql_parent(uint32_t n)
{
    return n * 3 / 4;
}

void ql_sha256(unsigned program, char ret[65])
{
    unsigned long long h = program * 0x9E3779B97F4A7C15ull + 0x1234567ull;
    for (unsigned i = 0; i < 4; i++) {
        h = (h ^ h >> 31) * 0xBF58476D1CE4E5B9ull;
        (void)snprintf(ret + (size_t)16 * i, 17, "%016llx", h);
    }
}

static unsigned program_of(uint32_t process)
{
    return (unsigned)((uint64_t)(process * 2654435761u % QL_PROGRAMS) * (process % 97) / 97);
}

static void add_create(struct ql *g, struct wedr_buf *b, struct ql_host *h, const char *ts)
{
    uint32_t n = h->processes++, pid = 1000 + n, parent = ql_parent(n);
    unsigned p = program_of(n);
    char sha[65];
    ql_sha256(p, sha);
    wedr_buf_addf(
        b,
        "{\"ts\":\"%s\",\"module\":\"kernel_callback\",\"event_type\":\"process_create\","
        "\"process\":{\"pid\":%u,\"ppid\":%u,\"key\":\"%016x\",\"parent_key\":\"%016x\",\"name\":"
        "\"tool%u\",\"path\":\"/usr/lib/tools/%u/bin/tool%u\",\"command_line\":\"tool%u --job %u "
        "--token %08x\",\"uid\":%u,\"user\":\"user%u\"},\"raw\":{\"argv\":[\"tool%u\",\"--job\","
        "\"%u\"],\"argv_size\":20,\"cap_bounding\":2199023255551,\"cap_effective\":0,"
        "\"cap_permitted\":0,\"cgroup_id\":77,\"comm\":\"tool%u\",\"command_line\":\"tool%u --job "
        "%u\",\"container_id\":\"c0ffee\",\"creating_pid\":%u,\"egid\":1000,\"euid\":1000,"
        "\"exe_dev\":8388609,\"exe_inode\":5,\"exe_mode\":33261,\"exe_nlink\":1,\"exe_size\":12345,"
        "\"exe_uid\":0,\"fsgid\":1000,\"fsuid\":1000,\"gid\":1000,\"image_path\":\"/usr/lib/tools/"
        "%u/bin/tool%u\",\"login_uid\":4294967295,\"ns_cgroup\":1,\"ns_ipc\":2,\"ns_mnt\":3,"
        "\"ns_net\":4,\"ns_pid\":5,\"ns_pid_nr\":%u,\"ns_user\":6,\"ns_uts\":7,\"parent_key\":\"%"
        "016x\",\"parent_pid\":%u,\"pgid\":%u,\"pid\":%u,\"process_key\":\"%016x\",\"sgid\":1000,"
        "\"sha256\":\"%s\",\"sid\":1,\"suid\":1000,\"uid\":%u,\"user\":\"user%u\"}," TAIL,
        ts, pid, 1000 + parent, n + 1, parent + 1, p, p % 50, p, p, n % 1000,
        ql_random(g, 0xffffffffu), p % 9, p % 9, p, n % 1000, p, p, n % 1000, pid, p % 50, p, pid,
        parent + 1, 1000 + parent, pid, pid, n + 1, sha, p % 9, p % 9, "ProcessCreate",
        (unsigned long long)h->seq);
}

static void add_other(struct ql *g, struct wedr_buf *b, struct ql_host *h, const char *ts)
{
    uint32_t back = skewed(g, h->processes), n = h->processes - 1 - back, pid = 1000 + n;
    unsigned kind = ql_random(g, 10), uid = program_of(n) % 9;
    wedr_buf_addf(b, "{\"ts\":\"%s\",\"module\":\"kernel_callback\",\"event_type\":\"%s\",", ts,
                  kind < 5   ? "file_write"
                  : kind < 8 ? "network_connect"
                             : "dns_query");
    wedr_buf_addf(b, "\"process\":{\"pid\":%u,\"key\":\"%016x\",\"uid\":%u},\"raw\":{", pid, n + 1,
                  uid);
    if (kind < 5) {
        wedr_buf_addf(b,
                      "\"dev\":8388609,\"inode\":%u,\"op\":\"Write\",\"op_code\":1,\"open_flags\":"
                      "577,\"pid\":%u,\"process_key\":\"%016x\",\"target_path\":\"/srv/data/%u/"
                      "file-%u.tmp\",\"uid\":%u}," TAIL,
                      pid * 3, pid, n + 1, skewed(g, 300), ql_random(g, 1000000), uid, "FileWrite",
                      (unsigned long long)h->seq);
    } else if (kind < 8) {
        unsigned a = skewed(g, 60000);
        wedr_buf_addf(b,
                      "\"dst_ip\":\"10.%u.%u.%u\",\"dst_port\":%u,\"pid\":%u,\"protocol\":\"tcp\","
                      "\"protocol_code\":6,\"uid\":%u}," TAIL,
                      a % 7, a / 256, a % 256, a % 5 == 0 ? 22 : 443, pid, uid, "NetworkConnect",
                      (unsigned long long)h->seq);
    } else {
        unsigned d = skewed(g, 50000);
        wedr_buf_addf(
            b,
            "\"pid\":%u,\"process_key\":\"%016x\",\"query_name\":\"host%u.zone%u.example\""
            ",\"query_type\":1,\"uid\":%u}," TAIL,
            pid, n + 1, d, d % 211, uid, "DnsQuery", (unsigned long long)h->seq);
    }
}

static void add_line(struct ql *g, struct wedr_buf *b, struct ql_host *h, int64_t us)
{
    char ts[64];
    unsigned s = (unsigned)(us / 1000000 % 86400);
    (void)snprintf(ts, sizeof(ts), "2026-11-%02uT%02u:%02u:%02u.%06uZ",
                   24 + (unsigned)(us / 86400000000ll), s / 3600, s / 60 % 60, s % 60,
                   (unsigned)(us % 1000000));
    h->seq++;
    if (h->processes == 0 || ql_random(g, 20) == 0) {
        add_create(g, b, h, ts);
    } else {
        add_other(g, b, h, ts);
    }
}

int ql_batch(struct ql *g,
             uint32_t lines,
             struct wedr_buf *raw,
             char agent[37],
             char hostname[32],
             struct wedr_ingest_batch *in)
{
    unsigned k = (unsigned)(g->made / lines % QL_HOSTS);
    struct ql_host *h = &g->host[k];
    int64_t span = (int64_t)((double)QL_SPAN_US * lines * QL_HOSTS / (double)g->total);
    int64_t from = (int64_t)((double)QL_SPAN_US * (double)(g->made / lines / QL_HOSTS) * lines *
                             QL_HOSTS / (double)g->total);
    wedr_buf_truncate(raw, 0);
    memset(in, 0, sizeof(*in));
    in->id.first_seq = h->seq + 1;
    for (uint32_t i = 0; i < lines; i++) {
        int64_t us = from + span * i / lines;
        add_line(g, raw, h, us < QL_SPAN_US ? us : QL_SPAN_US - 1);
    }
    g->made += lines;
    size_t bound = ZSTD_compressBound(raw->len);
    uint8_t *z = wedr_alloc(bound, 1);
    if (z == NULL || raw->overflow) {
        wedr_free(z);
        return WEDR_E_NOMEM;
    }
    ql_agent(k, agent);
    (void)snprintf(hostname, 32, "host-%u", k);
    in->agent_id = agent;
    in->hostname = hostname;
    in->z = z;
    in->z_len = ZSTD_compress(z, bound, raw->p, raw->len, 1);
    in->received_us = QL_T0 + from + span;
    memcpy(in->id.stream, "kernel.bulk", 12);
    in->id.epoch = 1;
    in->id.last_seq = in->id.produced = h->seq;
    in->id.count = lines;
    wedr_sha256(in->z, in->z_len, in->id.sha256);
    return WEDR_OK;
}
