/* SPDX-License-Identifier: Apache-2.0
 * What is parked is guarded by the queue's lock: each function that reads or changes it is called
 * with that lock held. Linked with --wrap for all of them. */
#include "driver_fixture.h"
#include "sim.h"

enum call { PARK, TAKE, OPEN, CLOSE, COUNT_CANCELLED, PARKED, CANCELLED, CALLS };

static struct {
    void *lock; /* of the first call; the same for all */
    unsigned calls[CALLS], wrong;
} seen;

static void see(enum call which)
{
    seen.calls[which]++;
    if (sim_self.held_count == 0) {
        seen.wrong++;
        return;
    }
    if (!seen.lock) {
        seen.lock = sim_self.held[0].lock;
    }
    seen.wrong += sim_self.held_count != 1 || sim_self.held[0].lock != seen.lock;
}

int32_t __real_wedr_irpq_park(void *irp);
int32_t __wrap_wedr_irpq_park(void *irp);
int32_t __wrap_wedr_irpq_park(void *irp)
{
    see(PARK);
    return __real_wedr_irpq_park(irp);
}

void *__real_wedr_irpq_take(void *file);
void *__wrap_wedr_irpq_take(void *file);
void *__wrap_wedr_irpq_take(void *file)
{
    see(TAKE);
    return __real_wedr_irpq_take(file);
}

void __real_wedr_irpq_open(void *file);
void __wrap_wedr_irpq_open(void *file);
void __wrap_wedr_irpq_open(void *file)
{
    see(OPEN);
    __real_wedr_irpq_open(file);
}

void __real_wedr_irpq_close(void *file);
void __wrap_wedr_irpq_close(void *file);
void __wrap_wedr_irpq_close(void *file)
{
    see(CLOSE);
    __real_wedr_irpq_close(file);
}

void __real_wedr_irpq_count_cancelled(void);
void __wrap_wedr_irpq_count_cancelled(void);
void __wrap_wedr_irpq_count_cancelled(void)
{
    see(COUNT_CANCELLED);
    __real_wedr_irpq_count_cancelled();
}

uint32_t __real_wedr_irpq_parked(void);
uint32_t __wrap_wedr_irpq_parked(void);
uint32_t __wrap_wedr_irpq_parked(void)
{
    see(PARKED);
    return __real_wedr_irpq_parked();
}

uint64_t __real_wedr_irpq_cancelled(void);
uint64_t __wrap_wedr_irpq_cancelled(void);
uint64_t __wrap_wedr_irpq_cancelled(void)
{
    see(CANCELLED);
    return __real_wedr_irpq_cancelled();
}

static void what_is_parked_is_touched_under_the_lock_alone(void **state)
{
    struct ntsim_irp *left[3];
    struct driver_event e;
    struct ntsim_irp *r;
    struct ntsim_file *f;

    (void)state;
    memset(&seen, 0, sizeof(seen));
    f = driver_start();
    r = driver_park(f);
    driver_fire_exit(driver_process(8, 4)); /* takes it */
    e = driver_take(r);
    driver_event_free(&e);
    driver_cancel(driver_park(f));
    for (unsigned i = 0; i < 3; i++) {
        left[i] = driver_park(f);
    }
    assert_int_equal(driver_stats(f).parked, 3);
    driver_unload(); /* closes the handle first */
    for (unsigned i = 0; i < 3; i++) {
        driver_expect(left[i], NTSIM_CANCELLED, 0);
    }
    assert_int_equal(seen.wrong, 0);
    assert_int_equal(seen.calls[PARK], 5);
    assert_int_equal(seen.calls[OPEN], 1);
    assert_int_equal(seen.calls[COUNT_CANCELLED], 3);
    assert_int_equal(seen.calls[PARKED], 1);
    assert_int_equal(seen.calls[CANCELLED], 1);
    assert_true(seen.calls[TAKE] >= 4 && seen.calls[CLOSE] >= 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DRIVER_TEST(what_is_parked_is_touched_under_the_lock_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
