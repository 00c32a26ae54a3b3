/* SPDX-License-Identifier: Apache-2.0
 * Each rule of rules.def bites: the tiny driver breaks them one by one. */
#include "ntsim.h"
#include "tiny.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#if defined(__has_feature)
#    if __has_feature(address_sanitizer)
#        define WITH_ASAN 1
#    endif
#endif
#if defined(__SANITIZE_ADDRESS__) && !defined(WITH_ASAN)
#    define WITH_ASAN 1
#endif
#ifndef WITH_ASAN
#    define WITH_ASAN 0
#endif

void *sim_key_body(struct ntsim_key *k);

static const struct {
    const char *name, *rule;
    int command, when;
} sins[] = {
#define TINY(name, rule, when) {#name, rule, TINY_##name, when},
    TINY_SINS
#undef TINY
};
#define SINS (sizeof(sins) / sizeof(sins[0]))

/* One life of the driver in which it commits the sin. */
static void live(int command)
{
    int32_t status;
    struct ntsim_file *f;
    struct ntsim_irp *r;

    ntsim_reset();
    ntsim_record();
    tiny_sin = command;
    tiny_key = sim_key_body(command == TINY_NAME_DEAD_KEY
                                ? ntsim_key_dead()
                                : ntsim_key_new(NTSIM_TEXT(u"\\REGISTRY\\MACHINE")));
    assert_int_equal(ntsim_load(), 0);
    f = ntsim_open(&status);
    assert_non_null(f);
    r = ntsim_ioctl_start(f, TINY_CODE(command), NULL, 0, 16, &status);
    ntsim_fire_thread(4, 8, true);
    ntsim_set_irql(0);
    ntsim_close_handle(f);
    ntsim_unload();
    if (ntsim_irp_done(r)) {
        ntsim_irp_free(r);
    }
    tiny_sin = TINY_GOOD;
}

static void each_sin_breaks_its_rule(void **state)
{
    (void)state;
    for (size_t i = 0; i < SINS; i++) {
        if (WITH_ASAN && sins[i].when == 2) {
            continue; /* the address sanitizer ends the program first, as it should */
        }
        live(sins[i].command);
        if (ntsim_violated(sins[i].rule) == 0) {
            fail_msg("%s does not break %s", sins[i].name, sins[i].rule);
        }
    }
    ntsim_reset();
}

static void a_good_life_breaks_none(void **state)
{
    (void)state;
    live(TINY_GOOD);
    assert_int_equal(ntsim_violations(), 0);
    live(TINY_PARK);
    assert_int_equal(ntsim_violations(), 0);
    ntsim_reset();
}

static void request_parked_at_unload(void **state)
{
    int32_t status;
    struct ntsim_irp *r;
    struct ntsim_file *f;

    (void)state;
    ntsim_reset();
    ntsim_record();
    assert_int_equal(ntsim_load(), 0);
    f = ntsim_open(&status);
    r = ntsim_ioctl_start(f, TINY_CODE(TINY_IRP_FORGOTTEN), NULL, 0, 16, &status);
    assert_int_equal(ntsim_parked(), 1);
    ntsim_unload();
    assert_int_equal(ntsim_violated("irp.parked_at_unload"), 1);
    assert_true(ntsim_irp_done(r));
    ntsim_close(f);
    ntsim_reset();
}

static void request_freed_by_the_test_while_pending(void **state)
{
    int32_t status;
    struct ntsim_irp *r;
    struct ntsim_file *f;

    (void)state;
    ntsim_reset();
    ntsim_record();
    assert_int_equal(ntsim_load(), 0);
    f = ntsim_open(&status);
    r = ntsim_ioctl_start(f, TINY_CODE(TINY_PARK), NULL, 0, 16, &status);
    assert_int_equal(status, NTSIM_PENDING);
    ntsim_irp_free(r);
    assert_int_equal(ntsim_violated("irp.freed_pending"), 1);
    assert_true(ntsim_cancel(r));
    ntsim_irp_free(r);
    assert_int_equal(ntsim_violations(), 1);
    ntsim_close_handle(f);
    ntsim_reset();
}

static void process_freed_while_the_driver_holds_it(void **state)
{
    int32_t status;
    struct ntsim_file *f;
    struct ntsim_process *p;

    (void)state;
    ntsim_reset();
    ntsim_record();
    p = ntsim_process_new(&(struct ntsim_process_spec){.pid = 400});
    assert_ptr_equal(ntsim_process_find(400), p);
    ntsim_process_free(p);
    assert_null(ntsim_process_find(400));
    assert_int_equal(ntsim_violations(), 0);
    assert_int_equal(ntsim_load(), 0);
    f = ntsim_open(&status);
    ntsim_ioctl(f, TINY_CODE(TINY_OBJECT_LEAK), NULL, 0, NULL, 0, NULL, NULL);
    assert_int_equal(ntsim_references(), 1);
    ntsim_process_free(ntsim_system());
    assert_int_equal(ntsim_violated("object.freed"), 1);
    assert_int_equal(ntsim_references(), 0);
    ntsim_close_handle(f);
    ntsim_reset();
}

static jmp_buf out;
static char seen_rule[64];

static void leave(const char *rule, const char *text, void *arg)
{
    (void)text;
    (void)arg;
    snprintf(seen_rule, sizeof(seen_rule), "%s", rule);
    longjmp(out, 1);
}

static void bug_check_stops_the_machine(void **state)
{
    int32_t status;
    struct ntsim_file *f;

    (void)state;
    ntsim_reset();
    assert_int_equal(ntsim_load(), 0);
    f = ntsim_open(&status);
    ntsim_on_violation(leave, NULL);
    if (setjmp(out) == 0) {
        ntsim_ioctl_start(f, TINY_CODE(TINY_BUG_CHECK), NULL, 0, 0, &status);
        fail();
    }
    assert_string_equal(seen_rule, "bugcheck");
    ntsim_record();
    ntsim_reset();
}

/* What other tests of this folder break. */
static const char *const elsewhere[] = {
    "irp.cancel_owned",   "irp.parked_at_unload", "irp.freed_pending", "object.freed",
    "callback.ob_status", "lock.stuck",           "bugcheck"};

static int is_covered(const char *rule)
{
    for (size_t i = 0; i < SINS; i++) {
        if (strcmp(sins[i].rule, rule) == 0) {
            return 1;
        }
    }
    for (size_t i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++) {
        if (strcmp(elsewhere[i], rule) == 0) {
            return 1;
        }
    }
    return 0;
}

static void every_rule_is_tested(void **state)
{
    (void)state;
    for (unsigned i = 0; ntsim_rule(i); i++) {
        if (!is_covered(ntsim_rule(i))) {
            fail_msg("no test breaks %s", ntsim_rule(i));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_sin_breaks_its_rule),
        cmocka_unit_test(a_good_life_breaks_none),
        cmocka_unit_test(request_parked_at_unload),
        cmocka_unit_test(request_freed_by_the_test_while_pending),
        cmocka_unit_test(process_freed_while_the_driver_holds_it),
        cmocka_unit_test(bug_check_stops_the_machine),
        cmocka_unit_test(every_rule_is_tested),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
