/* SPDX-License-Identifier: Apache-2.0 */
#include "query_lines.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/sha256.h"
#include <stdio.h>
#include <string.h>
#include <zstd.h>

#define TAIL "\"source\":\"kernel\",\"kind\":\"%s\",\"event_version\":7,\"seq\":%llu}\n"
#define BUSY 4u                            /* every fourth batch is host 0's */
#define PERIOD ((QL_HOSTS - 1) * BUSY / 3) /* batches between two of another host */
#define OLDEST 20u

static uint64_t mix(uint64_t v)
{
    v = (v ^ v >> 31) * 0xBF58476D1CE4E5B9ull;
    v = (v ^ v >> 29) * 0x94D049BB133111EBull;
    return v ^ v >> 32;
}

/* The draws of one line. */
struct draw {
    uint64_t state;
};

static uint32_t draw(struct draw *d, uint32_t n)
{
    d->state += 0x9E3779B97F4A7C15ull;
    return (uint32_t)((mix(d->state) >> 32) * n >> 32);
}

/* Low numbers are frequent: the fourth power of an even draw. */
static uint32_t skewed(struct draw *d, uint32_t n)
{
    double u = (double)draw(d, UINT32_MAX) / (double)UINT32_MAX;
    return (uint32_t)(u * u * u * u * (n - 1) + 0.5);
}

void ql_init(struct ql *g, uint64_t events)
{
    *g = (struct ql){.random = 88172645463325252ull, .total = events / QL_LINES};
}

uint32_t ql_random(struct ql *g, uint32_t n)
{
    return (uint32_t)((mix(g->random += 0x9E3779B97F4A7C15ull) >> 32) * n >> 32);
}

static unsigned host_of(uint64_t batch)
{
    return batch % BUSY == 0 ? 0 : 1 + (unsigned)((batch - batch / BUSY - 1) % (QL_HOSTS - 1));
}

/* How many batches of its host came before this one. */
static uint64_t turn_of(uint64_t batch)
{
    return batch % BUSY == 0 ? batch / BUSY : (batch - batch / BUSY - 1) / (QL_HOSTS - 1);
}

unsigned ql_random_host(struct ql *g)
{
    return host_of(ql_random(g, (uint32_t)g->total));
}

void ql_agent(unsigned host, char ret[37])
{
    (void)snprintf(ret, 37, "%08x-1111-4111-8111-111111111111", host);
}

uint32_t ql_processes(const struct ql *g, unsigned host)
{
    uint64_t busy = (g->total + BUSY - 1) / BUSY, others = g->total - busy;
    uint64_t batches =
        host == 0 ? busy : others / (QL_HOSTS - 1) + (host - 1 < others % (QL_HOSTS - 1) ? 1 : 0);
    return (uint32_t)(batches * QL_LINES / QL_EACH);
}

void ql_key(unsigned host, uint32_t n, char ret[17])
{
    (void)snprintf(ret, 17, "%016llx",
                   (unsigned long long)mix(((uint64_t)host << 40) + n + 0x51ED270B5ull));
}

uint32_t ql_parent(unsigned host, uint32_t n)
{
    struct draw d = {((uint64_t)host << 40) + n * 3ull + 1};
    uint32_t back = draw(&d, 10) == 0 ? 0 : 1 + draw(&d, 30);
    return n < OLDEST ? 0 : back == 0 || back > n ? draw(&d, OLDEST) : n - back;
}

void ql_sha256(unsigned program, char ret[65])
{
    for (unsigned i = 0; i < 4; i++) {
        (void)snprintf(ret + (size_t)16 * i, 17, "%016llx",
                       (unsigned long long)mix(program * 4ull + i + 0x1234567ull));
    }
}

void ql_name(unsigned n, char ret[QL_TEXT])
{
    (void)snprintf(ret, QL_TEXT, "host%u.zone%u.example", n, n % 211);
}

static void put_head(struct wedr_buf *b, const char *ts, const char *type)
{
    wedr_buf_addf(b, "{\"ts\":\"%s\",\"module\":\"kernel_callback\",\"event_type\":\"%s\",", ts,
                  type);
}

static void put_create(struct wedr_buf *b, unsigned host, uint64_t line, const char *ts)
{
    uint32_t n = (uint32_t)(line / QL_EACH), parent = ql_parent(host, n);
    struct draw d = {((uint64_t)host << 40) + line};
    unsigned p = skewed(&d, QL_PROGRAMS), uid = draw(&d, 9), pid = 1000 + n % 60000;
    unsigned job = skewed(&d, 100000), token = draw(&d, UINT32_MAX);
    unsigned ppid = 1000 + parent % 60000;
    char sha[65], key[17], parent_key[17], dir[QL_TEXT];
    ql_sha256(p, sha);
    ql_key(host, n, key);
    ql_key(host, parent, parent_key);
    (void)snprintf(dir, sizeof(dir), "/usr/lib/package%u/bin", p % 700);
    put_head(b, ts, "process_create");
    wedr_buf_addf(b,
                  "\"process\":{\"pid\":%u,\"ppid\":%u,\"key\":\"%s\",\"parent_key\":\"%s\","
                  "\"name\":\"tool%u\",\"path\":\"%s/tool%u\",\"command_line\":\"tool%u --job %u "
                  "--token %08x\",\"uid\":%u,\"user\":\"user%u\"},",
                  pid, ppid, key, parent_key, p, dir, p, p, job, token, uid, uid);
    wedr_buf_addf(
        b,
        "\"raw\":{\"argv\":[\"tool%u\",\"--job\",\"%u\",\"--token\",\"%08x\"],\"argv_size\":%u,"
        "\"cap_bounding\":2199023255551,\"cap_effective\":0,\"cap_permitted\":0,\"cgroup_id\":%u,"
        "\"comm\":\"tool%u\",\"command_line\":\"tool%u --job %u --token %08x\",\"container_id\":"
        "\"%016llx\",\"creating_pid\":%u,\"egid\":1000,\"euid\":1000,\"exe_dev\":8388609,"
        "\"exe_inode\":%u,\"exe_mode\":33261,\"exe_nlink\":1,\"exe_size\":%u,\"exe_uid\":0,"
        "\"fsgid\":1000,\"fsuid\":1000,\"gid\":1000,\"image_path\":\"%s/tool%u\",\"login_uid\":"
        "4294967295,",
        p, job, token, 20 + p % 9, 4242 + host, p, p, job, token,
        (unsigned long long)mix(host * 64ull + n % 40), pid, p * 7 + host, 12345 + p * 13, dir, p);
    wedr_buf_addf(
        b,
        "\"ns_cgroup\":1,\"ns_ipc\":2,\"ns_mnt\":3,\"ns_net\":4,\"ns_pid\":5,\"ns_pid_nr\":%u,"
        "\"ns_user\":6,\"ns_uts\":7,\"parent_key\":\"%s\",\"parent_pid\":%u,\"pgid\":%u,\"pid\":%u,"
        "\"process_key\":\"%s\",\"sgid\":1000,\"sha256\":\"%s\",\"sid\":1,\"suid\":1000,\"uid\":%u,"
        "\"user\":\"user%u\"}," TAIL,
        pid, parent_key, ppid, pid, pid, key, sha, uid, uid, "ProcessCreate",
        (unsigned long long)line + 1);
}

static void put_path(struct draw *d, char ret[QL_TEXT])
{
    switch (draw(d, 4)) {
    case 0:
        (void)snprintf(ret, QL_TEXT, "/var/log/service%u/current.log", skewed(d, 400));
        break;
    case 1:
        (void)snprintf(ret, QL_TEXT, "/home/user%u/.cache/%02x/%08x", draw(d, 9), draw(d, 256),
                       draw(d, UINT32_MAX));
        break;
    default:
        (void)snprintf(ret, QL_TEXT, "/srv/data/%u/file-%06u.tmp", skewed(d, 3000),
                       draw(d, 1000000));
    }
}

static void put_connect(struct wedr_buf *b, struct draw *d, unsigned pid, const char *key)
{
    unsigned a = skewed(d, 400000), port = draw(d, 25);
    wedr_buf_addf(b,
                  "\"dst_ip\":\"%u.%u.%u.%u\",\"dst_port\":%u,\"pid\":%u,\"process_key\":\"%s\","
                  "\"protocol\":\"tcp\",\"protocol_code\":6,\"socket_id\":%u,",
                  10 + a % 180, a / 65536, a / 256 % 256, a % 256,
                  port == 0   ? 22
                  : port == 1 ? 1024 + draw(d, 60000)
                              : 443,
                  pid, key, draw(d, UINT32_MAX));
}

static void put_other(struct wedr_buf *b, unsigned host, uint64_t line, const char *ts)
{
    struct draw d = {((uint64_t)host << 40) + line};
    uint32_t started = (uint32_t)(line / QL_EACH) + 1, recent = started < 200 ? started : 200;
    uint32_t n = draw(&d, 2) == 0 ? draw(&d, OLDEST) % started : started - 1 - draw(&d, recent);
    unsigned kind = draw(&d, 10), uid = draw(&d, 9), pid = 1000 + n % 60000;
    char key[17], text[QL_TEXT];
    ql_key(host, n, key);
    put_head(b, ts, kind < 5 ? "file_write" : kind < 8 ? "network_connect" : "dns_query");
    wedr_buf_addf(b, "\"process\":{\"pid\":%u,\"key\":\"%s\",\"uid\":%u},\"raw\":{", pid, key, uid);
    if (kind < 5) {
        put_path(&d, text);
        wedr_buf_addf(
            b,
            "\"dev\":8388609,\"inode\":%u,\"op\":\"Write\",\"op_code\":1,\"open_flags\":"
            "577,\"pid\":%u,\"process_key\":\"%s\",\"target_path\":\"%s\",\"uid\":%u}," TAIL,
            draw(&d, 5000000), pid, key, text, uid, "FileWrite", (unsigned long long)line + 1);
    } else if (kind < 8) {
        put_connect(b, &d, pid, key);
        wedr_buf_addf(b, "\"uid\":%u}," TAIL, uid, "NetworkConnect", (unsigned long long)line + 1);
    } else {
        ql_name(skewed(&d, QL_NAMES), text);
        wedr_buf_addf(b,
                      "\"pid\":%u,\"process_key\":\"%s\",\"query_name\":\"%s\",\"query_type\":1,"
                      "\"uid\":%u}," TAIL,
                      pid, key, text, uid, "DnsQuery", (unsigned long long)line + 1);
    }
}

static void put_line(struct wedr_buf *b, unsigned host, uint64_t line, int64_t us)
{
    char ts[64];
    unsigned s = (unsigned)(us / 1000000 % 86400);
    (void)snprintf(ts, sizeof(ts), "2026-11-%02uT%02u:%02u:%02u.%06uZ",
                   24 + (unsigned)(us / 86400000000ll), s / 3600, s / 60 % 60, s % 60,
                   (unsigned)(us % 1000000));
    if (line % QL_EACH == 0) {
        put_create(b, host, line, ts);
    } else {
        put_other(b, host, line, ts);
    }
}

static int pack(const struct wedr_buf *raw, struct wedr_ingest_batch *in)
{
    size_t bound = ZSTD_compressBound(raw->len);
    uint8_t *z = raw->overflow ? NULL : wedr_alloc(bound, 1);
    if (z == NULL) {
        return WEDR_E_NOMEM;
    }
    in->z = z;
    in->z_len = ZSTD_compress(z, bound, raw->p, raw->len, 1);
    wedr_sha256(in->z, in->z_len, in->id.sha256);
    return WEDR_OK;
}

int ql_batch(struct ql *g,
             struct wedr_buf *raw,
             char agent[37],
             char hostname[32],
             struct wedr_ingest_batch *in)
{
    unsigned host = host_of(g->made);
    uint64_t first = turn_of(g->made) * QL_LINES; /* line of the host */
    double a_batch = (double)QL_SPAN_US / (double)g->total;
    int64_t from = (int64_t)(a_batch * (double)g->made);
    int64_t span = (int64_t)(a_batch * (host == 0 ? BUSY : PERIOD));
    wedr_buf_truncate(raw, 0);
    memset(in, 0, sizeof(*in));
    for (uint32_t i = 0; i < QL_LINES; i++) {
        int64_t us = from + span * i / QL_LINES;
        put_line(raw, host, first + i, us < QL_SPAN_US ? us : QL_SPAN_US - 1);
    }
    g->made++;
    int err = pack(raw, in);
    ql_agent(host, agent);
    (void)snprintf(hostname, 32, "host-%u", host);
    in->agent_id = agent;
    in->hostname = hostname;
    in->received_us = QL_T0 + (from + span < QL_SPAN_US ? from + span : QL_SPAN_US - 1);
    memcpy(in->id.stream, "kernel.bulk", 12);
    in->id.epoch = 1;
    in->id.first_seq = first + 1;
    in->id.last_seq = in->id.produced = first + QL_LINES;
    in->id.count = QL_LINES;
    return err;
}
