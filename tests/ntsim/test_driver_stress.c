/* SPDX-License-Identifier: Apache-2.0
 * Producers, readers, cancellers and openers at once: each record ends in exactly one place. */
#include "driver_fixture.h"
#include "driver_threads.h"
#include "nt_direct.h"

#include "core/base/endian.h"

#define PRODUCERS 3u
#define READERS 3u
#define EVENTS 3000u /* of a producer, times the scale */
/* Numbers given in each lane: half of the events, and those that could not be made. */
#define PRODUCED ((size_t)PRODUCERS * events / 2 + PRODUCERS * events / 8)
#define LANE_SMALL (512u << 10)

/* The handle in use. Who begins a request holds it shared; who closes it, alone, and is let in
 * before further requests. */
static struct {
    pthread_rwlock_t lock;
    struct ntsim_file *f;
} handle = {PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP, NULL};

static atomic_uint producing, readers;
static atomic_bool reading;
static unsigned events;          /* of a producer */
static _Atomic uint8_t *seen[2]; /* by lane and seq: how often it was delivered */
static _Atomic uint64_t delivered[2];
static _Atomic uint64_t reopened, cancelled, filters, looks;

/* ---- producers --------------------------------------------------------------------------------
 */

static void produce(void *arg)
{
    struct ntsim_process *p = arg;

    for (unsigned i = 0; i < events; i++) {
        switch (i % 4) {
        case 0:
            ntsim_fire_process_exit_as(p, ntsim_pid(p));
            break;
        case 1:
            driver_fire_image(ntsim_pid(p), false, i, 88 + i % 500 * 2);
            break;
        case 2:
            ntsim_fire_thread(ntsim_pid(p), 12, false);
            break;
        default:
            driver_fire_image(0, true, i, 88 + i % 700 * 2);
            direct_lose(i / 4 % 2);
            break;
        }
    }
    atomic_fetch_sub(&producing, 1);
}

/* ---- readers ----------------------------------------------------------------------------------
 */

static void note_records(const uint8_t *p, size_t len)
{
    size_t at = 0;

    while (at < len) {
        struct wedr_event_view v;

        CHECK(wedr_event_decode(wedr_span(p + at, len - at), &v) == 0);
        CHECK(v.h.stream < 2);
        CHECK(v.h.seq <= PRODUCED);
        CHECK(atomic_fetch_add(&seen[v.h.stream][v.h.seq], 1) == 0);
        atomic_fetch_add(&delivered[v.h.stream], 1);
        at += v.h.size;
    }
    CHECK(at == len && len > 0);
}

static void finish(struct ntsim_irp *r, bool single)
{
    CHECK(ntsim_irp_wait(r, 10000));
    if (ntsim_irp_status(r) == NTSIM_SUCCESS) {
        size_t len;
        const uint8_t *out = ntsim_irp_output(r, &len);

        CHECK(len == ntsim_irp_information(r));
        CHECK(!single || wedr_le32(out + 4) == len);
        note_records(out, len);
    } else {
        CHECK(ntsim_irp_status(r) == NTSIM_CANCELLED);
        CHECK(ntsim_irp_information(r) == 0);
    }
    ntsim_irp_free(r);
}

static void read_records(void *arg)
{
    const uint32_t *code = arg;

    while (atomic_load(&reading)) {
        struct ntsim_irp *r[4];
        int32_t status;

        CHECK(pthread_rwlock_rdlock(&handle.lock) == 0);
        for (unsigned i = 0; i < 4; i++) {
            r[i] = ntsim_ioctl_start(handle.f, *code, NULL, 0, WEDR_RECORD_MAX, &status);
            CHECK(status == NTSIM_SUCCESS || status == NTSIM_PENDING);
        }
        CHECK(pthread_rwlock_unlock(&handle.lock) == 0);
        for (unsigned i = 0; i < 4; i++) {
            finish(r[i], *code == WEDR_IOCTL_GET_EVENT);
        }
    }
    atomic_fetch_sub(&readers, 1);
}

/* ---- disturbers -------------------------------------------------------------------------------
 */

static void cancel_requests(void *arg)
{
    (void)arg;
    while (atomic_load(&reading)) {
        CHECK(pthread_rwlock_rdlock(&handle.lock) == 0);
        atomic_fetch_add(&cancelled, ntsim_cancel_file(handle.f));
        CHECK(pthread_rwlock_unlock(&handle.lock) == 0);
        thread_sleep_us(50);
    }
}

/* CLEANUP comes while others begin requests, CLOSE when nobody does any more. */
static void reopen_handle(void *arg)
{
    (void)arg;
    while (atomic_load(&reading)) {
        int32_t status;

        thread_sleep_us(700);
        CHECK(pthread_rwlock_rdlock(&handle.lock) == 0);
        CHECK(ntsim_cleanup(handle.f) == NTSIM_SUCCESS);
        CHECK(pthread_rwlock_unlock(&handle.lock) == 0);
        CHECK(pthread_rwlock_wrlock(&handle.lock) == 0);
        /* A producer may be completing one that it took before: NT waits for that, too. What is
         * parked for good, CLOSE reports. */
        for (unsigned i = 0; i < 50000 && ntsim_parked() > 0; i++) {
            thread_sleep_us(100);
        }
        CHECK(ntsim_close(handle.f) == NTSIM_SUCCESS);
        handle.f = ntsim_open(&status);
        CHECK(handle.f && status == NTSIM_SUCCESS);
        CHECK(pthread_rwlock_unlock(&handle.lock) == 0);
        atomic_fetch_add(&reopened, 1);
    }
}

static void replace_filters(void *arg)
{
    static const struct ntsim_text paths[] = {NTSIM_TEXT(u"\\Device\\Nothing"),
                                              NTSIM_TEXT(u"\\Device\\Nothing\\else")};
    uint8_t *filter = arg;

    for (unsigned i = 0; atomic_load(&reading); i++) {
        size_t len = driver_make_filter(filter, WEDR_CLASS_ALL, paths, i % 3, NULL, 0);

        CHECK(pthread_rwlock_rdlock(&handle.lock) == 0);
        CHECK(ntsim_ioctl(handle.f, WEDR_IOCTL_SET_FILTER, filter, len, NULL, 0, NULL, NULL) == 0);
        CHECK(pthread_rwlock_unlock(&handle.lock) == 0);
        atomic_fetch_add(&filters, 1);
        thread_sleep_us(30);
    }
}

static struct wedr_ioctl_stats look(void)
{
    struct wedr_ioctl_stats s;

    CHECK(pthread_rwlock_rdlock(&handle.lock) == 0);
    CHECK(ntsim_ioctl(handle.f, WEDR_IOCTL_GET_STATS, NULL, 0, &s, sizeof(s), NULL, NULL) == 0);
    CHECK(pthread_rwlock_unlock(&handle.lock) == 0);
    for (unsigned i = 0; i < 2; i++) {
        CHECK(s.lane[i].delivered + s.lane[i].queued + driver_lost(&s.lane[i]) ==
              s.lane[i].produced);
    }
    CHECK(s.bugs == 0 && s.parked <= 64);
    return s;
}

static void watch_statistics(void *arg)
{
    struct wedr_ioctl_stats before = look();

    (void)arg;
    while (atomic_load(&reading)) {
        struct wedr_ioctl_stats s = look();

        for (unsigned i = 0; i < 2; i++) {
            CHECK(s.lane[i].produced >= before.lane[i].produced);
            CHECK(s.lane[i].delivered >= before.lane[i].delivered);
            CHECK(driver_lost(&s.lane[i]) >= driver_lost(&before.lane[i]));
        }
        before = s;
        atomic_fetch_add(&looks, 1);
        thread_sleep_us(40);
    }
}

/* ---- all of them ------------------------------------------------------------------------------
 */

static void expect_each_record_once(void)
{
    struct wedr_ioctl_stats s = look();

    for (unsigned lane = 0; lane < 2; lane++) {
        uint64_t found = 0;

        assert_int_equal(s.lane[lane].produced, PRODUCED);
        assert_int_equal(s.lane[lane].lost[WEDR_LOSS_REASON_SCRATCH], PRODUCERS * events / 8);
        assert_int_equal(s.lane[lane].queued, 0);
        assert_int_equal(s.lane[lane].delivered, atomic_load(&delivered[lane]));
        for (uint64_t seq = 1; seq <= s.lane[lane].produced; seq++) {
            found += atomic_load(&seen[lane][seq]);
        }
        assert_int_equal(found, s.lane[lane].delivered);
        assert_int_equal(found + driver_lost(&s.lane[lane]), s.lane[lane].produced);
        assert_int_equal(s.lane[lane].filtered, 0);
    }
    assert_int_equal(s.filter_generation, atomic_load(&filters));
    assert_int_equal(s.callback[WEDR_CALLBACK_PROCESS].calls, (uint64_t)PRODUCERS * events / 4);
    assert_int_equal(s.callback[WEDR_CALLBACK_IMAGE].events, (uint64_t)PRODUCERS * events / 2);
    assert_int_equal(s.callback[WEDR_CALLBACK_THREAD].events, (uint64_t)PRODUCERS * events / 4);
}

static void wait_until_read(void)
{
    for (;;) {
        struct wedr_ioctl_stats s = look();

        if (atomic_load(&producing) == 0 && s.lane[0].queued + s.lane[1].queued == 0) {
            return;
        }
        thread_sleep_us(500);
    }
}

static void run_all(struct ntsim_process **p, uint8_t *filter)
{
    static uint32_t codes[READERS] = {WEDR_IOCTL_GET_EVENT, WEDR_IOCTL_GET_EVENTS,
                                      WEDR_IOCTL_GET_EVENT};
    struct thread producer[PRODUCERS], reader[READERS], other[4];

    atomic_store(&producing, PRODUCERS);
    atomic_store(&readers, READERS);
    atomic_store(&reading, true);
    for (unsigned i = 0; i < READERS; i++) {
        thread_start(&reader[i], read_records, &codes[i]);
    }
    thread_start(&other[0], cancel_requests, NULL);
    thread_start(&other[1], reopen_handle, NULL);
    thread_start(&other[2], replace_filters, filter);
    thread_start(&other[3], watch_statistics, NULL);
    /* On a busy machine the producers could be done before the others have begun. */
    while (atomic_load(&reopened) == 0 || atomic_load(&filters) == 0 || atomic_load(&looks) == 0) {
        thread_sleep_us(100);
    }
    for (unsigned i = 0; i < PRODUCERS; i++) {
        thread_start(&producer[i], produce, p[i]);
    }
    for (unsigned i = 0; i < PRODUCERS; i++) {
        thread_join(&producer[i]);
    }
    wait_until_read();
    atomic_store(&reading, false);
    for (unsigned i = 1; i < 4; i++) {
        thread_join(&other[i]);
    }
    thread_join(&other[0]);
    /* What is parked still waits, and a reader may be about to park more: nobody else cancels. */
    while (atomic_load(&readers) > 0) {
        (void)ntsim_cancel_file(handle.f);
        thread_sleep_us(50);
    }
    assert_int_equal(ntsim_parked(), 0);
    for (unsigned i = 0; i < READERS; i++) {
        thread_join(&reader[i]);
    }
}

static void every_record_ends_in_exactly_one_place(void **state)
{
    struct ntsim_process *p[PRODUCERS];
    uint8_t *filter = malloc(WEDR_FILTER_MAX);
    int32_t status;

    (void)state;
    driver_time_limit(20 * threads_scale());
    events = EVENTS * threads_scale() & ~7u;
    for (unsigned i = 0; i < 2; i++) {
        seen[i] = calloc(PRODUCED + 1, 1);
        assert_non_null(seen[i]);
        atomic_store(&delivered[i], 0);
    }
    driver_set_lanes(LANE_SMALL, LANE_SMALL);
    for (unsigned i = 0; i < PRODUCERS; i++) {
        p[i] = driver_process(100 + i * 4, 4);
        ntsim_process_fail(p[i], NTSIM_FAIL_HIDDEN);
    }
    driver_load();
    handle.f = ntsim_open(&status);
    assert_non_null(handle.f);
    run_all(p, filter);
    expect_each_record_once();
    assert_true(atomic_load(&reopened) > 0 && atomic_load(&filters) > 0 && atomic_load(&looks) > 0);
    ntsim_close_handle(handle.f);
    for (unsigned i = 0; i < 2; i++) {
        free((void *)seen[i]);
    }
    free(filter);
}

/* ---- unload under load ------------------------------------------------------------------------
 */

struct firing {
    struct ntsim_process *p;
    struct ntsim_thread *t;
    _Atomic uint64_t rounds;
};

static void fire_all_kinds(void *arg)
{
    struct firing *a = arg;
    const struct ntsim_handle h = {.process = ntsim_system(), .access = 0x1fffff};
    struct ntsim_key *k = ntsim_key_new(
        NTSIM_TEXT(u"\\REGISTRY\\MACHINE\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Run"));
    struct ntsim_registry rename = {.op = NTSIM_REG_RENAME, .key = k, .name = NTSIM_TEXT(u"Other")};

    ntsim_set_current(a->t);
    while (atomic_load(&reading)) {
        driver_fire_start(a->p, NTSIM_TEXT(u"x.exe"));
        (void)ntsim_fire_registry_pre(&rename);
        driver_fire_image(ntsim_pid(a->p), false, 1, 300);
        ntsim_fire_thread(ntsim_pid(a->p), 12, true);
        (void)ntsim_fire_handle(&h);
        (void)ntsim_fire_registry_set_value(k, NTSIM_TEXT(u"v"), 1, u"d", 2, NTSIM_SUCCESS);
        (void)ntsim_fire_registry_post(&rename, NTSIM_SUCCESS);
        ntsim_fire_process_exit_as(a->p, ntsim_pid(a->p));
        atomic_fetch_add(&a->rounds, 1);
    }
}

static void the_driver_unloads_while_all_callbacks_fire(void **state)
{
    struct firing a[2] = {{0}};
    struct thread t[2];

    (void)state;
    driver_time_limit(20 * threads_scale());
    for (unsigned i = 0; i < 2; i++) {
        a[i].p = driver_process(100 + i * 4, 4);
        a[i].t = ntsim_thread_new(a[i].p, 1000 + i * 4);
    }
    atomic_store(&reading, true);
    for (unsigned i = 0; i < 2; i++) {
        thread_start(&t[i], fire_all_kinds, &a[i]);
    }
    /* On a busy machine as long as it takes until both have fired everything. */
    for (unsigned i = 0; i < 20 * threads_scale() || atomic_load(&a[0].rounds) == 0 ||
                         atomic_load(&a[1].rounds) == 0;
         i++) {
        struct ntsim_irp *r[8];
        struct ntsim_file *f = driver_start();
        int32_t status;

        for (unsigned k = 0; k < 8; k++) {
            r[k] = ntsim_ioctl_start(f, WEDR_IOCTL_GET_EVENTS, NULL, 0, WEDR_RECORD_MAX, &status);
        }
        thread_sleep_us(i % 5 * 500);
        ntsim_unload();
        for (unsigned k = 0; k < 8; k++) {
            assert_true(ntsim_irp_done(r[k]));
            ntsim_irp_free(r[k]);
        }
        driver_close();
        assert_int_equal(ntsim_pool_live(), 0);
    }
    atomic_store(&reading, false);
    for (unsigned i = 0; i < 2; i++) {
        thread_join(&t[i]);
        assert_true(a[i].rounds > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DRIVER_TEST(every_record_ends_in_exactly_one_place),
        DRIVER_TEST(the_driver_unloads_while_all_callbacks_fire),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
