/* SPDX-License-Identifier: Apache-2.0
 * A tree of processes at full speed, as a build makes them, while a flood of other events runs:
 * with the rings as they come, one reader misses no start and no end of a process. */
#include "driver_fixture.h"
#include "driver_threads.h"

#include "core/base/endian.h"

#define PARENTS 40u
#define CHILDREN 100u
#define STARTS (PARENTS * CHILDREN)
#define THREADS 4u
/* Between two starts of one thread. To make a process costs Windows more than that. */
#define PAUSE_US 300u

#define PARENT_PID(i) (1000u + (i)*4u)
#define CHILD_PID(i) (10000u + (i)*4u)

static atomic_bool flooding, reading;
static struct {
    uint8_t started[STARTS], ended[STARTS]; /* of each child: records seen */
    uint32_t handles, injections, first_threads;
    uint64_t last_seq[2], holes[2];
    struct ntsim_file *f;
} reader;

/* ---- the machine ------------------------------------------------------------------------------
 */

/* What happens in a thread of the parent, in the kernel's order: the process is opened and its
 * first thread made; then the start is announced, the thread, and the thread's handle given. */
static void start_child(struct ntsim_process *child, struct ntsim_thread *first)
{
    const struct ntsim_handle process = {.process = child, .access = 0x1fffff};
    const struct ntsim_handle thread = {.thread = first, .access = 0x1fffff};

    (void)ntsim_fire_handle(&process);
    driver_fire_start(child, NTSIM_TEXT(u"cc1.exe -O2 -o something.o something.c"));
    ntsim_fire_thread(ntsim_pid(child), ntsim_tid(first), true);
    (void)ntsim_fire_handle(&thread);
}

static void end_child(struct ntsim_process *child, struct ntsim_thread *first)
{
    ntsim_set_current(first);
    ntsim_fire_thread(ntsim_pid(child), ntsim_tid(first), false);
    ntsim_fire_process_exit(child);
    ntsim_process_end(child);
}

/* Ten parents of one thread of the test, one start of each in turn. */
static void make_children(void *arg)
{
    unsigned group = *(unsigned *)arg;

    for (unsigned i = 0; i < STARTS / THREADS; i++) {
        unsigned number = group * (STARTS / THREADS) + i;
        unsigned parent = PARENT_PID(group * (PARENTS / THREADS) + i % (PARENTS / THREADS));
        struct ntsim_process *child = driver_process(CHILD_PID(number), parent);
        struct ntsim_thread *first = ntsim_thread_new(child, 100000u + number * 4u);

        ntsim_set_current(ntsim_thread_new(ntsim_process_find(parent), 500000u + number * 4u));
        start_child(child, first);
        end_child(child, first);
        thread_sleep_us(PAUSE_US);
    }
}

static void flood(void *arg)
{
    struct ntsim_process *p = ntsim_process_find(PARENT_PID(0));
    unsigned i = 0;

    (void)arg;
    ntsim_set_current(ntsim_thread_new(p, 900000));
    while (atomic_load(&flooding)) {
        for (unsigned k = 0; k < 64; k++) {
            driver_fire_image(ntsim_pid(p), false, i++, DRIVER_IMAGE_FIXED + 120);
        }
        thread_sleep_us(20);
    }
}

/* ---- the agent --------------------------------------------------------------------------------
 */

static void note(const struct wedr_event_view *v)
{
    uint64_t pid = wedr_event_uint(v, wedr_event_field(v, "pid"));
    uint64_t key = wedr_event_uint(v, wedr_event_field(v, "process_key"));
    size_t number = pid >= CHILD_PID(0) ? (pid - CHILD_PID(0)) / 4 : STARTS;

    if (v->h.type == WEDR_EV_PROCESS_CREATE || v->h.type == WEDR_EV_PROCESS_TERMINATE) {
        CHECK(number < STARTS && key == DRIVER_KEY(pid));
        CHECK(v->h.stream == WEDR_STREAM_CRITICAL);
    }
    if (v->h.type == WEDR_EV_PROCESS_CREATE) {
        CHECK(++reader.started[number] == 1);
    } else if (v->h.type == WEDR_EV_PROCESS_TERMINATE) {
        CHECK(reader.started[number] == 1 && ++reader.ended[number] == 1);
    } else if (v->h.type == WEDR_EV_THREAD_CREATE) {
        reader.injections += v->h.stream == WEDR_STREAM_CRITICAL;
        reader.first_threads += wedr_event_uint(v, wedr_event_field(v, "first_thread")) == 1;
    }
}

static void note_all(const uint8_t *p, size_t len)
{
    for (size_t at = 0; at < len;) {
        struct wedr_event_view v;

        CHECK(wedr_event_decode(wedr_span(p + at, len - at), &v) == 0);
        CHECK(v.h.seq > reader.last_seq[v.h.stream]);
        reader.holes[v.h.stream] += v.h.seq - reader.last_seq[v.h.stream] - 1;
        reader.last_seq[v.h.stream] = v.h.seq;
        if (v.h.type == WEDR_EV_PROCESS_HANDLE_ACCESS) {
            reader.handles++;
        } else {
            note(&v);
        }
        at += v.h.size;
    }
}

static void read_batches(void *arg)
{
    (void)arg;
    while (atomic_load(&reading)) {
        int32_t status;
        struct ntsim_irp *r = ntsim_ioctl_start(reader.f, WEDR_IOCTL_GET_EVENTS, NULL, 0,
                                                2 * WEDR_RECORD_MAX, &status);

        CHECK(ntsim_irp_wait(r, 10000));
        if (ntsim_irp_status(r) == NTSIM_SUCCESS) {
            size_t len;
            const uint8_t *out = ntsim_irp_output(r, &len);

            note_all(out, len);
        }
        ntsim_irp_free(r);
    }
}

/* ---- the test ---------------------------------------------------------------------------------
 */

static void run_machine(void)
{
    static unsigned groups[THREADS] = {0, 1, 2, 3};
    struct thread maker[THREADS], agent, noise;

    atomic_store(&flooding, true);
    atomic_store(&reading, true);
    thread_start(&agent, read_batches, NULL);
    thread_start(&noise, flood, NULL);
    for (unsigned i = 0; i < THREADS; i++) {
        thread_start(&maker[i], make_children, &groups[i]);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        thread_join(&maker[i]);
    }
    atomic_store(&flooding, false);
    thread_join(&noise);
    for (;;) {
        struct wedr_ioctl_stats s = driver_stats(reader.f);

        if (s.lane[0].queued + s.lane[1].queued == 0 && s.parked == 1) {
            break;
        }
        thread_sleep_us(500);
    }
    atomic_store(&reading, false);
    assert_int_equal(ntsim_cancel_file(reader.f), 1);
    thread_join(&agent);
}

static void d22_a_tree_of_four_thousand_processes_loses_no_start(void **state)
{
    struct wedr_ioctl_stats s;

    (void)state;
    driver_time_limit(30);
    memset(&reader, 0, sizeof(reader));
    for (unsigned i = 0; i < PARENTS; i++) {
        struct ntsim_process *p = driver_process(PARENT_PID(i), 4);

        ntsim_process_fail(p, NTSIM_FAIL_HIDDEN);
    }
    reader.f = driver_start();
    run_machine();
    s = driver_stats(reader.f);
    for (unsigned i = 0; i < STARTS; i++) {
        assert_int_equal(reader.started[i], 1);
        assert_int_equal(reader.ended[i], 1);
    }
    assert_int_equal(s.lane[0].produced, 2 * STARTS);
    assert_int_equal(s.lane[0].delivered, 2 * STARTS);
    assert_int_equal(driver_lost(&s.lane[0]), 0);
    assert_int_equal(reader.holes[0], 0);
    assert_int_equal(reader.holes[1], driver_lost(&s.lane[1]));
    assert_int_equal(reader.handles, 0); /* those of a creation are no access */
    assert_int_equal(reader.injections, 0);
    assert_true(reader.first_threads + driver_lost(&s.lane[1]) >= STARTS);
    assert_int_equal(s.processes, 0);
    assert_int_equal(s.processes_untracked, 0);
    assert_int_equal(s.callback[WEDR_CALLBACK_HANDLE].calls, 2 * STARTS);
    assert_int_equal(s.callback[WEDR_CALLBACK_HANDLE].events, 0);
    assert_int_equal(s.callback[WEDR_CALLBACK_THREAD].events, 2 * STARTS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DRIVER_TEST(d22_a_tree_of_four_thousand_processes_loses_no_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
