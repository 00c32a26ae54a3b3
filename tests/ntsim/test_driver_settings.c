/* SPDX-License-Identifier: Apache-2.0
 * What the driver reads from the registry at load: altitude, lanes, the identity of the boot. */
#include "driver_fixture.h"
#include "nt_direct.h"
#include "nt_probe.h"

#include "core/base/ring.h"

#include <stdlib.h>

#define REG_SZ 1u
#define REG_EXPAND_SZ 2u
#define REG_BINARY 3u
#define REG_DWORD 4u
#define REG_QWORD 11u

#define LANE_DEFAULT (4u << 20)
#define LANE_MIN (512u << 10)
#define LANE_MAX (64u << 20)

/* ---- altitude ---------------------------------------------------------------------------------
 */

static void expect_altitude(struct ntsim_text want)
{
    static const enum ntsim_source with_altitude[] = {NTSIM_SOURCE_REGISTRY, NTSIM_SOURCE_HANDLE};

    driver_load();
    for (unsigned i = 0; i < 2; i++) {
        size_t len = 0;
        const uint16_t *is = ntsim_altitude(with_altitude[i], &len);

        assert_int_equal(len, want.len);
        assert_memory_equal(is, want.units, len);
        assert_int_equal(ntsim_registered(with_altitude[i]), 1);
    }
    driver_unload();
}

static void set_altitude(uint32_t type, struct ntsim_text value)
{
    ntsim_reg_set(DRIVER_PARAMETERS, NTSIM_TEXT(u"Altitude"), type, value.units, value.len);
}

static void d26_the_altitude_is_a_setting(void **state)
{
    static const struct {
        struct ntsim_text stored, used;
    } good[] = {
        {NTSIM_TEXT(u"1\0"), NTSIM_TEXT(u"1")},
        {NTSIM_TEXT(u"9"), NTSIM_TEXT(u"9")}, /* without NUL */
        {NTSIM_TEXT(u"0.1\0"), NTSIM_TEXT(u"0.1")},
        {NTSIM_TEXT(u"360000.4217\0\0\0"), NTSIM_TEXT(u"360000.4217")},
        {NTSIM_TEXT(u"123456789012345678901234\0"), NTSIM_TEXT(u"123456789012345678901234")},
        {NTSIM_TEXT(u"12345678901234567890.123"), NTSIM_TEXT(u"12345678901234567890.123")},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        set_altitude(REG_SZ, good[i].stored);
        expect_altitude(good[i].used);
    }
}

static void d26_an_altitude_that_is_none_falls_back_to_the_default(void **state)
{
    static const struct ntsim_text bad[] = {
        NTSIM_TEXT(u""),
        NTSIM_TEXT(u"\0"),
        NTSIM_TEXT(u"\0\0\0"),
        NTSIM_TEXT(u"."),
        NTSIM_TEXT(u".5"),
        NTSIM_TEXT(u"5."),
        NTSIM_TEXT(u"1.2.3"),
        NTSIM_TEXT(u"1..3"),
        NTSIM_TEXT(u"12a"),
        NTSIM_TEXT(u" 1"),
        NTSIM_TEXT(u"1 "),
        NTSIM_TEXT(u"-1"),
        NTSIM_TEXT(u"1/2"),
        NTSIM_TEXT(u"1:2"),
        NTSIM_TEXT(u"1\0"
                   u"2"),
        NTSIM_TEXT(u"\u0661"),                    /* a digit, but not one of ours */
        NTSIM_TEXT(u"1234567890123456789012345"), /* 25 */
        NTSIM_TEXT(u"1234567890123456789012345\0"),
        NTSIM_TEXT(u"123456789012345678901234\0\0"),
        NTSIM_TEXT(u"1234567890123456789012345678901234567890")};

    (void)state;
    expect_altitude(NTSIM_TEXT(u"385100.7")); /* nothing set */
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        set_altitude(REG_SZ, bad[i]);
        expect_altitude(NTSIM_TEXT(u"385100.7"));
    }
    set_altitude(REG_SZ, NTSIM_BYTES(u"1234567890123456789012345\0", 51));
    expect_altitude(NTSIM_TEXT(u"385100.7"));
    set_altitude(REG_EXPAND_SZ, NTSIM_TEXT(u"360000"));
    expect_altitude(NTSIM_TEXT(u"385100.7"));
    set_altitude(REG_BINARY, NTSIM_TEXT(u"360000"));
    expect_altitude(NTSIM_TEXT(u"385100.7"));
}

static void settings_that_cannot_be_read_are_the_defaults(void **state)
{
    (void)state;
    set_altitude(REG_SZ, NTSIM_TEXT(u"360000"));
    driver_set_lanes(LANE_MIN, LANE_MIN);
    ntsim_fail("ZwOpenKey", 0, 1, NTSIM_ACCESS_DENIED);
    expect_altitude(NTSIM_TEXT(u"385100.7"));
    ntsim_fail("ZwQueryValueKey", 0, 1, NTSIM_ACCESS_DENIED); /* the altitude is asked for first */
    expect_altitude(NTSIM_TEXT(u"385100.7"));
    ntsim_fail("ExAllocatePool2", 0, 1, 0);
    assert_int_equal(driver_version(driver_start()).lane_bytes, LANE_DEFAULT);
    driver_unload();
    expect_altitude(NTSIM_TEXT(u"360000"));
}

/* ---- lanes ------------------------------------------------------------------------------------
 */

static void expect_lanes(uint64_t critical, uint64_t bulk)
{
    /* The ring's descriptors, the places of records, the process table. */
    const uint64_t beside = sizeof(struct wedr_ring) + PROBE_STAGE_SMALL * PROBE_STAGE_SMALL_COUNT +
                            PROBE_STAGE_LARGE * PROBE_STAGE_LARGE_COUNT +
                            2 * PROBE_PROCTAB_MAX * 32;

    assert_int_equal(driver_version(driver_start()).lane_bytes, critical);
    assert_int_equal(direct_lane_bytes(WEDR_LANE_BULK), bulk);
    assert_int_equal(ntsim_pool_bytes() - beside, critical + bulk);
    driver_unload();
}

static void the_lanes_take_the_sizes_that_are_set(void **state)
{
    (void)state;
    expect_lanes(LANE_DEFAULT, LANE_DEFAULT);
    driver_set_lanes(LANE_MIN, 600000);
    expect_lanes(LANE_MIN, 600000);
    driver_set_lanes(LANE_MAX, LANE_MIN);
    expect_lanes(LANE_MAX, LANE_MIN);
    driver_set_lanes(LANE_MIN + 1, LANE_MAX);
    expect_lanes(LANE_MIN + 1, LANE_MAX);
}

static void a_lane_out_of_bounds_has_the_default_size(void **state)
{
    static const uint32_t bad[] = {0, 1, LANE_MIN - 1, LANE_MAX + 1, UINT32_MAX};

    (void)state;
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        driver_set_lanes(bad[i], LANE_MIN);
        expect_lanes(LANE_DEFAULT, LANE_MIN);
        driver_set_lanes(LANE_MIN, bad[i]);
        expect_lanes(LANE_MIN, LANE_DEFAULT);
    }
}

static void a_lane_size_of_another_type_or_length_does_not_count(void **state)
{
    static const uint8_t bytes[8] = {0, 0, 9, 0};
    static const struct {
        uint32_t type;
        size_t len;
    } bad[] = {{REG_DWORD, 3}, {REG_DWORD, 8}, {REG_DWORD, 0}, {REG_QWORD, 4}, {REG_BINARY, 4}};

    (void)state;
    driver_set_lanes(0x90000, 0x90000);
    expect_lanes(0x90000, 0x90000);
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ntsim_reg_set(DRIVER_PARAMETERS, NTSIM_TEXT(u"CriticalLaneBytes"), bad[i].type, bytes,
                      bad[i].len);
        expect_lanes(LANE_DEFAULT, 0x90000);
    }
    /* What was read before it lies where the rest would be. */
    driver_set_lanes(0x90000, 0x90000);
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ntsim_reg_set(DRIVER_PARAMETERS, NTSIM_TEXT(u"BulkLaneBytes"), bad[i].type, bytes,
                      bad[i].len);
        expect_lanes(0x90000, LANE_DEFAULT);
    }
}

/* ---- the service's key ------------------------------------------------------------------------
 */

/* "\aaa...", then perhaps "\Parameters", in all len bytes. */
static struct ntsim_text long_key(uint16_t *units, size_t len, bool parameters)
{
    static const uint16_t leaf[] = u"\\Parameters";
    const size_t leaf_len = sizeof(leaf) - 2;

    for (size_t i = 0; i < len / 2; i++) {
        units[i] = i == 0 ? '\\' : 'a';
    }
    if (parameters) {
        memcpy((uint8_t *)units + len - leaf_len, leaf, leaf_len);
    }
    return NTSIM_BYTES(units, len);
}

static void a_service_key_of_any_length_is_taken(void **state)
{
    static const size_t too_long[] = {65514, 65516, 65518, 65534};
    uint16_t *units = malloc(65534);

    (void)state;
    assert_non_null(units);
    /* 65534 bytes with the leaf, as many as a UNICODE_STRING holds. */
    ntsim_reg_set_dword(long_key(units, 65534, true), NTSIM_TEXT(u"CriticalLaneBytes"), LANE_MIN);
    assert_int_equal(ntsim_load_as(long_key(units, 65512, false)), NTSIM_SUCCESS);
    assert_int_equal(driver_version(driver_open()).lane_bytes, LANE_MIN);
    driver_unload();
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(ntsim_load_as(long_key(units, too_long[i], false)), NTSIM_SUCCESS);
        assert_int_equal(driver_version(driver_open()).lane_bytes, LANE_DEFAULT);
        driver_unload();
    }
    free(units);
}

/* ---- who produced a record --------------------------------------------------------------------
 */

struct identity {
    uint64_t epoch;
    uint8_t boot_id[WEDR_BOOT_ID_LEN];
};

/* As GET_VERSION and GET_STATS say it, both the same; of a driver that is loaded for it. */
static struct identity identity_of_load(void)
{
    struct identity is;
    struct wedr_ioctl_version v;
    struct wedr_ioctl_stats s;
    struct ntsim_file *f = driver_start();

    v = driver_version(f);
    s = driver_stats(f);
    assert_int_equal(s.epoch, v.epoch);
    assert_memory_equal(s.boot_id, v.boot_id, WEDR_BOOT_ID_LEN);
    is.epoch = v.epoch;
    memcpy(is.boot_id, v.boot_id, WEDR_BOOT_ID_LEN);
    driver_unload();
    assert_true(is.epoch != 0);
    return is;
}

static bool same_boot(struct identity a, struct identity b)
{
    return memcmp(a.boot_id, b.boot_id, WEDR_BOOT_ID_LEN) == 0;
}

static void expect_stored(struct ntsim_text key, struct identity id)
{
    uint8_t stored[WEDR_BOOT_ID_LEN + 1];
    uint32_t type = 0;
    size_t len = 0;

    assert_true(ntsim_reg_get(key, NTSIM_TEXT(u"Id"), &type, stored, sizeof(stored), &len));
    assert_int_equal(type, REG_BINARY);
    assert_int_equal(len, WEDR_BOOT_ID_LEN);
    assert_memory_equal(stored, id.boot_id, len);
    assert_true(ntsim_reg_volatile(key));
}

static void d23_the_boot_id_outlives_a_reload_and_the_epoch_does_not(void **state)
{
    struct identity first, second, third;

    (void)state;
    first = identity_of_load();
    expect_stored(DRIVER_BOOT_KEY, first);
    second = identity_of_load();
    third = identity_of_load();
    assert_true(same_boot(first, second));
    assert_true(same_boot(first, third));
    assert_true(first.epoch != second.epoch && second.epoch != third.epoch &&
                first.epoch != third.epoch);
    expect_stored(DRIVER_BOOT_KEY, first);
}

static void d23_a_reboot_has_another_boot_id(void **state)
{
    struct identity first, second;

    (void)state;
    first = identity_of_load();
    ntsim_reset(); /* the clock shows the same again */
    ntsim_process_fail(ntsim_system(), NTSIM_FAIL_HIDDEN);
    second = identity_of_load();
    assert_false(same_boot(first, second));
    assert_true(first.epoch != second.epoch);
}

static void both_halves_of_a_boot_id_differ(void **state)
{
    struct identity id = identity_of_load();

    (void)state;
    assert_memory_not_equal(id.boot_id, id.boot_id + 8, 8);
}

static void every_byte_of_a_boot_id_is_its_own(void **state)
{
    struct identity first = identity_of_load();
    unsigned differ[WEDR_BOOT_ID_LEN] = {0};

    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        struct identity id;

        ntsim_reg_delete(DRIVER_BOOT_KEY);
        id = identity_of_load();
        for (unsigned k = 0; k < WEDR_BOOT_ID_LEN; k++) {
            differ[k] += id.boot_id[k] != first.boot_id[k];
        }
    }
    for (unsigned k = 0; k < WEDR_BOOT_ID_LEN; k++) {
        assert_true(differ[k] > 0);
    }
}

static void a_stored_boot_id_is_used_as_it_is(void **state)
{
    static const uint8_t stored[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

    (void)state;
    ntsim_reg_set(DRIVER_BOOT_KEY, NTSIM_TEXT(u"Id"), REG_BINARY, stored, sizeof(stored));
    assert_memory_equal(identity_of_load().boot_id, stored, sizeof(stored));
    assert_int_equal(ntsim_calls("ZwSetValueKey"), 0);
}

static void a_stored_boot_id_of_another_shape_is_replaced(void **state)
{
    static const uint8_t stored[64] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17};
    static const struct {
        uint32_t type;
        size_t len;
    } bad[] = {{REG_BINARY, 15}, {REG_BINARY, 17}, {REG_BINARY, 20}, {REG_BINARY, 21},
               {REG_BINARY, 64}, {REG_BINARY, 0},  {REG_SZ, 16}};

    (void)state;
    (void)identity_of_load(); /* makes the key, volatile */
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct identity id;

        ntsim_reg_set(DRIVER_BOOT_KEY, NTSIM_TEXT(u"Id"), bad[i].type, stored, bad[i].len);
        id = identity_of_load();
        assert_memory_not_equal(id.boot_id, stored, WEDR_BOOT_ID_LEN);
        expect_stored(DRIVER_BOOT_KEY, id);
    }
}

static void d23_without_its_key_each_load_is_a_boot_of_its_own(void **state)
{
    static const struct {
        const char *function;
        unsigned skip; /* the first key that is opened holds the settings */
    } steps[] = {{"ZwOpenKey", 1}, {"ZwCreateKey", 0}, {"ZwSetValueKey", 0}};

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct identity first, second;

        ntsim_fail(steps[i].function, steps[i].skip, 1, NTSIM_ACCESS_DENIED);
        first = identity_of_load();
        ntsim_fail(steps[i].function, steps[i].skip, 1, NTSIM_ACCESS_DENIED);
        second = identity_of_load();
        assert_false(same_boot(first, second));
    }
    ntsim_faults_clear();
    expect_stored(DRIVER_BOOT_KEY, identity_of_load());
}

static void d23_a_boot_id_that_cannot_be_read_is_made_anew(void **state)
{
    struct identity first, second;

    (void)state;
    first = identity_of_load();
    ntsim_fail("ZwQueryValueKey", 0, 1, NTSIM_ACCESS_DENIED);
    second = identity_of_load();
    assert_false(same_boot(first, second));
    expect_stored(DRIVER_BOOT_KEY, second);
}

static void a_driver_without_a_service_key_loads(void **state)
{
    (void)state;
    assert_int_equal(ntsim_load_as(NTSIM_TEXT(u"\\Registry\\Machine\\System\\None")), 0);
    assert_false(ntsim_reg_volatile(NTSIM_TEXT(u"\\Registry\\Machine\\System\\None\\Boot")));
    assert_int_equal(driver_version(driver_open()).lane_bytes, LANE_DEFAULT);
}

static void settings_and_boot_id_lie_below_the_key_that_the_kernel_names(void **state)
{
    static const struct ntsim_text boot = NTSIM_TEXT(u"\\Registry\\Machine\\Other\u0430\\Boot");
    struct identity id;
    struct wedr_ioctl_version v;

    (void)state;
    ntsim_reg_set_dword(NTSIM_TEXT(u"\\Registry\\Machine\\Other\u0430\\Parameters"),
                        NTSIM_TEXT(u"CriticalLaneBytes"), LANE_MIN);
    assert_int_equal(ntsim_load_as(NTSIM_TEXT(u"\\Registry\\Machine\\Other\u0430")), 0);
    v = driver_version(driver_open());
    assert_int_equal(v.lane_bytes, LANE_MIN);
    memcpy(id.boot_id, v.boot_id, sizeof(id.boot_id));
    expect_stored(boot, id);
    assert_false(ntsim_reg_volatile(DRIVER_BOOT_KEY));
}

static void d23_the_epoch_begins_when_the_driver_loads(void **state)
{
    struct wedr_ioctl_stats s;
    struct ntsim_file *f;

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        ntsim_set_time(NTSIM_TIME + 77);
        f = driver_start();
        s = driver_stats(f);
        assert_int_equal(s.start_time, NTSIM_TIME + 77);
        assert_int_equal(ntsim_calls("KeQuerySystemTimePrecise") > 0, 1);
        ntsim_set_time(NTSIM_TIME + 99);
        s = driver_stats(f);
        assert_int_equal(s.start_time, NTSIM_TIME + 77);
        driver_unload();
        ntsim_hide("KeQuerySystemTimePrecise");
    }
}

static void d23_records_name_the_process_by_its_start_key(void **state)
{
    for (unsigned hidden = 0; hidden < 2; hidden++) {
        struct ntsim_process *p;
        struct ntsim_file *f;
        struct driver_event e;

        (void)state;
        if (hidden) {
            ntsim_hide("PsGetProcessStartKey");
        }
        f = driver_start();
        p = driver_process(0x1234 + 8 * hidden, 4);
        driver_fire_start(p, NTSIM_TEXT(u"a"));
        e = driver_read_type(f, WEDR_EV_PROCESS_CREATE);
        assert_int_equal(driver_uint(&e, "process_key"),
                         hidden ? (uint64_t)(NTSIM_TIME + 0x123c) ^ UINT64_C(0x123c) << 42
                                : DRIVER_KEY(0x1234));
        assert_int_equal(e.v.h.time, NTSIM_TIME);
        driver_event_free(&e);
        driver_unload();
        ntsim_process_end(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DRIVER_TEST(d26_the_altitude_is_a_setting),
        DRIVER_TEST(d26_an_altitude_that_is_none_falls_back_to_the_default),
        DRIVER_TEST(settings_that_cannot_be_read_are_the_defaults),
        DRIVER_TEST(the_lanes_take_the_sizes_that_are_set),
        DRIVER_TEST(a_lane_out_of_bounds_has_the_default_size),
        DRIVER_TEST(a_lane_size_of_another_type_or_length_does_not_count),
        DRIVER_TEST(a_service_key_of_any_length_is_taken),
        DRIVER_TEST(d23_the_boot_id_outlives_a_reload_and_the_epoch_does_not),
        DRIVER_TEST(d23_a_reboot_has_another_boot_id),
        DRIVER_TEST(both_halves_of_a_boot_id_differ),
        DRIVER_TEST(every_byte_of_a_boot_id_is_its_own),
        DRIVER_TEST(a_stored_boot_id_is_used_as_it_is),
        DRIVER_TEST(a_stored_boot_id_of_another_shape_is_replaced),
        DRIVER_TEST(d23_without_its_key_each_load_is_a_boot_of_its_own),
        DRIVER_TEST(d23_a_boot_id_that_cannot_be_read_is_made_anew),
        DRIVER_TEST(a_driver_without_a_service_key_loads),
        DRIVER_TEST(settings_and_boot_id_lie_below_the_key_that_the_kernel_names),
        DRIVER_TEST(d23_the_epoch_begins_when_the_driver_loads),
        DRIVER_TEST(d23_records_name_the_process_by_its_start_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
