/* SPDX-License-Identifier: Apache-2.0
 * bench/driver.c — the Windows driver's own code on the simulated kernel of tests/ntsim.
 *
 * driver [SECONDS]     events per second by one and two producers with a reader, the cost of
 * reading one by one and in batches, bytes of the ring by kind; prints one JSON object driver KIND
 * COUNT    fires that kind so often and reads it back: for bench/driver.py, which counts
 *                      instructions; KIND "read" or "batch": COUNT events of a mix are read that
 * way
 *
 * Times include the simulator, which takes memory for each text, request and buffer where the
 * kernel does not: they compare, they do not predict. */
#include "core/base/err.h"
#include "driver_events.h"
#include "wedr/plat/thread.h"
#include "wedr/plat/time.h"
#include "wedr/wire/ioctl.h"
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PRODUCERS 2u
#define FILL 4000u /* events that both lanes hold */
#define BATCH_BYTES (1u << 20)

static struct driver_producer producers[PRODUCERS];
static struct ntsim_file *file;

static void die(const char *why)
{
    (void)fprintf(stderr, "driver: %s\n", why);
    exit(1);
}

static void start(void)
{
    int32_t status;

    ntsim_reset();
    for (unsigned i = 0; i < PRODUCERS; i++) {
        driver_producer_init(&producers[i], i);
    }
    if (ntsim_load() != NTSIM_SUCCESS) {
        die("the driver did not load");
    }
    file = ntsim_open(&status);
    if (!file) {
        die("the device did not open");
    }
}

static void stop(void)
{
    ntsim_close_handle(file);
    ntsim_unload();
    ntsim_reset();
}

static struct wedr_ioctl_stats stats(void)
{
    uint8_t out[sizeof(struct wedr_ioctl_stats)];
    struct wedr_ioctl_stats s = {0};
    size_t len = 0;

    if (ntsim_ioctl(file, WEDR_IOCTL_GET_STATS, NULL, 0, out, sizeof(out), &len, NULL) !=
            NTSIM_SUCCESS ||
        wedr_ioctl_stats_decode(wedr_span(out, len), &s) != WEDR_OK) {
        die("no statistics");
    }
    return s;
}

static uint64_t queued(void)
{
    struct wedr_ioctl_stats s = stats();

    return (uint64_t)s.lane[0].queued + s.lane[1].queued;
}

/* One request that must be answered at once. */
static void read_once(uint32_t code, size_t out_len)
{
    int32_t status;
    struct ntsim_irp *r = ntsim_ioctl_start(file, code, NULL, 0, out_len, &status);

    if (status != NTSIM_SUCCESS) {
        die("a read was not answered");
    }
    ntsim_irp_free(r);
}

/* Reads n events; the requests that it took. */
static uint64_t read_all(bool batch, uint64_t n)
{
    uint64_t requests = 0;

    if (!batch) {
        for (; requests < n; requests++) {
            read_once(WEDR_IOCTL_GET_EVENT, WEDR_RECORD_MAX);
        }
        return requests;
    }
    while (queued() > 0) {
        read_once(WEDR_IOCTL_GET_EVENTS, BATCH_BYTES);
        requests++;
    }
    return requests;
}

/* ---- reading ------------------------------------------------------------------------------------
 */

struct reading {
    double single_ns, batch_ns; /* of one event */
    double events_per_request;
};

static struct reading measure_reading(double seconds)
{
    uint64_t spent[2] = {0, 0}, events = 0, requests = 0, fired = 0;
    uint64_t until = wedr_time_mono_ns() + (uint64_t)(seconds * 1e9);
    struct reading r;

    driver_producer_enter(&producers[0]);
    while (events == 0 || wedr_time_mono_ns() < until) {
        for (unsigned batch = 0; batch < 2; batch++) {
            uint64_t from;

            for (unsigned i = 0; i < FILL; i++) {
                driver_fire_mix(&producers[0], fired++);
            }
            from = wedr_time_mono_ns();
            requests += batch ? read_all(true, FILL) : 0 * read_all(false, FILL);
            spent[batch] += wedr_time_mono_ns() - from;
        }
        events += FILL;
    }
    r.single_ns = (double)spent[0] / (double)events;
    r.batch_ns = (double)spent[1] / (double)events;
    r.events_per_request = (double)events / (double)requests;
    return r;
}

/* ---- producing
 * ----------------------------------------------------------------------------------- */

static atomic_bool stopping;
static _Atomic uint64_t fired_total;

static void produce(void *arg)
{
    struct driver_producer *p = arg;
    uint64_t n = 0;

    driver_producer_enter(p);
    while (!atomic_load_explicit(&stopping, memory_order_relaxed)) {
        driver_fire_mix(p, n++);
    }
    atomic_fetch_add(&fired_total, n);
}

struct producing {
    double events_per_s, lost;
};

/* `count` producers for so long, this thread reads. */
static struct producing measure_producing(unsigned count, double seconds)
{
    struct wedr_thread *threads[PRODUCERS] = {NULL};
    struct wedr_ioctl_stats before = stats(), after;
    uint64_t from = wedr_time_mono_ns(), spent;
    struct producing p = {0, 0};

    atomic_store(&stopping, false);
    atomic_store(&fired_total, 0);
    for (unsigned i = 0; i < count; i++) {
        if (wedr_thread_new(&threads[i], "producer", produce, &producers[i]) != WEDR_OK) {
            die("no thread");
        }
    }
    while ((spent = wedr_time_mono_ns() - from) < (uint64_t)(seconds * 1e9)) {
        if (queued() > 0) {
            read_once(WEDR_IOCTL_GET_EVENTS, BATCH_BYTES);
        }
    }
    atomic_store(&stopping, true);
    for (unsigned i = 0; i < count; i++) {
        wedr_thread_join(threads[i]);
    }
    (void)read_all(true, 0);
    after = stats();
    for (unsigned i = 0; i < WEDR_LANE_COUNT; i++) {
        for (unsigned reason = 0; reason < WEDR_IOCTL_LOST_REASONS; reason++) {
            p.lost += (double)(after.lane[i].lost[reason] - before.lane[i].lost[reason]);
        }
    }
    p.events_per_s = (double)atomic_load(&fired_total) * 1e9 / (double)spent;
    p.lost /= (double)atomic_load(&fired_total);
    return p;
}

/* ---- bytes
 * ---------------------------------------------------------------------------------------- */

/* Of the ring, for one event of that kind. */
static double ring_bytes(enum driver_kind kind)
{
    struct wedr_ioctl_stats s;

    (void)read_all(true, 0);
    for (unsigned i = 0; i < 400; i++) {
        driver_fire(&producers[0], kind, i);
    }
    s = stats();
    return (double)(s.lane[0].bytes_queued + s.lane[1].bytes_queued) / 400;
}

static void all(double seconds)
{
    struct reading r;
    struct producing one, two;
    const char *comma = "";

    start();
    r = measure_reading(seconds);
    one = measure_producing(1, seconds);
    two = measure_producing(2, seconds);
    (void)printf("{\"bench\":\"driver\",\"single_read_ns\":%.0f,\"batch_read_ns\":%.0f,"
                 "\"single_over_batch\":%.1f,\"events_per_batch\":%.0f,"
                 "\"one_producer_events_per_s\":%.0f,\"one_producer_lost\":%.4f,"
                 "\"two_producers_events_per_s\":%.0f,\"two_producers_lost\":%.4f,\"ring_bytes\":{",
                 r.single_ns, r.batch_ns, r.single_ns / r.batch_ns, r.events_per_request,
                 one.events_per_s, one.lost, two.events_per_s, two.lost);
    driver_producer_enter(&producers[0]);
    for (unsigned kind = 0; kind < DRIVER_KINDS; kind++) {
        double bytes = ring_bytes((enum driver_kind)kind);

        if (bytes > 0) {
            (void)printf("%s\"%s\":%.0f", comma, driver_kind_name[kind], bytes);
            comma = ",";
        }
    }
    (void)printf("}}\n");
    stop();
}

/* ---- for the counting of instructions
 * --------------------------------------------------------------- */

static void run_kind(const char *name, uint64_t count)
{
    bool batch = strcmp(name, "batch") == 0;
    bool mix = batch || strcmp(name, "read") == 0;
    unsigned kind = 0;

    while (!mix && kind < DRIVER_KINDS && strcmp(name, driver_kind_name[kind]) != 0) {
        kind++;
    }
    if (kind == DRIVER_KINDS) {
        die("no such kind");
    }
    start();
    (void)read_all(true, 0);
    driver_producer_enter(&producers[0]);
    for (uint64_t done = 0; done < count; done++) {
        if (mix) {
            driver_fire_mix(&producers[0], done);
        } else {
            driver_fire(&producers[0], (enum driver_kind)kind, done);
        }
        if (done % 2000 == 1999 || done + 1 == count) {
            (void)read_all(!mix || batch, done % 2000 + 1);
        }
    }
    (void)printf("{\"fired\":%" PRIu64 "}\n", count);
    stop();
}

int main(int argc, char **argv)
{
    double seconds = argc == 2 ? strtod(argv[1], NULL) : 2.0;

    if (argc == 3) {
        run_kind(argv[1], strtoull(argv[2], NULL, 10));
        return 0;
    }
    if (argc > 3 || !(seconds > 0 && seconds < 600)) {
        (void)fprintf(stderr, "usage: driver [SECONDS] | driver KIND COUNT\n");
        return 2;
    }
    all(seconds);
    return 0;
}
