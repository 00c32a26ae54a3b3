/* SPDX-License-Identifier: Apache-2.0
 * Files, requests and their cancellation, with the tiny driver. */
#include "ntsim.h"
#include "tiny.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct ntsim_file *file;

static int setup(void **state)
{
    int32_t status;

    (void)state;
    tiny_sin = TINY_GOOD;
    ntsim_reset();
    if (ntsim_load() != 0) {
        return -1;
    }
    file = ntsim_open(&status);
    return file ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    if (ntsim_loaded()) {
        ntsim_close_handle(file);
        ntsim_unload();
    }
    ntsim_reset();
    return 0;
}

static struct ntsim_irp *park(void)
{
    int32_t status;
    struct ntsim_irp *r = ntsim_ioctl_start(file, TINY_CODE(TINY_PARK), NULL, 0, 16, &status);

    assert_int_equal(status, NTSIM_PENDING);
    return r;
}

static void release(int rude)
{
    assert_int_equal(ntsim_ioctl(file, TINY_CODE(rude ? TINY_RELEASE_RUDELY : TINY_RELEASE), NULL,
                                 0, NULL, 0, NULL, NULL),
                     0);
}

static void answered_at_once(void **state)
{
    uint32_t out = 0;
    size_t len = 9;

    (void)state;
    assert_int_equal(
        ntsim_ioctl(file, TINY_CODE(TINY_GOOD), "abc", 3, &out, sizeof(out), &len, NULL), 0);
    assert_int_equal(out, sizeof(out));
    assert_int_equal(len, sizeof(out));
    assert_int_equal(ntsim_ioctl(file, TINY_CODE(TINY_GOOD), "abcdefg", 7, NULL, 3, &len, NULL),
                     NTSIM_BUFFER_TOO_SMALL);
    assert_int_equal(ntsim_completions(), 3); /* with CREATE */
}

static void other_functions_are_refused(void **state)
{
    int32_t status;
    struct ntsim_irp *r = ntsim_major_start(file, 3, &status);

    (void)state;
    assert_int_equal(status, NTSIM_INVALID_DEVICE_REQUEST);
    assert_int_equal(ntsim_irp_status(r), NTSIM_INVALID_DEVICE_REQUEST);
    ntsim_irp_free(r);
}

static void parked_and_released(void **state)
{
    struct ntsim_irp *r = park();
    size_t len;

    (void)state;
    assert_false(ntsim_irp_done(r));
    assert_false(ntsim_irp_wait(r, 1));
    assert_int_equal(ntsim_parked(), 1);
    release(0);
    assert_true(ntsim_irp_wait(r, 0));
    assert_int_equal(ntsim_irp_status(r), 0);
    assert_int_equal(ntsim_irp_information(r), 4);
    assert_memory_equal(ntsim_irp_output(r, &len), "tiny", 4);
    assert_int_equal(len, 4);
    assert_false(ntsim_cancel(r));
    ntsim_irp_free(r);
}

static void cancelled(void **state)
{
    struct ntsim_irp *r = park();
    size_t len;

    (void)state;
    assert_true(ntsim_cancel(r));
    assert_int_equal(ntsim_irp_status(r), NTSIM_CANCELLED);
    assert_null(ntsim_irp_output(r, &len));
    assert_int_equal(len, 0);
    ntsim_irp_free(r);
    assert_int_equal(ntsim_ioctl(file, TINY_CODE(TINY_PARK), NULL, 0, NULL, 16, NULL, NULL),
                     NTSIM_CANCELLED);
}

static void cancelled_in_two_halves(void **state)
{
    struct ntsim_irp *r = park();

    (void)state;
    assert_true(ntsim_cancel_begin(r));
    assert_false(ntsim_cancel_begin(r));
    release(0); /* leaves it alone */
    assert_false(ntsim_irp_done(r));
    ntsim_cancel_finish(r);
    assert_int_equal(ntsim_irp_status(r), NTSIM_CANCELLED);
    ntsim_irp_free(r);
}

static void completed_between_the_halves_is_a_violation(void **state)
{
    struct ntsim_irp *r = park();

    (void)state;
    ntsim_record();
    assert_true(ntsim_cancel_begin(r));
    release(1);
    assert_int_equal(ntsim_violated("irp.cancel_owned"), 1);
    assert_true(ntsim_irp_done(r));
    ntsim_cancel_finish(r);
    ntsim_irp_free(r);
    assert_int_equal(ntsim_violations(), 1);
}

static void set_flag(void *arg)
{
    ntsim_cancel_file(arg); /* on another processor, while the driver holds its lock */
}

/* IoCancelIrp finds no routine yet; the driver sees Cancel itself. */
static void cancelled_before_it_is_parked(void **state)
{
    int32_t status;
    struct ntsim_irp *r;

    (void)state;
    ntsim_hook("KeAcquireInStackQueuedSpinLock", set_flag, file);
    r = ntsim_ioctl_start(file, TINY_CODE(TINY_PARK), NULL, 0, 16, &status);
    assert_int_equal(status, NTSIM_PENDING);
    assert_int_equal(ntsim_irp_status(r), NTSIM_CANCELLED);
    ntsim_hook("KeAcquireInStackQueuedSpinLock", NULL, NULL);
    ntsim_irp_free(r);
}

static void cancelled_by_file_thread_and_process(void **state)
{
    struct ntsim_process *p = ntsim_process_new(&(struct ntsim_process_spec){.pid = 100});
    struct ntsim_thread *a = ntsim_thread_new(p, 101), *b = ntsim_thread_new(p, 102);
    struct ntsim_irp *r[4];

    (void)state;
    r[0] = park();
    ntsim_set_current(a);
    r[1] = park();
    ntsim_set_current(b);
    r[2] = park();
    r[3] = park();
    ntsim_set_current(NULL);
    assert_int_equal(ntsim_cancel_thread(a), 1);
    assert_true(ntsim_irp_done(r[1]));
    assert_int_equal(ntsim_cancel_process(p), 2);
    assert_true(ntsim_irp_done(r[2]) && ntsim_irp_done(r[3]) && !ntsim_irp_done(r[0]));
    assert_int_equal(ntsim_cancel_file(file), 1);
    for (unsigned i = 0; i < 4; i++) {
        ntsim_irp_free(r[i]);
    }
}

static void exclusive_device_opens_once(void **state)
{
    int32_t status;
    struct ntsim_file *second;
    struct ntsim_irp *r = park();

    (void)state;
    assert_null(ntsim_open(&status));
    assert_int_equal(status, NTSIM_ACCESS_DENIED);
    second = ntsim_open_shared(&status);
    assert_non_null(second);
    assert_int_equal(ntsim_cleanup(second), 0);
    assert_int_equal(ntsim_close(second), 0);
    assert_false(ntsim_irp_done(r)); /* of the other file */
    assert_int_equal(ntsim_cleanup(file), 0);
    assert_int_equal(ntsim_irp_status(r), NTSIM_CANCELLED);
    ntsim_irp_free(r);
    assert_int_equal(ntsim_close(file), 0);
    file = ntsim_open(&status);
    assert_non_null(file);
}

static void names_and_devices(void **state)
{
    struct ntsim_device d;
    struct ntsim_text target;
    struct ntsim_file *f;
    int32_t status;

    (void)state;
    assert_true(ntsim_device(NTSIM_TEXT(u"\\Device\\WazabiEDR"), &d));
    assert_true(d.exclusive && !d.has_dacl && (d.flags & 0x80u));
    assert_int_equal(d.type, 0x22);
    assert_int_equal(d.characteristics, 0x100);
    assert_true(ntsim_link(NTSIM_TEXT(u"\\??\\wazabiedr"), &target));
    assert_int_equal(target.len, 34);
    assert_false(ntsim_link(NTSIM_TEXT(u"\\??\\Other"), &target));
    assert_null(ntsim_open_name(NTSIM_TEXT(u"\\Device\\Other"), &status));
    assert_int_equal(status, NTSIM_OBJECT_NAME_NOT_FOUND);
    ntsim_close_handle(file);
    f = ntsim_open_name(NTSIM_TEXT(u"\\Device\\WazabiEDR\\tail"), &status);
    assert_non_null(f);
    file = f;
}

static void open_file_outlives_the_driver(void **state)
{
    int32_t status;
    struct ntsim_irp *r = park();

    (void)state;
    ntsim_unload(); /* the tiny driver cancels what is parked */
    assert_int_equal(ntsim_irp_status(r), NTSIM_CANCELLED);
    ntsim_irp_free(r);
    assert_int_equal(ntsim_close(file), 0);
    assert_null(ntsim_open(&status));
}

/* ---- threads ------------------------------------------------------------------------------------
 */

#define ROUNDS 400u
static atomic_uint answered, taken_back, finished;

static void *parker(void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct ntsim_irp *r = park();

        if (i % 3 == 0) {
            ntsim_cancel(r);
        }
        while (!ntsim_irp_wait(r, 1)) {
            release(0);
        }
        if (ntsim_irp_status(r) == 0) {
            atomic_fetch_add(&answered, 1);
        } else {
            atomic_fetch_add(&taken_back, 1);
        }
        ntsim_irp_free(r);
    }
    atomic_fetch_add(&finished, 1);
    return NULL;
}

static void *releaser(void *arg)
{
    (void)arg;
    while (atomic_load(&finished) < 3) {
        release(0);
    }
    return NULL;
}

static void many_threads(void **state)
{
    pthread_t t[4];

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&t[i], NULL, i < 3 ? parker : releaser, NULL), 0);
    }
    for (unsigned i = 0; i < 4; i++) {
        pthread_join(t[i], NULL);
    }
    assert_int_equal(atomic_load(&answered) + atomic_load(&taken_back), 3 * ROUNDS);
    assert_int_equal(ntsim_parked(), 0);
}

static void *keep_lock(void *arg)
{
    int32_t status;

    (void)arg;
    ntsim_irp_free(ntsim_ioctl_start(file, TINY_CODE(TINY_LOCK_KEPT), NULL, 0, 0, &status));
    return NULL;
}

static void lock_that_never_gets_free(void **state)
{
    pthread_t t;
    int32_t status;

    (void)state;
    ntsim_record();
    ntsim_lock_timeout(20);
    assert_int_equal(pthread_create(&t, NULL, keep_lock, NULL), 0);
    pthread_join(t, NULL);
    ntsim_irp_free(ntsim_ioctl_start(file, TINY_CODE(TINY_LOCK_TWICE), NULL, 0, 0, &status));
    assert_int_equal(ntsim_violated("lock.held"), 1);
    assert_int_equal(ntsim_violated("lock.stuck"), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(answered_at_once),
        TEST(other_functions_are_refused),
        TEST(parked_and_released),
        TEST(cancelled),
        TEST(cancelled_in_two_halves),
        TEST(completed_between_the_halves_is_a_violation),
        TEST(cancelled_before_it_is_parked),
        TEST(cancelled_by_file_thread_and_process),
        TEST(exclusive_device_opens_once),
        TEST(names_and_devices),
        TEST(open_file_outlives_the_driver),
        TEST(many_threads),
        TEST(lock_that_never_gets_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
