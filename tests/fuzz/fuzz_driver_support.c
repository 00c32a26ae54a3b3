/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz_driver_support.h"

#include "core/base/err.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Inputs for one load of the driver. */
#define INPUTS_PER_LOAD 16384u
#define LANE_BYTES (512u << 10)
#define SEQ_MAX 65536u /* records of one lane that one input can make */

const uint64_t fd_pid[FD_PIDS] = {500, 1000, 1004};
struct ntsim_process *fd_process[FD_PIDS];
struct ntsim_thread *fd_thread[FD_PIDS];
struct ntsim_key *fd_key[FD_KEYS];
struct wedr_event_view fd_last;
unsigned fd_last_count;

static struct {
    unsigned inputs;
    uint32_t generation; /* of the filter, when it was the default */
    uint32_t processes;
    struct wedr_ioctl_stats start; /* when the input began */
    uint64_t delivered[WEDR_LANE_COUNT];
    uint8_t seen[WEDR_LANE_COUNT][SEQ_MAX / 8];
    uint64_t seen_max[WEDR_LANE_COUNT];
} ledger;

void fd_require(bool ok, const char *what)
{
    if (!ok) {
        (void)fprintf(stderr, "does not hold: %s\n", what);
        abort();
    }
}

/* A request's buffers are large and live for moments: a short memory of freed ones is enough. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "quarantine_size_mb=8:malloc_context_size=2:max_malloc_fill_size=0";
}

/* ---- the driver --------------------------------------------------------------------------------
 */

static void make_processes(void)
{
    for (unsigned i = 0; i < FD_PIDS; i++) {
        const struct ntsim_process_spec spec = {.pid = fd_pid[i],
                                                .parent_pid = i == 0 ? 4 : fd_pid[i - 1],
                                                .create_time = NTSIM_TIME - 1000 + i,
                                                .start_key = 0x100 + i,
                                                .session = i,
                                                .image = fd_usual(i),
                                                .integrity = 0x3000,
                                                .elevated = i == 0,
                                                .by_pointer = i == 1};

        fd_process[i] = ntsim_process_new(&spec);
        fd_thread[i] = ntsim_thread_new(fd_process[i], fd_pid[i] + 1);
    }
}

static void make_keys(void)
{
    fd_key[0] = ntsim_key_new(
        NTSIM_TEXT(u"\\REGISTRY\\MACHINE\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Run"));
    fd_key[1] = ntsim_key_new(NTSIM_TEXT(u"\\REGISTRY\\MACHINE\\SOFTWARE\\Vendor\\Product"));
    fd_key[2] = ntsim_key_new(NTSIM_NULL);
    ntsim_key_fail(fd_key[2], NTSIM_KEY_DELETED);
}

static struct ntsim_file *must_open(void)
{
    int32_t status;
    struct ntsim_file *f = ntsim_open(&status);

    FD_REQUIRE(f != NULL);
    return f;
}

static struct ntsim_file *session;

struct ntsim_file *fd_session(void)
{
    if (!session) {
        session = must_open();
    }
    return session;
}

static void stop(void)
{
    if (ntsim_loaded()) {
        if (session) {
            ntsim_close_handle(session);
            session = NULL;
        }
        ntsim_unload();
        ntsim_reset();
    }
}

static void start(void)
{
    static bool registered;
    const struct ntsim_text parameters = NTSIM_TEXT(NTSIM_SERVICE u"\\Parameters");

    if (!registered) {
        registered = true;
        FD_REQUIRE(atexit(stop) == 0);
    }
    ntsim_reset();
    ntsim_reg_set_dword(parameters, NTSIM_TEXT(u"CriticalLaneBytes"), LANE_BYTES);
    ntsim_reg_set_dword(parameters, NTSIM_TEXT(u"BulkLaneBytes"), LANE_BYTES);
    make_processes();
    make_keys();
    FD_REQUIRE(ntsim_load() == NTSIM_SUCCESS);
    memset(&ledger, 0, sizeof(ledger));
}

void fd_begin(struct fd_in *in)
{
    struct ntsim_file *f;

    fd_input_begin(fd_u8(in) == FD_HEAVY);
    if (ntsim_loaded() && ledger.inputs++ < INPUTS_PER_LOAD) {
        return;
    }
    stop();
    start();
    f = must_open();
    fd_drain(f);
    fd_stats(f, &ledger.start);
    ledger.processes = ledger.start.processes;
    ledger.generation = ledger.start.filter_generation;
    ntsim_close_handle(f);
    memset(ledger.seen, 0, sizeof(ledger.seen));
    memset(ledger.delivered, 0, sizeof(ledger.delivered));
    memset(ledger.seen_max, 0, sizeof(ledger.seen_max));
}

static void default_filter(struct ntsim_file *f)
{
    struct wedr_filter_header h = {.magic = WEDR_FILTER_MAGIC,
                                   .size = sizeof(h),
                                   .ioctl_version = WEDR_IOCTL_VERSION,
                                   .classes = WEDR_CLASS_ALL};
    uint8_t bytes[sizeof(h)];

    memcpy(bytes, &h, sizeof(h));
    FD_REQUIRE(fd_set_filter(f, bytes, sizeof(bytes)) == NTSIM_SUCCESS);
}

void fd_end(struct ntsim_file *f)
{
    struct wedr_ioctl_stats s;

    ntsim_faults_clear();
    ntsim_set_irql(0);
    ntsim_set_current(NULL);
    fd_stats(f, &s);
    if (s.filter_generation != ledger.generation) {
        default_filter(f);
        ledger.generation = s.filter_generation + 1;
    }
    if (s.lane[0].queued + s.lane[1].queued > 0) {
        fd_drain(f);
        fd_stats(f, &s);
    }
    FD_REQUIRE(s.lane[0].queued == 0 && s.lane[1].queued == 0 && s.parked == 0);
    FD_REQUIRE(s.processes == ledger.processes && s.bugs == 0);
    for (unsigned i = 0; i < WEDR_LANE_COUNT; i++) {
        FD_REQUIRE(s.lane[i].delivered - ledger.start.lane[i].delivered == ledger.delivered[i]);
        memset(ledger.seen[i], 0, (size_t)(ledger.seen_max[i] / 8 + 1));
        ledger.seen_max[i] = 0;
        ledger.delivered[i] = 0;
    }
    ledger.start = s;
}

/* ---- the ledger
 * ---------------------------------------------------------------------------------- */

/* By the documentation of the lanes, from the record's own fields. */
static uint8_t stream_of(const struct wedr_event_view *v)
{
    struct wedr_windows_thread_create t;
    struct wedr_windows_module_load m;

    switch (v->h.type) {
    case WEDR_EV_MODULE_LOAD:
        memcpy(&m, v->rec.p, sizeof(m));
        return m.pid == 0 ? WEDR_STREAM_CRITICAL : WEDR_STREAM_BULK;
    case WEDR_EV_THREAD_CREATE:
        memcpy(&t, v->rec.p, sizeof(t));
        return t.creating_pid != t.pid && !t.first_thread ? WEDR_STREAM_CRITICAL : WEDR_STREAM_BULK;
    case WEDR_EV_THREAD_EXIT:
        return WEDR_STREAM_BULK;
    case WEDR_EV_PROCESS_CREATE:
    case WEDR_EV_PROCESS_TERMINATE:
    case WEDR_EV_REGISTRY_WRITE:
    case WEDR_EV_PROCESS_HANDLE_ACCESS:
        return WEDR_STREAM_CRITICAL;
    default:
        fd_require(false, "a type that the driver has");
        return 0;
    }
}

static void check_record(const struct wedr_event_view *v)
{
    unsigned lane = v->h.stream;
    uint64_t at;

    FD_REQUIRE(v->h.os == WEDR_OS_WINDOWS && v->h.stream == stream_of(v));
    FD_REQUIRE(v->h.fixed_size == v->type->fixed_windows);
    FD_REQUIRE(v->h.seq > ledger.start.lane[lane].produced);
    at = v->h.seq - ledger.start.lane[lane].produced;
    FD_REQUIRE(at < SEQ_MAX);
    FD_REQUIRE((ledger.seen[lane][at / 8] >> (at % 8) & 1) == 0);
    ledger.seen[lane][at / 8] |= (uint8_t)(1u << (at % 8));
    ledger.seen_max[lane] = at > ledger.seen_max[lane] ? at : ledger.seen_max[lane];
    ledger.delivered[lane]++;
    FD_REQUIRE(v->h.drop_count < v->h.seq);
}

void fd_records(const uint8_t *p, size_t len, bool batch)
{
    struct wedr_span in = wedr_span(p, len);
    uint64_t before[WEDR_LANE_COUNT] = {0};

    fd_last_count = 0;
    while (in.len > 0) {
        FD_REQUIRE(wedr_event_decode(in, &fd_last) == WEDR_OK);
        check_record(&fd_last);
        FD_REQUIRE(fd_last.h.seq > before[fd_last.h.stream]);
        before[fd_last.h.stream] = fd_last.h.seq;
        in = wedr_span(in.p + fd_last.rec.len, in.len - fd_last.rec.len);
        fd_last_count++;
    }
    FD_REQUIRE(batch ? fd_last_count >= 1 : fd_last_count == 1);
}

static void check_lane(const struct wedr_ioctl_lane *l, const struct wedr_ioctl_lane *before)
{
    uint64_t lost = 0;

    for (unsigned i = 0; i < WEDR_IOCTL_LOST_REASONS; i++) {
        lost += l->lost[i];
        FD_REQUIRE(l->lost[i] >= before->lost[i]);
    }
    FD_REQUIRE(l->produced == l->delivered + lost + l->queued);
    FD_REQUIRE(l->produced >= before->produced && l->delivered >= before->delivered);
    FD_REQUIRE(l->queued <= 4096 && l->queued <= l->queued_peak && l->queued_peak <= 4096);
    FD_REQUIRE(l->bytes_queued <= l->bytes_peak && l->bytes_peak <= LANE_BYTES);
    FD_REQUIRE((l->bytes_queued == 0) == (l->queued == 0));
    FD_REQUIRE(l->truncated >= before->truncated && l->filtered >= before->filtered);
}

static void check_callbacks(const struct wedr_ioctl_stats *s)
{
    uint64_t events = 0, produced = 0, unbuilt = 0;

    for (unsigned i = 0; i < WEDR_CALLBACK_COUNT; i++) {
        events += s->callback[i].events;
        FD_REQUIRE(s->callback[i].state == WEDR_CALLBACK_ACTIVE ||
                   s->callback[i].state == WEDR_CALLBACK_FILTERED);
    }
    for (unsigned i = 0; i < WEDR_LANE_COUNT; i++) {
        produced += s->lane[i].produced;
        unbuilt += s->lane[i].lost[WEDR_LOSS_REASON_SCRATCH];
    }
    FD_REQUIRE(events + unbuilt == produced);
}

void fd_stats(struct ntsim_file *f, struct wedr_ioctl_stats *ret)
{
    uint8_t out[sizeof(struct wedr_ioctl_stats)];
    struct wedr_ioctl_stats s;
    size_t len = 0;

    FD_REQUIRE(ntsim_ioctl(f, WEDR_IOCTL_GET_STATS, NULL, 0, out, sizeof(out), &len, NULL) ==
               NTSIM_SUCCESS);
    FD_REQUIRE(wedr_ioctl_stats_decode(wedr_span(out, len), &s) == WEDR_OK);
    for (unsigned i = 0; i < WEDR_LANE_COUNT; i++) {
        check_lane(&s.lane[i], &ledger.start.lane[i]);
    }
    check_callbacks(&s);
    FD_REQUIRE(s.parked <= 64 && s.bugs == 0 && s.processes_untracked == 0);
    FD_REQUIRE(s.refused >= ledger.start.refused && s.cancelled >= ledger.start.cancelled);
    if (ret) {
        *ret = s;
    }
}

void fd_drain(struct ntsim_file *f)
{
    struct wedr_ioctl_stats s;
    int32_t status;

    fd_stats(f, &s);
    while (s.lane[0].queued + s.lane[1].queued > 0) {
        struct ntsim_irp *r = ntsim_ioctl_start(f, WEDR_IOCTL_GET_EVENTS, NULL, 0,
                                                (size_t)2 * WEDR_RECORD_MAX, &status);
        const uint8_t *p;
        size_t len;

        FD_REQUIRE(status == NTSIM_SUCCESS && ntsim_irp_done(r));
        p = ntsim_irp_output(r, &len);
        fd_records(p, len, true);
        ntsim_irp_free(r);
        fd_stats(f, &s);
    }
}

int32_t fd_set_filter(struct ntsim_file *f, const uint8_t *p, size_t len)
{
    size_t information = 0;
    int32_t status = ntsim_ioctl(f, WEDR_IOCTL_SET_FILTER, p, len, NULL, 0, &information, NULL);

    FD_REQUIRE(information == 0);
    FD_REQUIRE(status == NTSIM_SUCCESS || status == NTSIM_INVALID_PARAMETER ||
               status == NTSIM_INSUFFICIENT_RESOURCES);
    return status;
}
