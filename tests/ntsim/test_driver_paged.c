/* SPDX-License-Identifier: Apache-2.0
 * Names and command lines may be paged out: under a spin lock they are not there. */
#include "driver_fixture.h"
#include <sys/wait.h>
#include <unistd.h>

static void texts_that_are_paged_out_reach_their_records(void **state)
{
    struct ntsim_file *f = driver_start();
    const struct ntsim_image image = {
        .name = NTSIM_TEXT(u"\\Device\\a.dll"), .pid = 4, .base = 0x1000, .size = 0x2000};
    struct ntsim_key *key =
        ntsim_key_new(NTSIM_TEXT(u"\\REGISTRY\\MACHINE\\SYSTEM\\ControlSet001\\Services\\s"));
    struct driver_event e;

    (void)state;
    driver_drain(f);
    ntsim_page_texts(true);
    driver_fire_start(driver_process(400, 4), NTSIM_TEXT(u"a.exe --long"));
    e = driver_read_type(f, WEDR_EV_PROCESS_CREATE);
    driver_expect_text(&e, "command_line", NTSIM_TEXT(u"a.exe --long"), 0);
    driver_event_free(&e);
    ntsim_fire_image(&image);
    e = driver_read_type(f, WEDR_EV_MODULE_LOAD);
    driver_expect_text(&e, "image_path", image.name, 0);
    driver_event_free(&e);
    ntsim_fire_registry_set_value(key, NTSIM_TEXT(u"ImagePath"), 1, u"x", 2, 0);
    e = driver_read_type(f, WEDR_EV_REGISTRY_WRITE);
    driver_expect_text(&e, "value_name", NTSIM_TEXT(u"ImagePath"), 0);
    driver_event_free(&e);
    ntsim_page_texts(false);
}

/* The same while a request waits: the record is copied in and out under one hold of the lock. */
static void paged_text_goes_to_a_waiting_request(void **state)
{
    struct ntsim_file *f = driver_start();
    struct ntsim_irp *irp;
    struct driver_event e;

    (void)state;
    driver_drain(f);
    irp = driver_park(f);
    ntsim_page_texts(true);
    driver_fire_start(driver_process(400, 4), NTSIM_TEXT(u"b.exe"));
    ntsim_page_texts(false);
    e = driver_take(irp);
    driver_expect_text(&e, "command_line", NTSIM_TEXT(u"b.exe"), 0);
    driver_event_free(&e);
}

static void prefixes_of_the_filter_are_compared_without_a_lock(void **state)
{
    const struct ntsim_text skip = NTSIM_TEXT(u"\\Device\\skipped");
    const struct ntsim_image image = {
        .name = NTSIM_TEXT(u"\\Device\\Skipped\\a.dll"), .pid = 4, .base = 1, .size = 1};
    struct ntsim_file *f = driver_start();

    (void)state;
    driver_drain(f);
    assert_int_equal(driver_set_filter(f, WEDR_CLASS_ALL, &skip, 1, NULL, 0), NTSIM_SUCCESS);
    ntsim_page_texts(true);
    ntsim_fire_image(&image);
    ntsim_page_texts(false);
    driver_expect_empty(f);
}

static void touch(void *arg)
{
    const volatile uint16_t *text = ntsim_paged_text();

    *(uint16_t *)arg = text ? *text : 0;
}

/* Without this the tests above would prove nothing. */
static void paged_text_touched_under_a_lock_ends_the_program(void **state)
{
    int status = 0;
    pid_t child;

    (void)state;
    (void)driver_start();
    child = fork();
    if (child == 0) {
        uint16_t unit = 0;

        (void)close(STDERR_FILENO);
        ntsim_page_texts(true);
        ntsim_hook("KeAcquireInStackQueuedSpinLock.done", touch, &unit);
        driver_fire_start(driver_process(400, 4), NTSIM_TEXT(u"c.exe"));
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DRIVER_TEST(texts_that_are_paged_out_reach_their_records),
        DRIVER_TEST(paged_text_goes_to_a_waiting_request),
        DRIVER_TEST(prefixes_of_the_filter_are_compared_without_a_lock),
        DRIVER_TEST(paged_text_touched_under_a_lock_ends_the_program),
    };

    driver_time_limit(10);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
