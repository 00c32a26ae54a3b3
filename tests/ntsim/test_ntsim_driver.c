/* SPDX-License-Identifier: Apache-2.0
 * The driver itself in the simulator: it loads, takes one event of each kind, and leaves nothing.
 */
#include "ntsim.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void fire_everything(void)
{
    struct ntsim_process *p = ntsim_process_new(
        &(struct ntsim_process_spec){.pid = 1000,
                                     .parent_pid = 4,
                                     .create_time = NTSIM_TIME + 10,
                                     .start_key = 77,
                                     .session = 1,
                                     .integrity = 0x2000,
                                     .image = NTSIM_TEXT(u"\\Device\\Disk\\a.exe")});
    struct ntsim_key *k =
        ntsim_key_new(NTSIM_TEXT(u"\\REGISTRY\\MACHINE\\SOFTWARE\\Microsoft\\Windows"
                                 u"\\CurrentVersion\\Run"));

    ntsim_fire_process_create(&(struct ntsim_create){
        .process = p, .image = NTSIM_TEXT(u"a.exe"), .command_line = NTSIM_TEXT(u"a.exe -x")});
    ntsim_fire_thread(1000, 1004, true);
    ntsim_fire_image(&(struct ntsim_image){.name = NTSIM_TEXT(u"\\a.dll"), .pid = 1000});
    ntsim_fire_handle(&(struct ntsim_handle){.process = p, .access = 0x1fffff});
    for (unsigned op = 0; op < NTSIM_REG_OPS; op++) {
        struct ntsim_registry r = {.op = (enum ntsim_reg)op,
                                   .key = k,
                                   .result = k,
                                   .name = NTSIM_TEXT(u"name"),
                                   .file = NTSIM_TEXT(u"\\file"),
                                   .data = "data",
                                   .data_len = 4,
                                   .data_size = 4,
                                   .disposition = 1};

        ntsim_key_fail(k, 0);
        assert_int_equal(ntsim_fire_registry(&r, 0), 0);
    }
    ntsim_fire_process_exit(p);
    ntsim_process_end(p);
}

static void loads_and_unloads(void **state)
{
    (void)state;
    ntsim_reset();
    assert_int_equal(ntsim_load(), 0);
    fire_everything();
    ntsim_unload();
    assert_int_equal(ntsim_load(), 0);
    ntsim_unload();
    ntsim_reset();
}

static void survives_each_fault(void **state)
{
    (void)state;
    for (uint64_t n = 1;; n++) {
        ntsim_reset();
        ntsim_fail_nth(n);
        if (ntsim_load() == 0) {
            fire_everything();
            ntsim_unload();
        }
        if (!ntsim_fault_hit()) {
            break;
        }
    }
    ntsim_reset();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loads_and_unloads),
        cmocka_unit_test(survives_each_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
