/* SPDX-License-Identifier: Apache-2.0
 * bench/server_ingest.c — load for the server's way of taking events in, over mutual TLS. Enrols
 * agents, makes and signs every request before the clock runs, opens a connection for each agent
 * and keeps it, sends, and divides the server's CPU time, thread by thread, by what was answered
 * with 202. A refused batch (429, 503) is sent again after the time that the server named. Prints
 * one JSON object. bench/server_ingest.py starts servers and runs it.
 *
 * usage: bench_server_ingest URL CA_PEM_FILE TOKEN SERVER_PID AGENTS BATCHES EVENTS RATE
 * BATCHES of EVENTS events of each agent, the first before the clock runs; RATE batches a second of
 * all agents together, whether answered or not; 0: each agent's next when the last was answered. */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "load_conn.h"
#include "wedr/plat/fs.h"
#include "wedr/plat/proc.h"
#include "wedr/plat/time.h"
#include <dirent.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#define HANDSHAKES 32u /* at a time */
#define EVENTS_AT_ONCE 256
#define RETRY_SCAN_NS 5000000u
#define RSS_EVERY_NS 100000000u
#define THREAD_KINDS 24u

struct head {
    char *p;
    size_t len;
};

struct thread_time {
    char name[32];
    uint64_t ns;
};

/* The server at a moment. */
struct look {
    uint64_t cpu_us, rss, at_ns;
    clock_t own;
    struct thread_time threads[THREAD_KINDS];
};

struct bench {
    uint32_t pid;
    unsigned port;
    SSL_CTX *tls;
    int epoll;
    size_t agents, batches;
    uint32_t events;
    double rate;
    struct load_agent *agent;
    struct load_body *body;
    struct head *head; /* [agent * batches + n] */
    struct load_conn *conn;
    size_t connecting, to_open;
    size_t issued, acked, refused, unsaid, failed, lost, retrying; /* unsaid: without Retry-After */
    uint64_t start_ns, scanned_ns, rss_ns, rss_peak;
    uint32_t *latency_us;
    size_t latencies;
};

static void look_at_threads(uint32_t pid, struct look *l)
{
    char path[300], name[32];
    (void)snprintf(path, sizeof(path), "/proc/%u/task", pid);
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        unsigned long long ns = 0;
        (void)snprintf(path, sizeof(path), "/proc/%u/task/%.20s/comm", pid, e->d_name);
        FILE *f = fopen(path, "re");
        bool good = f && fscanf(f, "%31[^\n]", name) == 1;
        good = f && fclose(f) == 0 && good;
        (void)snprintf(path, sizeof(path), "/proc/%u/task/%.20s/schedstat", pid, e->d_name);
        f = fopen(path, "re");
        good = f && fscanf(f, "%llu", &ns) == 1 && good;
        good = f && fclose(f) == 0 && good;
        for (size_t i = 0; good && i < THREAD_KINDS; i++) {
            struct thread_time *t = &l->threads[i];
            if (!t->name[0] || strcmp(t->name, name) == 0) {
                memcpy(t->name, name, sizeof(name));
                t->ns += ns;
                break;
            }
        }
    }
    if (d) {
        (void)closedir(d);
    }
}

static struct look look(const struct bench *b)
{
    struct wedr_proc_usage u;
    struct look l = {.at_ns = wedr_time_mono_ns(), .own = clock()};
    if (wedr_proc_usage(b->pid, &u) != WEDR_OK) {
        bench_die("server", "it is gone");
    }
    l.cpu_us = u.cpu_us;
    l.rss = u.rss_bytes;
    look_at_threads(b->pid, &l);
    return l;
}

static void watch_rss(struct bench *b, uint64_t now)
{
    struct wedr_proc_usage u;
    if (now - b->rss_ns >= RSS_EVERY_NS && wedr_proc_usage(b->pid, &u) == WEDR_OK) {
        b->rss_ns = now;
        b->rss_peak = u.rss_bytes > b->rss_peak ? u.rss_bytes : b->rss_peak;
    }
}

static void open_conn(struct bench *b, struct load_conn *c)
{
    load_conn_open(c, b->tls, b->port);
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
    if (epoll_ctl(b->epoll, EPOLL_CTL_ADD, c->fd, &e) != 0) {
        bench_die("epoll", "cannot add a connection");
    }
    b->connecting++;
}

/* When the batch that c sends next was to be sent. */
static uint64_t due_of(const struct bench *b, const struct load_conn *c)
{
    double n = (double)((c->next - 1) * b->agents + (size_t)(c - b->conn));
    return b->start_ns + (uint64_t)(n * 1e9 / b->rate);
}

static void answered(struct bench *b, struct load_conn *c);

static void step(struct bench *b, struct load_conn *c)
{
    bool was_connecting = c->state == LOAD_CONNECTING;
    if (load_conn_step(c)) {
        b->connecting -= was_connecting;
        answered(b, c);
    }
}

static void send_next(struct bench *b, struct load_conn *c)
{
    uint64_t now = wedr_time_mono_ns();
    if (c->state != LOAD_IDLE || c->owed == 0 || c->retry_ns > now) {
        return;
    }
    const struct head *h = &b->head[(size_t)(c - b->conn) * b->batches + c->next];
    if (c->retry_ns) {
        c->retry_ns = 0;
        b->retrying--;
    }
    c->owed--;
    c->due_ns = c->next > 0 && b->rate > 0 ? due_of(b, c) : now;
    load_conn_send(c, h->p, h->len, &b->body[c->next]);
    step(b, c);
}

/* An answer, an open connection or a lost one. */
static void answered(struct bench *b, struct load_conn *c)
{
    bool sent = c->head != NULL;
    c->head = NULL;
    if (sent && c->status == 202) {
        b->latency_us[b->latencies++] = (uint32_t)((wedr_time_mono_ns() - c->due_ns) / 1000);
        b->acked++;
        c->next++;
    } else if (sent && (c->status == 429 || c->status == 503)) {
        b->refused++;
        b->unsaid += c->retry_after_s == 0;
        c->retry_ns = wedr_time_mono_ns() + c->retry_after_s * 1000000000u;
        b->retrying++;
        c->owed++;
    } else if (sent && c->status) {
        (void)fprintf(stderr, "status %d %.300s\n", c->status, c->in);
        b->failed++;
        c->next++;
    } else if (c->state == LOAD_CLOSED) {
        b->lost++;
        c->owed += sent;
    }
    if (c->state == LOAD_CLOSED) {
        open_conn(b, c);
    }
    send_next(b, c);
}

static void issue_due(struct bench *b, size_t total, uint64_t now)
{
    while (b->issued < total &&
           (uint64_t)((double)b->issued * 1e9 / b->rate) + b->start_ns <= now) {
        struct load_conn *c = &b->conn[b->issued % b->agents];
        b->issued++;
        c->owed++;
        send_next(b, c);
    }
}

static void scan_retries(struct bench *b, uint64_t now)
{
    if (b->retrying && now - b->scanned_ns >= RETRY_SCAN_NS) {
        b->scanned_ns = now;
        for (size_t i = 0; i < b->agents; i++) {
            if (b->conn[i].retry_ns) {
                send_next(b, &b->conn[i]);
            }
        }
    }
}

/* Until `answers` are there. */
static void drive(struct bench *b, size_t total, size_t answers)
{
    struct epoll_event ready[EVENTS_AT_ONCE];
    while (b->acked + b->failed < answers) {
        uint64_t now = wedr_time_mono_ns();
        while (b->to_open < b->agents && b->connecting < HANDSHAKES) {
            open_conn(b, &b->conn[b->to_open++]);
        }
        issue_due(b, total, now);
        scan_retries(b, now);
        watch_rss(b, now);
        int n = epoll_wait(b->epoll, ready, EVENTS_AT_ONCE, 1);
        for (int i = 0; i < n; i++) {
            step(b, ready[i].data.ptr);
        }
    }
}

static void *room(size_t count, size_t size)
{
    void *p = wedr_alloc(count, size);
    if (!p) {
        bench_die("memory", "there is too little");
    }
    return p;
}

static void prepare(struct bench *b)
{
    b->body = room(b->batches, sizeof(*b->body));
    b->head = room(b->agents * b->batches, sizeof(*b->head));
    b->conn = room(b->agents, sizeof(*b->conn));
    b->latency_us = room(b->agents * b->batches, sizeof(*b->latency_us));
    for (size_t n = 0; n < b->batches; n++) {
        load_body_make(&b->body[n], n * b->events + 1, b->events);
    }
    for (size_t i = 0; i < b->agents; i++) {
        b->conn[i] = (struct load_conn){.fd = -1, .agent = &b->agent[i], .owed = 1};
        for (size_t n = 0; n < b->batches; n++) {
            struct head *h = &b->head[i * b->batches + n];
            const char *p = load_head(&b->agent[i], &b->body[n], &h->len);
            h->p = wedr_strndup(p, h->len);
            if (!h->p) {
                bench_die("memory", "there is too little");
            }
        }
    }
    b->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (b->epoll < 0) {
        bench_die("epoll", "cannot be made");
    }
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static void print_threads(const struct look *from, const struct look *to)
{
    const char *comma = "";
    (void)printf("\"threads_s\":{");
    for (size_t i = 0; i < THREAD_KINDS && to->threads[i].name[0]; i++) {
        uint64_t before = 0;
        for (size_t k = 0; k < THREAD_KINDS; k++) {
            if (strcmp(from->threads[k].name, to->threads[i].name) == 0) {
                before = from->threads[k].ns;
            }
        }
        (void)printf("%s\"%s\":%.4f", comma, to->threads[i].name,
                     (double)(to->threads[i].ns - before) / 1e9);
        comma = ",";
    }
    (void)printf("},");
}

static double own_seconds(const struct look *from, const struct look *to)
{
    return (double)(to->own - from->own) / CLOCKS_PER_SEC;
}

static void report(struct bench *b, const struct look at[3], size_t first_refused)
{
    size_t in_force = 0, raw = 0, z = 0;
    for (size_t i = 0; i < b->agents; i++) {
        in_force += b->conn[i].state == LOAD_IDLE;
    }
    for (size_t n = 0; n < b->batches; n++) {
        raw += b->body[n].raw_len;
        z += b->body[n].z_len;
    }
    qsort(b->latency_us, b->latencies, sizeof(*b->latency_us), compare);
    size_t n = b->latencies;
    double all = (double)b->batches * b->events;
    (void)printf("{\"agents\":%zu,\"batches\":%zu,\"events\":%zu,\"refused\":%zu,\"unsaid\":%zu,"
                 "\"failed\":%zu,\"lost_connections\":%zu,\"open_connections\":%zu,",
                 b->agents, n, n * b->events, b->refused - first_refused, b->unsaid, b->failed,
                 b->lost, in_force);
    (void)printf("\"connect_s\":%.3f,\"connect_server_cpu_s\":%.3f,\"connect_client_cpu_s\":%.3f,",
                 (double)(at[1].at_ns - at[0].at_ns) / 1e9,
                 (double)(at[1].cpu_us - at[0].cpu_us) / 1e6, own_seconds(&at[0], &at[1]));
    (void)printf("\"wall_s\":%.3f,\"server_cpu_s\":%.3f,\"client_cpu_s\":%.3f,",
                 (double)(at[2].at_ns - at[1].at_ns) / 1e9,
                 (double)(at[2].cpu_us - at[1].cpu_us) / 1e6, own_seconds(&at[1], &at[2]));
    print_threads(&at[1], &at[2]);
    (void)printf("\"bytes_per_event_raw\":%.1f,\"bytes_per_event_zstd\":%.1f,", (double)raw / all,
                 (double)z / all);
    (void)printf("\"latency_p50_us\":%u,\"latency_p99_us\":%u,\"latency_max_us\":%u,",
                 n ? b->latency_us[n / 2] : 0, n ? b->latency_us[n * 99 / 100] : 0,
                 n ? b->latency_us[n - 1] : 0);
    (void)printf("\"rss_start\":%" PRIu64 ",\"rss_connected\":%" PRIu64 ",\"rss_peak\":%" PRIu64
                 ",\"rss_end\":%" PRIu64 "}\n",
                 at[0].rss, at[1].rss, b->rss_peak, at[2].rss);
}

static char *read_text(const char *path)
{
    struct wedr_buf buf;
    wedr_handle f = WEDR_HANDLE_NONE;
    wedr_buf_init(&buf, 65536);
    if (wedr_fs_open(path, WEDR_FS_READ, 0, &f) != WEDR_OK ||
        wedr_fs_read_all(f, &buf) != WEDR_OK) {
        bench_die(path, "cannot be read");
    }
    wedr_fs_close(f);
    return (char *)buf.p;
}

int main(int argc, char **argv)
{
    static struct bench b;
    struct look at[3];
    const char *port = argc == 9 ? strrchr(argv[1], ':') : NULL;
    if (!port) {
        bench_die("usage", "URL CA_PEM_FILE TOKEN SERVER_PID AGENTS BATCHES EVENTS RATE");
    }
    (void)signal(SIGPIPE, SIG_IGN); /* a refused request's connection may be closed under it */
    b.port = (unsigned)strtoul(port + 1, NULL, 10);
    b.pid = (uint32_t)strtoul(argv[4], NULL, 10);
    b.agents = strtoul(argv[5], NULL, 10);
    b.batches = strtoul(argv[6], NULL, 10);
    b.events = (uint32_t)strtoul(argv[7], NULL, 10);
    b.rate = strtod(argv[8], NULL);
    if (b.agents < 1 || b.batches < 2 || b.events < 1 || b.events > 4000 || b.rate < 0) {
        bench_die("usage", "1 agent, 2 batches, 1 .. 4000 events at least");
    }
    char *ca = read_text(argv[2]);
    b.agent = room(b.agents, sizeof(*b.agent));
    b.tls = load_tls(ca);
    load_enroll(argv[1], ca, argv[3], b.agent, b.agents);
    prepare(&b);
    at[0] = look(&b);
    drive(&b, 0, b.agents);
    size_t total = b.agents * (b.batches - 1), first_refused = b.refused;
    at[1] = look(&b);
    b.latencies = 0;
    b.rss_peak = at[1].rss;
    b.start_ns = at[1].at_ns;
    if (b.rate <= 0) {
        for (size_t i = 0; i < b.agents; i++) {
            b.conn[i].owed += b.batches - 1;
            send_next(&b, &b.conn[i]);
        }
        b.issued = total;
    }
    drive(&b, total, b.agents + total);
    at[2] = look(&b);
    report(&b, at, first_refused);
    return b.failed || b.unsaid ? 1 : 0;
}
