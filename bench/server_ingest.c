/* SPDX-License-Identifier: Apache-2.0
 * bench/server_ingest.c — durable ingest over mutual TLS. Enrols itself, prebuilds signed batches
 * of process starts and exits, sends them over several connections and divides the events
 * acknowledged (202, so durable) by the server's CPU time. Prints JSON. bench/server_ingest.py
 * starts a server and runs it.
 *
 * usage: bench_server_ingest URL CA_PEM_FILE TOKEN SERVER_PID BATCHES EVENTS CONNECTIONS */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/json.h"
#include "core/util/sha256.h"
#include "wedr/plat/http.h"
#include "wedr/plat/pki.h"
#include "wedr/plat/proc.h"
#include "wedr/plat/time.h"
#include "wedr/wire/batch.h"
#include "wedr/wire/schema.h"
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#define HEADERS 12u
#define LINE_CAP 8192u
#define TEXT_CAP 160u

struct batch {
    struct wedr_batch_id id;
    char text[HEADERS][TEXT_CAP];
    void *z;
    size_t z_len;
};

struct bench {
    struct wedr_http *http;
    char agent_id[WEDR_AGENT_ID_TEXT];
    uint8_t agent_raw[WEDR_AGENT_ID_LEN];
    uint8_t sign_public[WEDR_SIGN_PUBLIC_LEN], sign_secret[WEDR_SIGN_SECRET_LEN];
    struct batch *batches;
    size_t batch_count, events, raw_bytes, z_bytes;
    size_t sent, acked, again, failed;
    uint64_t latency_us[1u << 16];
};

struct flight {
    struct bench *b;
    size_t index;
    uint64_t begin_ns;
    bool busy;
};

static void die(const char *what, const char *why)
{
    (void)fprintf(stderr, "bench_server_ingest: %s: %s\n", what, why);
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
        die("line", "too long");
    }
    mem[n] = '\n';
    return n + 1;
}

static void put_headers(struct bench *b, struct batch *x)
{
    uint8_t text[WEDR_BATCH_SIGNED_LEN], sig[WEDR_SIGN_LEN];
    wedr_batch_signed_bytes(b->agent_raw, &x->id, text);
    wedr_sign(b->sign_secret, text, sizeof(text), sig);
    (void)snprintf(x->text[0], TEXT_CAP, "%016" PRIx64, x->id.epoch);
    wedr_hex(x->id.boot_id, sizeof(x->id.boot_id), x->text[1]);
    (void)snprintf(x->text[2], TEXT_CAP, "%s", x->id.stream);
    (void)snprintf(x->text[3], TEXT_CAP, "%" PRIu64, x->id.first_seq);
    (void)snprintf(x->text[4], TEXT_CAP, "%" PRIu64, x->id.last_seq);
    (void)snprintf(x->text[5], TEXT_CAP, "%" PRIu32, x->id.count);
    (void)snprintf(x->text[6], TEXT_CAP, "%" PRIu64, x->id.produced);
    (void)snprintf(x->text[7], TEXT_CAP, "%" PRIu64, x->id.lost);
    wedr_hex(x->id.sha256, sizeof(x->id.sha256), x->text[8]);
    wedr_hex(sig, sizeof(sig), x->text[9]);
    (void)snprintf(x->text[10], TEXT_CAP, "zstd");
    (void)snprintf(x->text[11], TEXT_CAP, "application/x-ndjson");
}

static void build_batches(struct bench *b)
{
    char *raw = wedr_alloc(b->events, LINE_CAP);
    const struct wedr_type_info *types[2] = {wedr_type_by_name("process_create", 14),
                                             wedr_type_by_name("process_terminate", 17)};
    b->batches = wedr_alloc(b->batch_count, sizeof(*b->batches));
    if (!raw || !b->batches || !types[0] || !types[1]) {
        die("batches", "out of memory");
    }
    for (size_t i = 0; i < b->batch_count; i++) {
        struct batch *x = &b->batches[i];
        size_t n = 0;
        x->id = (struct wedr_batch_id){
            .epoch = 0x5eed, .first_seq = i * b->events + 1, .count = (uint32_t)b->events};
        x->id.last_seq = x->id.produced = (i + 1) * b->events;
        memset(x->id.boot_id, 0xb0, sizeof(x->id.boot_id));
        (void)snprintf(x->id.stream, sizeof(x->id.stream), "kernel.critical");
        for (size_t k = 0; k < b->events; k++) {
            n += put_line(raw + n, types[k % 2], x->id.first_seq + k);
        }
        size_t cap = ZSTD_compressBound(n);
        x->z = wedr_alloc(1, cap);
        x->z_len = x->z ? ZSTD_compress(x->z, cap, raw, n, 3) : 0;
        if (x->z_len == 0 || ZSTD_isError(x->z_len)) {
            die("batches", "cannot compress");
        }
        wedr_sha256(x->z, x->z_len, x->id.sha256);
        put_headers(b, x);
        b->raw_bytes += n;
        b->z_bytes += x->z_len;
    }
    wedr_free(raw);
}

static void on_answer(void *arg, const struct wedr_http_response *r)
{
    struct flight *f = arg;
    struct bench *b = f->b;
    f->busy = false;
    if (r->status == 202) {
        b->latency_us[b->acked % WEDR_ARRAY_COUNT(b->latency_us)] =
            (wedr_time_mono_ns() - f->begin_ns) / 1000;
        b->acked++;
    } else if (r->status == 429 || r->status == 503) {
        b->again++;
    } else {
        (void)fprintf(stderr, "status %d err %s %.*s\n", r->status, wedr_err_name(r->err),
                      (int)r->body_len, r->body ? (const char *)r->body : "");
        b->failed++;
    }
}

static void send_batch(struct bench *b, struct flight *f, size_t index)
{
    static const char *const names[HEADERS] = {
        WEDR_HDR_EPOCH,    WEDR_HDR_BOOT_ID,   WEDR_HDR_STREAM,    WEDR_HDR_FIRST_SEQ,
        WEDR_HDR_LAST_SEQ, WEDR_HDR_COUNT,     WEDR_HDR_PRODUCED,  WEDR_HDR_LOST,
        WEDR_HDR_SHA256,   WEDR_HDR_SIGNATURE, "Content-Encoding", "Content-Type"};
    struct wedr_http_header h[HEADERS];
    char path[96];
    struct batch *x = &b->batches[index];
    for (size_t i = 0; i < HEADERS; i++) {
        h[i] = (struct wedr_http_header){names[i], x->text[i]};
    }
    (void)snprintf(path, sizeof(path), "/api/v1/agents/%s/logs", b->agent_id);
    struct wedr_http_request rq = {.method = "POST",
                                   .path = path,
                                   .headers = h,
                                   .header_count = HEADERS,
                                   .body = x->z,
                                   .body_len = x->z_len,
                                   .response_max = 65536};
    *f = (struct flight){.b = b, .index = index, .begin_ns = wedr_time_mono_ns(), .busy = true};
    if (wedr_http_start(b->http, &rq, on_answer, f) != WEDR_OK) {
        die("send", "cannot start a request");
    }
}

struct enrolled {
    char *agent_id, *cert_pem;
};

static void on_enrolled(void *arg, const struct wedr_http_response *r)
{
    struct enrolled *e = arg;
    json_t *o = r->status == 201 ? json_loadb((const char *)r->body, r->body_len, 0, NULL) : NULL;
    if (!o) {
        die("enrolment", r->error_text ? r->error_text : "refused");
    }
    const char *id = json_string_value(json_object_get(o, "agent_id"));
    const char *cert = json_string_value(json_object_get(o, "cert_pem"));
    e->agent_id = wedr_strndup(id, strlen(id));
    e->cert_pem = wedr_strndup(cert, strlen(cert));
    json_decref(o);
}

/* ret_http speaks with the new certificate. */
static void enroll(struct bench *b, const char *url, const char *ca_pem, const char *token)
{
    struct wedr_buf key, csr_pem, csr_der;
    struct wedr_errinfo ei = {""};
    struct enrolled e = {NULL, NULL};
    uint8_t sig[WEDR_SIGN_LEN];
    char public_hex[65], sig_hex[129];
    struct wedr_http *plain = NULL;
    struct wedr_http_cfg cfg = {.base_url = url,
                                .ca_pem = ca_pem,
                                .connect_timeout_ms = 10000,
                                .total_timeout_ms = 60000,
                                .user_agent = "bench"};
    wedr_buf_init(&key, 65536);
    wedr_buf_init(&csr_pem, 65536);
    wedr_buf_init(&csr_der, 65536);
    if (wedr_pki_key_new(&key, &ei) != WEDR_OK ||
        wedr_pki_csr_new((const char *)key.p, key.len, "bench", &csr_pem, &csr_der, &ei) !=
            WEDR_OK ||
        wedr_http_new(&cfg, &plain, &ei) != WEDR_OK) {
        die("enrolment", ei.text);
    }
    wedr_sign_keypair(b->sign_public, b->sign_secret);
    wedr_sign(b->sign_secret, csr_der.p, csr_der.len, sig);
    wedr_hex(b->sign_public, sizeof(b->sign_public), public_hex);
    wedr_hex(sig, sizeof(sig), sig_hex);
    json_t *body =
        json_pack("{ssssssssss s{ssssss}}", "enrollment_token", token, "agent_version", "0.1.0",
                  "csr_pem", (const char *)csr_pem.p, "batch_key", public_hex, "batch_key_proof",
                  sig_hex, "host", "hostname", "bench", "os", "linux", "os_version", "Debian 12");
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    struct wedr_http_request rq = {.method = "POST",
                                   .path = "/api/v1/agents/enroll",
                                   .body = text,
                                   .body_len = text ? strlen(text) : 0,
                                   .response_max = 65536};
    if (!text || wedr_http_once(plain, &rq, on_enrolled, &e) != WEDR_OK || !e.agent_id ||
        !e.cert_pem) {
        die("enrolment", "no answer");
    }
    (void)snprintf(b->agent_id, sizeof(b->agent_id), "%s", e.agent_id);
    char hex[33];
    (void)snprintf(hex, sizeof(hex), "%.8s%.4s%.4s%.4s%.12s", e.agent_id, e.agent_id + 9,
                   e.agent_id + 14, e.agent_id + 19, e.agent_id + 24);
    if (wedr_unhex(hex, 32, b->agent_raw, sizeof(b->agent_raw)) != WEDR_OK) {
        die("enrolment", "bad agent id");
    }
    cfg.cert_pem = e.cert_pem;
    cfg.key_pem = (const char *)key.p;
    if (wedr_http_new(&cfg, &b->http, &ei) != WEDR_OK) {
        die("enrolment", ei.text);
    }
    wedr_http_free(plain);
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void run(struct bench *b, size_t connections)
{
    struct flight flights[8];
    memset(flights, 0, sizeof(flights));
    while (b->acked + b->failed + b->again < b->batch_count) {
        for (size_t i = 0; i < connections && b->sent < b->batch_count; i++) {
            if (!flights[i].busy) {
                send_batch(b, &flights[i], b->sent++);
            }
        }
        if (wedr_http_wait(b->http, NULL, 0, 1000) != WEDR_OK) {
            die("send", "the client failed");
        }
    }
}

static char *read_text(const char *path)
{
    struct wedr_buf buf;
    wedr_handle f = WEDR_HANDLE_NONE;
    wedr_buf_init(&buf, 65536);
    if (wedr_fs_open(path, WEDR_FS_READ, 0, &f) != WEDR_OK ||
        wedr_fs_read_all(f, &buf) != WEDR_OK) {
        die(path, "cannot be read");
    }
    wedr_fs_close(f);
    return (char *)buf.p;
}

int main(int argc, char **argv)
{
    static struct bench b;
    struct wedr_proc_usage before, after;
    if (argc != 8) {
        die("usage", "URL CA_PEM_FILE TOKEN SERVER_PID BATCHES EVENTS CONNECTIONS");
    }
    uint32_t pid = (uint32_t)strtoul(argv[4], NULL, 10);
    size_t connections = strtoul(argv[7], NULL, 10);
    b.batch_count = strtoul(argv[5], NULL, 10);
    b.events = strtoul(argv[6], NULL, 10);
    if (connections < 1 || connections > 8 || b.events < 1 || b.events > 4000 ||
        b.batch_count < 1) {
        die("usage", "1..8 connections, 1..4000 events");
    }
    enroll(&b, argv[1], read_text(argv[2]), argv[3]);
    build_batches(&b);
    if (wedr_proc_usage(pid, &before) != WEDR_OK) {
        die("server", "no such process");
    }
    uint64_t begin = wedr_time_mono_ns();
    run(&b, connections);
    double wall = (double)(wedr_time_mono_ns() - begin) / 1e9;
    if (wedr_proc_usage(pid, &after) != WEDR_OK) {
        die("server", "it ended");
    }
    double cpu = (double)(after.cpu_us - before.cpu_us) / 1e6;
    double events = (double)(b.acked * b.events), total = (double)(b.batch_count * b.events);
    size_t n = b.acked < WEDR_ARRAY_COUNT(b.latency_us) ? b.acked : WEDR_ARRAY_COUNT(b.latency_us);
    qsort(b.latency_us, n, sizeof(b.latency_us[0]), compare);
    (void)printf(
        "{\"events\":%.0f,\"batches\":%zu,\"retry\":%zu,\"failed\":%zu,\"connections\":%zu,\"wall_"
        "s\":%.3f,"
        "\"server_cpu_s\":%.3f,\"events_per_s\":%.0f,\"events_per_server_core_s\":%.0f,"
        "\"bytes_per_event_raw\":%.1f,\"bytes_per_event_zstd\":%.1f,\"latency_p50_us\":%" PRIu64
        ",\"latency_p99_us\":%" PRIu64 ",\"server_rss_bytes\":%" PRIu64 "}\n",
        events, b.acked, b.again, b.failed, connections, wall, cpu, events / wall,
        cpu > 0 ? events / cpu : 0, (double)b.raw_bytes / total, (double)b.z_bytes / total,
        n ? b.latency_us[n / 2] : 0, n ? b.latency_us[n * 99 / 100] : 0, after.rss_bytes);
    wedr_http_free(b.http);
    return b.failed || b.acked == 0 ? 1 : 0;
}
