/* SPDX-License-Identifier: Apache-2.0
 * Image loads: lanes, signature levels, and the paths that the agent asked to leave out. */
#include "driver_expect.h"
#include "nt_probe.h"

#define PID 300u
#define BASE UINT64_C(0x7ff812340000)
#define SIZE UINT64_C(0x1f2000)
#define DLL u"\\Device\\HarddiskVolume3\\Windows\\System32\\kernel32.dll"

static struct wants loading(uint8_t lane)
{
    struct wants w = {.type = WEDR_EV_MODULE_LOAD, .lane = lane};

    want_number(&w, "pid", lane == WEDR_LANE_BULK ? PID : 0);
    want_number(&w, "process_key", 0);
    want_number(&w, "image_base", BASE);
    want_number(&w, "image_size", SIZE);
    want_text(&w, "image_path", NTSIM_TEXT(DLL), 0);
    want_number(&w, "signature_level", 0);
    return w;
}

static void fire(struct ntsim_text name, uint64_t pid, uint32_t properties)
{
    const struct ntsim_image i = {
        .name = name, .pid = pid, .properties = properties, .base = BASE, .size = SIZE};

    ntsim_fire_image(&i);
}

static void image_of_a_process_is_bulk(void **state)
{
    struct wants w = loading(WEDR_LANE_BULK);
    struct ntsim_process *p = driver_process(PID, 0);

    fire(NTSIM_TEXT(DLL), PID, 0);
    expect_record(*state, &w); /* nobody announced that process: no key */
    driver_fire_start(p, NTSIM_NULL);
    expect_some(*state, WEDR_EV_PROCESS_CREATE, WEDR_LANE_CRITICAL);
    want_number(&w, "process_key", DRIVER_KEY(PID));
    fire(NTSIM_TEXT(DLL), PID, NTSIM_IMAGE_EXTENDED);
    expect_record(*state, &w);
    expect_none(*state);
    expect_source(*state, WEDR_CALLBACK_IMAGE, 2, 2, 0);
}

static void image_of_the_kernel_is_critical_and_has_pid_0(void **state)
{
    const struct wants w = loading(WEDR_LANE_CRITICAL);

    driver_fire_start(driver_process(PID, 0), NTSIM_NULL);
    expect_some(*state, WEDR_EV_PROCESS_CREATE, WEDR_LANE_CRITICAL);
    fire(NTSIM_TEXT(DLL), 0, NTSIM_IMAGE_KERNEL);
    expect_record(*state, &w);
    fire(NTSIM_TEXT(DLL), 0, 0);
    expect_record(*state, &w);
    /* Asked for in the context of a process, it is the kernel's all the same. */
    fire(NTSIM_TEXT(DLL), PID, NTSIM_IMAGE_KERNEL);
    expect_record(*state, &w);
    expect_source(*state, WEDR_CALLBACK_IMAGE, 3, 3, 0);
}

static void signature_level_is_bits_12_to_15(void **state)
{
    for (uint32_t level = 0; level < 16; level++) {
        struct wants w = loading(WEDR_LANE_BULK);

        want_number(&w, "signature_level", level);
        fire(NTSIM_TEXT(DLL), PID, level << 12);
        expect_record(*state, &w);
        /* All other bits but the one of kernel images. */
        fire(NTSIM_TEXT(DLL), PID, (level << 12) | 0xffff0eff);
        expect_record(*state, &w);
    }
}

static void base_and_size_are_whole_numbers(void **state)
{
    const struct ntsim_image i = {.name = NTSIM_TEXT(DLL),
                                  .pid = 0xfffffffc,
                                  .base = UINT64_C(0xfffff80512345678),
                                  .size = UINT64_C(0x123456789abc)};
    struct wants w = loading(WEDR_LANE_BULK);

    want_number(&w, "pid", 0xfffffffc);
    want_number(&w, "image_base", i.base);
    want_number(&w, "image_size", i.size);
    ntsim_fire_image(&i);
    expect_record(*state, &w);
}

static void image_without_a_name_is_flagged(void **state)
{
    struct wants w = loading(WEDR_LANE_BULK);

    want_nothing(&w, "image_path", WEDR_SF_UNREADABLE);
    fire(NTSIM_NULL, PID, 0);
    expect_record(*state, &w);
    want_nothing(&w, "image_path", 0);
    fire(NTSIM_TEXT(u""), PID, 0);
    expect_record(*state, &w);
    expect_source(*state, WEDR_CALLBACK_IMAGE, 2, 2, 0);
}

static void d08_name_of_an_image_is_cut_behind_8190_bytes(void **state)
{
    struct ntsim_text fits = text_filled('n', PROBE_REC_PATH_MAX);
    struct wants w = loading(WEDR_LANE_BULK);

    want_text(&w, "image_path", fits, 0);
    fire(fits, PID, 0);
    expect_record(*state, &w);
    expect_truncated(*state, 0, 0);
    want_text(&w, "image_path", fits, WEDR_SF_CUT);
    fire(text_filled('n', PROBE_REC_PATH_MAX + 2), PID, 0);
    expect_record(*state, &w);
    expect_truncated(*state, 0, 1);
}

static void d07_cuts_are_counted_by_lane(void **state)
{
    struct ntsim_text fits = text_filled('n', PROBE_REC_PATH_MAX);
    struct wants bulk = loading(WEDR_LANE_BULK);
    struct wants critical = loading(WEDR_LANE_CRITICAL);

    want_text(&bulk, "image_path", fits, WEDR_SF_CUT);
    want_text(&critical, "image_path", fits, WEDR_SF_CUT);
    fire(text_filled('n', 10000), PID, 0);
    fire(text_filled('n', 10000), PID, 0);
    fire(text_filled('n', 10000), PID, NTSIM_IMAGE_KERNEL);
    expect_record(*state, &critical);
    expect_record(*state, &bulk);
    expect_record(*state, &bulk);
    expect_truncated(*state, 1, 2);
}

/* ---- what is left out -------------------------------------------------------------------------
 */

static void leave_out(struct ntsim_file *f, const struct ntsim_text *paths, size_t count)
{
    assert_int_equal(driver_set_filter(f, WEDR_CLASS_ALL, paths, count, NULL, 0), NTSIM_SUCCESS);
}

/* Is an image of that name left out now? */
static bool skipped(struct ntsim_file *f, struct ntsim_text name)
{
    uint64_t before = driver_stats(f).lane[WEDR_LANE_BULK].filtered;
    uint64_t after;

    fire(name, PID, 0);
    after = driver_stats(f).lane[WEDR_LANE_BULK].filtered;
    if (after == before) {
        expect_some(f, WEDR_EV_MODULE_LOAD, WEDR_LANE_BULK);
        return false;
    }
    assert_int_equal(after, before + 1);
    expect_none(f);
    return true;
}

static void path_is_left_out_up_to_a_backslash_and_without_case(void **state)
{
    const struct ntsim_text paths[] = {NTSIM_TEXT(u"\\Device\\Vol\\Windows")};

    leave_out(*state, paths, 1);
    assert_true(skipped(*state, NTSIM_TEXT(u"\\Device\\Vol\\Windows\\a.dll")));
    assert_true(skipped(*state, NTSIM_TEXT(u"\\DEVICE\\VOL\\WINDOWS\\A.DLL")));
    assert_true(skipped(*state, NTSIM_TEXT(u"\\device\\vol\\windows\\b\\c")));
    assert_true(skipped(*state, NTSIM_TEXT(u"\\Device\\Vol\\Windows")));
    assert_true(skipped(*state, NTSIM_TEXT(u"\\Device\\Vol\\Windows\\")));
    assert_false(skipped(*state, NTSIM_TEXT(u"\\Device\\Vol\\Windows.old\\a.dll")));
    assert_false(skipped(*state, NTSIM_TEXT(u"\\Device\\Vol\\Windows2")));
    assert_false(skipped(*state, NTSIM_TEXT(u"\\Device\\Vol\\Window")));
    assert_false(skipped(*state, NTSIM_TEXT(u"\\Device\\Vol")));
    assert_false(skipped(*state, NTSIM_TEXT(u"x\\Device\\Vol\\Windows\\a.dll")));
    assert_false(skipped(*state, NTSIM_NULL));
    assert_false(skipped(*state, NTSIM_BYTES(NULL, 40)));
}

static void path_with_a_backslash_at_its_end_leaves_out_what_lies_below(void **state)
{
    const struct ntsim_text paths[] = {NTSIM_TEXT(u"\\Vol\\"), NTSIM_TEXT(u"\\\u00e9t\u00e9")};

    leave_out(*state, paths, 2);
    assert_true(skipped(*state, NTSIM_TEXT(u"\\Vol\\a.dll")));
    assert_true(skipped(*state, NTSIM_TEXT(u"\\vol\\")));
    assert_false(skipped(*state, NTSIM_TEXT(u"\\Vol")));
    assert_false(skipped(*state, NTSIM_TEXT(u"\\Volume\\a.dll")));
    assert_true(skipped(*state, NTSIM_TEXT(u"\\\u00c9T\u00c9\\a.dll")));
    assert_false(skipped(*state, NTSIM_TEXT(u"\\ete\\a.dll")));
}

static void any_of_64_paths_leaves_out(void **state)
{
    static const char digits[] = "0123456789abcdef";
    static uint16_t names[64][4];
    struct ntsim_text paths[64];

    for (unsigned i = 0; i < 64; i++) {
        names[i][0] = '\\';
        names[i][1] = (uint16_t)digits[i / 16];
        names[i][2] = (uint16_t)digits[i % 16];
        paths[i] = NTSIM_BYTES(names[i], 6);
    }
    leave_out(*state, paths, 64);
    assert_true(skipped(*state, NTSIM_TEXT(u"\\00")));
    assert_true(skipped(*state, NTSIM_TEXT(u"\\1f\\x")));
    assert_true(skipped(*state, NTSIM_TEXT(u"\\3F")));
    assert_false(skipped(*state, NTSIM_TEXT(u"\\40")));
    leave_out(*state, paths + 1, 1);
    assert_false(skipped(*state, NTSIM_TEXT(u"\\00")));
    assert_true(skipped(*state, NTSIM_TEXT(u"\\01")));
    leave_out(*state, NULL, 0);
    assert_false(skipped(*state, NTSIM_TEXT(u"\\01")));
}

/* Registry prefixes of the same filter are none for images. */
static void registry_prefixes_leave_no_image_out(void **state)
{
    const struct ntsim_text path = NTSIM_TEXT(u"\\Path");
    const struct ntsim_text key = NTSIM_TEXT(u"\\Key");

    assert_int_equal(driver_set_filter(*state, WEDR_CLASS_ALL, &path, 1, &key, 1), NTSIM_SUCCESS);
    assert_true(skipped(*state, NTSIM_TEXT(u"\\path\\a")));
    assert_false(skipped(*state, NTSIM_TEXT(u"\\key\\a")));
    assert_int_equal(driver_set_filter(*state, WEDR_CLASS_ALL, NULL, 0, &key, 1), NTSIM_SUCCESS);
    assert_false(skipped(*state, NTSIM_TEXT(u"\\key\\a")));
}

static void images_of_the_kernel_are_never_left_out_by_path(void **state)
{
    const struct ntsim_text path = NTSIM_TEXT(u"\\Device");
    const struct wants w = loading(WEDR_LANE_CRITICAL);

    leave_out(*state, &path, 1);
    fire(NTSIM_TEXT(DLL), PID, NTSIM_IMAGE_KERNEL);
    expect_record(*state, &w);
    expect_filtered(*state, 0, 0);
}

static void class_that_is_off_counts_by_lane(void **state)
{
    assert_int_equal(
        driver_set_filter(*state, WEDR_CLASS_ALL & ~WEDR_CLASS_MODULE, NULL, 0, NULL, 0),
        NTSIM_SUCCESS);
    fire(NTSIM_TEXT(DLL), PID, 0);
    expect_filtered(*state, 0, 1);
    fire(NTSIM_NULL, PID, NTSIM_IMAGE_KERNEL);
    expect_filtered(*state, 1, 1);
    expect_source(*state, WEDR_CALLBACK_IMAGE, 2, 0, 0);
    expect_none(*state);
    assert_int_equal(
        driver_set_filter(*state, WEDR_CLASS_PROCESS | WEDR_CLASS_MODULE, NULL, 0, NULL, 0),
        NTSIM_SUCCESS);
    fire(NTSIM_TEXT(DLL), PID, 0);
    expect_some(*state, WEDR_EV_MODULE_LOAD, WEDR_LANE_BULK);
    expect_filtered(*state, 1, 1);
}

static void d17_an_image_takes_no_memory(void **state)
{
    const struct ntsim_text path = NTSIM_TEXT(u"\\Device");
    uint64_t before;

    leave_out(*state, &path, 1);
    before = ntsim_pool_allocations();
    fire(NTSIM_TEXT(DLL), PID, 0);
    fire(text_filled('n', 30000), PID, 0);
    assert_int_equal(ntsim_pool_allocations(), before);
    assert_int_equal(driver_drain(*state), 1);
}

static void image_without_a_place_is_a_counted_loss(void **state)
{
    uint8_t *places[PROBE_STAGE_SMALL_COUNT + PROBE_STAGE_LARGE_COUNT];
    unsigned n = 0;

    while (n < PROBE_STAGE_SMALL_COUNT + PROBE_STAGE_LARGE_COUNT) {
        places[n++] = probe_stage_claim(1);
    }
    fire(NTSIM_TEXT(DLL), PID, 0);
    expect_hole(WEDR_LANE_BULK);
    expect_none(*state);
    expect_source(*state, WEDR_CALLBACK_IMAGE, 1, 0, 1);
    while (n > 0) {
        probe_stage_release(places[--n]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EXPECT_TEST(image_of_a_process_is_bulk),
        EXPECT_TEST(image_of_the_kernel_is_critical_and_has_pid_0),
        EXPECT_TEST(signature_level_is_bits_12_to_15),
        EXPECT_TEST(base_and_size_are_whole_numbers),
        EXPECT_TEST(image_without_a_name_is_flagged),
        EXPECT_TEST(d08_name_of_an_image_is_cut_behind_8190_bytes),
        EXPECT_TEST(d07_cuts_are_counted_by_lane),
        EXPECT_TEST(path_is_left_out_up_to_a_backslash_and_without_case),
        EXPECT_TEST(path_with_a_backslash_at_its_end_leaves_out_what_lies_below),
        EXPECT_TEST(any_of_64_paths_leaves_out),
        EXPECT_TEST(registry_prefixes_leave_no_image_out),
        EXPECT_TEST(images_of_the_kernel_are_never_left_out_by_path),
        EXPECT_TEST(class_that_is_off_counts_by_lane),
        EXPECT_TEST(d17_an_image_takes_no_memory),
        EXPECT_TEST(image_without_a_place_is_a_counted_loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
