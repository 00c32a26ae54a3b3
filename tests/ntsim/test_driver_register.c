/* SPDX-License-Identifier: Apache-2.0
 * What the driver registers with the kernel, and what it does where that fails. Linked with --wrap
 * for ObRegisterCallbacks and CmRegisterCallbackEx. */
#include "driver_play.h"

#define PROCEDURE_NOT_FOUND NTSIM_STATUS(0xc000007a)

static struct ntsim_file *f;

/* ---- handles ---- */

struct string { /* UNICODE_STRING */
    uint16_t len, max;
    const uint16_t *units;
};

/* OB_OPERATION_REGISTRATION and OB_CALLBACK_REGISTRATION of x64. */
struct operation_registration {
    void *type;
    uint32_t operations;
    void *pre, *post;
};
struct callback_registration {
    uint16_t version, count;
    struct string altitude;
    void *context;
    struct operation_registration *operations;
};
static struct callback_registration ob;
static struct operation_registration ob_operations[2];

int32_t __real_ObRegisterCallbacks(struct callback_registration *r, void **ret_handle);
int32_t __wrap_ObRegisterCallbacks(struct callback_registration *r, void **ret_handle);
int32_t __wrap_ObRegisterCallbacks(struct callback_registration *r, void **ret_handle)
{
    ob = *r;
    assert_int_equal(r->count, 2);
    memcpy(ob_operations, r->operations, sizeof(ob_operations));
    return __real_ObRegisterCallbacks(r, ret_handle);
}

static void registration_asks_for_nothing_else(void **state)
{
    (void)state;
    assert_int_equal(ob.version, 0x100);
    assert_int_equal(ob.altitude.len, 16);
    assert_int_equal(ob.altitude.max, 16);
    assert_null(ob.context);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(ob_operations[i].operations, 3);
        assert_non_null(ob_operations[i].pre);
        assert_null(ob_operations[i].post);
    }
}

static void callback_is_registered_for_both_types_and_operations(void **state)
{
    size_t len = 0;
    const uint16_t *altitude = ntsim_altitude(NTSIM_SOURCE_HANDLE, &len);

    (void)state;
    assert_int_equal(ntsim_registered(NTSIM_SOURCE_HANDLE), 1);
    assert_int_equal(ntsim_handle_entries(), 2);
    assert_int_equal(ntsim_handle_operations(false), 3);
    assert_int_equal(ntsim_handle_operations(true), 3);
    assert_int_equal(len, 16);
    assert_memory_equal(altitude, u"385100.7", 16);
}

/* ---- registry ---- */

static struct string cm;

int32_t __real_CmRegisterCallbackEx(
    void *fn, const struct string *a, void *driver, void *context, void *cookie, void *reserved);
int32_t __wrap_CmRegisterCallbackEx(
    void *fn, const struct string *a, void *driver, void *context, void *cookie, void *reserved);
int32_t __wrap_CmRegisterCallbackEx(
    void *fn, const struct string *a, void *driver, void *context, void *cookie, void *reserved)
{
    cm = *a;
    return __real_CmRegisterCallbackEx(fn, a, driver, context, cookie, reserved);
}

static void callback_has_the_altitude_of_the_settings(void **state)
{
    size_t len = 0;
    const uint16_t *altitude = ntsim_altitude(NTSIM_SOURCE_REGISTRY, &len);

    (void)state;
    assert_int_equal(ntsim_registered(NTSIM_SOURCE_REGISTRY), 1);
    assert_int_equal(len, 16);
    assert_memory_equal(altitude, u"385100.7", 16);
    assert_int_equal(cm.len, 16);
    assert_int_equal(cm.max, 16);
}

static void kernel_without_one_of_the_functions_has_no_registry_source(void **state)
{
    static const char *const functions[] = {"CmRegisterCallbackEx", "CmUnRegisterCallback",
                                            "CmCallbackGetKeyObjectIDEx",
                                            "CmCallbackReleaseKeyObjectIDEx"};

    for (unsigned i = 0; i < 4; i++) {
        struct wedr_ioctl_stats s;

        assert_int_equal(expect_setup_unloaded(state), 0);
        ntsim_hide(functions[i]);
        f = expect_start();
        s = driver_stats(f);
        assert_int_equal(s.callback[WEDR_CALLBACK_REGISTRY].state, WEDR_CALLBACK_ABSENT);
        assert_int_equal(s.callback[WEDR_CALLBACK_REGISTRY].status, PROCEDURE_NOT_FOUND);
        assert_int_equal(ntsim_calls("CmRegisterCallbackEx"), 0);
        driver_unload();
        assert_int_equal(ntsim_calls("CmUnRegisterCallback"), 0);
    }
}

static void refused_registration_is_told_and_not_undone(void **state)
{
    struct wedr_ioctl_stats s;

    (void)state;
    ntsim_fail("CmRegisterCallbackEx", 0, 1, NTSIM_ALTITUDE_COLLISION);
    f = expect_start();
    s = driver_stats(f);
    assert_int_equal(s.callback[WEDR_CALLBACK_REGISTRY].state, WEDR_CALLBACK_FAILED);
    assert_int_equal(s.callback[WEDR_CALLBACK_REGISTRY].status, NTSIM_ALTITUDE_COLLISION);
    driver_unload();
    assert_int_equal(ntsim_calls("CmUnRegisterCallback"), 0);
}

static void fire_early(void *arg)
{
    assert_int_equal(ntsim_fire_registry_delete_key(arg, NTSIM_SUCCESS), 0);
    assert_int_equal(ntsim_fire_registry_delete_value(arg, NTSIM_NULL, NTSIM_SUCCESS), 0);
}

/* Registered, but its cookie is not stored yet: names cannot be looked up with it. */
static void call_before_the_cookie_is_there_is_only_counted(void **state)
{
    (void)state;
    ntsim_hook("CmRegisterCallbackEx.done", fire_early, ntsim_key_dead());
    f = expect_start();
    expect_none(f);
    expect_source(f, WEDR_CALLBACK_REGISTRY, 2, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EXPECT_TEST(registration_asks_for_nothing_else),
        EXPECT_TEST(callback_is_registered_for_both_types_and_operations),
        EXPECT_TEST(callback_has_the_altitude_of_the_settings),
        EXPECT_TEST_UNLOADED(kernel_without_one_of_the_functions_has_no_registry_source),
        EXPECT_TEST_UNLOADED(refused_registration_is_told_and_not_undone),
        EXPECT_TEST_UNLOADED(call_before_the_cookie_is_there_is_only_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
