/* SPDX-License-Identifier: Apache-2.0
 * Creation and end of processes, as the agent's decoder reads them. */
#include "driver_play.h"
#include "nt_probe.h"

static struct wants ending(uint32_t pid, uint64_t key, int32_t status)
{
    struct wants w = {.type = WEDR_EV_PROCESS_TERMINATE, .lane = WEDR_LANE_CRITICAL};

    want_number(&w, "pid", pid);
    want_number(&w, "exit_code", (uint32_t)status);
    want_number(&w, "process_key", key);
    return w;
}

static void d21_user_and_parent_are_those_of_the_new_process(void **state)
{
    const struct ntsim_process_spec s = play_spec(CHILD, PARENT);
    const struct wants w = wants_creation();

    (void)play_parent();
    play_creator();
    (void)play_new(&s);
    expect_record(*state, &w);
    expect_none(*state);
    expect_source(*state, WEDR_CALLBACK_PROCESS, 1, 1, 0);
    assert_int_equal(driver_stats(*state).processes, 1);
}

static void creator_and_parent_are_told_as_the_kernel_says(void **state)
{
    const struct ntsim_process_spec s = play_spec(CHILD, 44);
    struct ntsim_create c = {.process = ntsim_process_new(&s),
                             .parent_pid = PARENT,
                             .creating_pid = 0xfffffffc,
                             .creating_tid = 9,
                             .image = NTSIM_NULL,
                             .command_line = NTSIM_TEXT(COMMAND)};
    struct wants w = wants_creation();

    (void)play_parent();
    want_number(&w, "creating_pid", 0xfffffffc);
    assert_int_equal(ntsim_fire_process_create(&c), NTSIM_SUCCESS);
    expect_record(*state, &w);
}

static void image_comes_from_the_kernel_then_the_notification_then_is_flagged(void **state)
{
    struct ntsim_process_spec s = play_spec(CHILD, PARENT);
    struct ntsim_process *p = ntsim_process_new(&s);
    struct wants w = wants_creation();

    (void)play_parent();
    play_creator();
    play_creation(p, NTSIM_NULL, NTSIM_TEXT(COMMAND));
    expect_record(*state, &w);
    ntsim_process_fail(p, NTSIM_FAIL_IMAGE);
    play_creation(p, NTSIM_TEXT(NAMED_IMAGE), NTSIM_TEXT(COMMAND));
    want_text(&w, "image_path", NTSIM_TEXT(NAMED_IMAGE), 0);
    expect_record(*state, &w);
    play_creation(p, NTSIM_NULL, NTSIM_TEXT(COMMAND));
    want_nothing(&w, "image_path", WEDR_SF_UNREADABLE);
    expect_record(*state, &w);
    expect_source(*state, WEDR_CALLBACK_PROCESS, 3, 3, 0);
}

static void an_empty_kernel_name_falls_back_to_the_notification(void **state)
{
    struct ntsim_process_spec s = play_spec(CHILD, PARENT);
    struct wants w = wants_creation();

    s.fail = NTSIM_FAIL_IMAGE_EMPTY;
    (void)play_parent();
    play_creator();
    (void)play_new(&s);
    want_text(&w, "image_path", NTSIM_TEXT(NAMED_IMAGE), 0);
    expect_record(*state, &w);
}

/* Fires a creation with that command line; the record must have `want` with these flags. */
static void check_command(struct ntsim_file *f,
                          struct ntsim_process *p,
                          struct ntsim_text given,
                          struct ntsim_text want,
                          unsigned flags)
{
    struct wants w = wants_creation();

    play_creation(p, NTSIM_NULL, given);
    want_text(&w, "command_line", want, flags);
    if (want.len == 0 && (flags & WEDR_SF_CUT) != 0) {
        want_nothing(&w, "command_line", flags | WEDR_SF_UTF16);
    }
    expect_record(f, &w);
}

static void no_command_line_is_no_text(void **state)
{
    static const uint16_t none[1];
    struct ntsim_process *p = play_child();

    check_command(*state, p, NTSIM_NULL, NTSIM_BYTES(none, 0), 0);
    check_command(*state, p, NTSIM_BYTES(NULL, 0), NTSIM_BYTES(none, 0), 0);
    check_command(*state, p, NTSIM_BYTES(NULL, 40), NTSIM_BYTES(none, 0), 0);
    check_command(*state, p, NTSIM_BYTES(none, 0), NTSIM_BYTES(none, 0), 0);
    expect_truncated(*state, 0, 0);
}

static void d08_a_command_line_of_odd_length_loses_its_half_unit(void **state)
{
    static const uint16_t text[] = u"abc";
    struct ntsim_process *p = play_child();

    check_command(*state, p, NTSIM_BYTES(text, 2), NTSIM_BYTES(text, 2), 0);
    check_command(*state, p, NTSIM_BYTES(text, 3), NTSIM_BYTES(text, 2), WEDR_SF_CUT);
    check_command(*state, p, NTSIM_BYTES(text, 5), NTSIM_BYTES(text, 4), WEDR_SF_CUT);
    check_command(*state, p, NTSIM_BYTES(text, 1), NTSIM_BYTES(text, 0), WEDR_SF_CUT);
    expect_truncated(*state, 3, 0);
}

static void d08_the_longest_command_line_is_whole(void **state)
{
    struct ntsim_process *p = play_child();
    struct ntsim_text longest = text_filled('c', 65534);

    check_command(*state, p, longest, longest, 0);
    check_command(*state, p, text_filled('c', 65535), longest, WEDR_SF_CUT);
    expect_truncated(*state, 1, 0);
    expect_source(*state, WEDR_CALLBACK_PROCESS, 2, 2, 0);
}

static void nuls_of_a_command_line_are_shown(void **state)
{
    struct ntsim_process *p = play_child();

    check_command(*state, p, NTSIM_TEXT(u"a\0b"), NTSIM_TEXT(u"a\u2400b"), 0);
    check_command(*state, p, NTSIM_TEXT(u"\0"), NTSIM_TEXT(u"\u2400"), 0);
    check_command(*state, p, NTSIM_TEXT(u"\0a\0\0b\0"), NTSIM_TEXT(u"\u2400a\u2400\u2400b\u2400"),
                  0);
    /* Units with one zero byte are no NULs. */
    check_command(*state, p, NTSIM_TEXT(u"\u0100\x01\uff00"), NTSIM_TEXT(u"\u0100\x01\uff00"), 0);
    expect_truncated(*state, 0, 0);
}

static void nuls_in_one_string_leave_room_for_the_others(void **state)
{
    struct ntsim_process *p = play_child();

    check_command(*state, p, text_filled(0, 200), text_filled(0x2400, 200), 0);
    check_command(*state, p, text_filled(0, 65534), text_filled(0x2400, 65534), 0);
}

/* Image paths are cut; d08: exactly what fits is not. */
static void check_image(struct ntsim_file *f,
                        struct ntsim_process *p,
                        struct ntsim_text given,
                        struct ntsim_text want,
                        unsigned flags)
{
    struct wants w = wants_creation();

    play_creation(p, given, NTSIM_TEXT(COMMAND));
    want_text(&w, "image_path", want, flags);
    expect_record(f, &w);
}

static struct ntsim_text filled_with_last(uint16_t last, size_t bytes)
{
    struct ntsim_text t = text_filled('p', bytes);

    ((uint16_t *)(uintptr_t)t.units)[PROBE_REC_PATH_MAX / 2 - 1] = last;
    return t;
}

static void d08_a_path_that_fits_exactly_is_whole_and_one_unit_more_is_cut(void **state)
{
    struct ntsim_process *p = play_child();
    struct ntsim_text fits = text_filled('p', PROBE_REC_PATH_MAX);

    ntsim_process_fail(p, NTSIM_FAIL_IMAGE);
    check_image(*state, p, fits, fits, 0);
    check_image(*state, p, text_filled('p', PROBE_REC_PATH_MAX + 2), fits, WEDR_SF_CUT);
    check_image(*state, p, text_filled('p', PROBE_REC_PATH_MAX + 1), fits, WEDR_SF_CUT);
    check_image(*state, p, text_filled('p', 65535), fits, WEDR_SF_CUT);
    check_image(*state, p, fits, fits, 0);
    expect_truncated(*state, 3, 0);
}

static void a_cut_leaves_no_half_of_a_surrogate_pair(void **state)
{
    static const uint16_t halves[] = {0xd800, 0xdbff, 0xdc00, 0xdfff, 0xd7ff, 0xe000};
    struct ntsim_process *p = play_child();

    ntsim_process_fail(p, NTSIM_FAIL_IMAGE);
    for (unsigned i = 0; i < 6; i++) {
        struct ntsim_text longer = filled_with_last(halves[i], PROBE_REC_PATH_MAX + 2);
        struct ntsim_text fits = longer;

        fits.len = PROBE_REC_PATH_MAX;
        check_image(*state, p, fits, fits, 0);
        fits.len = i < 2 ? PROBE_REC_PATH_MAX - 2 : PROBE_REC_PATH_MAX;
        check_image(*state, p, longer, fits, WEDR_SF_CUT);
    }
}

static void d07_a_cut_string_is_counted_on_its_own_record(void **state)
{
    struct ntsim_process_spec s = play_spec(CHILD, PARENT);
    struct ntsim_text fits = text_filled('p', PROBE_REC_PATH_MAX);
    struct ntsim_process *p;
    struct wants w = wants_creation();

    s.image = text_filled('p', PROBE_REC_PATH_MAX + 2);
    p = ntsim_process_new(&s);
    s = play_spec(PARENT, 4);
    s.image = text_filled('p', 60000);
    (void)ntsim_process_new(&s);
    play_creator();
    play_creation(p, NTSIM_NULL, NTSIM_BYTES(COMMAND, 5));
    want_text(&w, "image_path", fits, WEDR_SF_CUT);
    want_text(&w, "command_line", NTSIM_TEXT(u"ch"), WEDR_SF_CUT);
    want_text(&w, "parent_image_path", fits, WEDR_SF_CUT);
    expect_record(*state, &w); /* trunc_count 3 */
    expect_truncated(*state, 3, 0);
    play_creation(p, NTSIM_NULL, NTSIM_TEXT(COMMAND));
    want_text(&w, "command_line", NTSIM_TEXT(COMMAND), 0);
    expect_record(*state, &w); /* 5 */
    expect_truncated(*state, 5, 0);
}

static void parent_that_is_gone_is_only_a_number(void **state)
{
    struct ntsim_process *p = play_child();
    struct ntsim_process *parent = ntsim_process_find(PARENT);
    struct wants w = wants_creation();

    want_number(&w, "parent_key", 0);
    want_nothing(&w, "parent_image_path", WEDR_SF_UNREADABLE);
    ntsim_process_fail(parent, NTSIM_FAIL_LOOKUP);
    play_creation(p, NTSIM_NULL, NTSIM_TEXT(COMMAND));
    expect_record(*state, &w);
    ntsim_process_end(parent);
    play_creation(p, NTSIM_NULL, NTSIM_TEXT(COMMAND));
    expect_record(*state, &w);
    assert_int_equal(ntsim_references(), 0);
}

static void parent_without_a_number_is_not_looked_for(void **state)
{
    struct ntsim_process_spec s = play_spec(CHILD, 0);
    uint64_t before = ntsim_calls("PsLookupProcessByProcessId");
    struct wants w = wants_creation();

    play_creator();
    (void)play_new(&s);
    want_number(&w, "parent_pid", 0);
    want_number(&w, "parent_key", 0);
    want_nothing(&w, "parent_image_path", WEDR_SF_UNREADABLE);
    expect_record(*state, &w);
    assert_int_equal(ntsim_calls("PsLookupProcessByProcessId"), before);
}

/* The number of the parent was given to a process that is younger than the child. */
static void parent_that_is_younger_than_its_child_is_none(void **state)
{
    struct ntsim_process_spec s = play_spec(PARENT, 4);
    const struct ntsim_process_spec c = play_spec(CHILD, PARENT);
    struct wants w = wants_creation();
    struct ntsim_process *parent;

    s.image = NTSIM_TEXT(PARENT_IMAGE);
    s.create_time = NTSIM_TIME + CHILD;
    play_creator();
    parent = ntsim_process_new(&s);
    struct ntsim_process *p = play_new(&c);
    expect_record(*state, &w); /* of the same moment: it is the parent */
    ntsim_process_free(parent);
    s.create_time = NTSIM_TIME + CHILD + 1;
    (void)ntsim_process_new(&s);
    play_creation(p, NTSIM_NULL, NTSIM_TEXT(COMMAND));
    want_number(&w, "parent_key", 0);
    want_nothing(&w, "parent_image_path", WEDR_SF_UNREADABLE);
    expect_record(*state, &w);
    assert_int_equal(ntsim_references(), 0);
}

static void parent_without_an_image_keeps_its_key(void **state)
{
    struct ntsim_process *p = play_child();
    struct wants w = wants_creation();

    ntsim_process_fail(ntsim_process_find(PARENT), NTSIM_FAIL_IMAGE);
    play_creation(p, NTSIM_NULL, NTSIM_TEXT(COMMAND));
    want_nothing(&w, "parent_image_path", WEDR_SF_UNREADABLE);
    expect_record(*state, &w);
}

static void d21_each_look_up_that_fails_is_absent_alone(void **state)
{
    struct ntsim_process *p = play_child();
    struct wants w = wants_creation();

    play_creation(p, NTSIM_NULL, NTSIM_TEXT(COMMAND));
    ntsim_process_fail(p, NTSIM_FAIL_USER); /* what was there before does not show through */
    play_creation(p, NTSIM_NULL, NTSIM_TEXT(COMMAND));
    expect_record(*state, &w);
    want_nothing(&w, "user_sid", WEDR_SF_UNREADABLE);
    expect_record(*state, &w);

    w = wants_creation();
    want_number(&w, "integrity_level", 0xffffffff);
    ntsim_process_fail(p, NTSIM_FAIL_INTEGRITY);
    play_creation(p, NTSIM_NULL, NTSIM_TEXT(COMMAND));
    expect_record(*state, &w);

    w = wants_creation();
    want_number(&w, "elevated", 0);
    ntsim_process_fail(p, NTSIM_FAIL_ELEVATION);
    play_creation(p, NTSIM_NULL, NTSIM_TEXT(COMMAND));
    expect_record(*state, &w);

    w = wants_creation();
    want_number(&w, "session_id", 0xffffffff);
    ntsim_process_fail(p, NTSIM_FAIL_SESSION);
    play_creation(p, NTSIM_NULL, NTSIM_TEXT(COMMAND));
    expect_record(*state, &w);
    assert_int_equal(ntsim_references(), 0);
}

static void end_has_the_key_of_the_creation(void **state)
{
    const struct ntsim_process_spec s = play_spec(CHILD, 0);
    struct ntsim_process_spec other = play_spec(CHILD, 0);
    const struct wants w = ending(CHILD, DRIVER_KEY(CHILD), NTSIM_STATUS(0xc0000005));
    struct ntsim_process *p = play_new(&s);

    expect_some(*state, WEDR_EV_PROCESS_CREATE, WEDR_LANE_CRITICAL);
    ntsim_process_end(p);
    other.start_key = 5; /* the table is believed, not what is looked up now */
    other.exit_status = NTSIM_STATUS(0xc0000005);
    ntsim_fire_process_exit(ntsim_process_new(&other));
    expect_record(*state, &w);
    assert_int_equal(driver_stats(*state).processes, 0);
    expect_source(*state, WEDR_CALLBACK_PROCESS, 2, 2, 0);
}

static void end_of_an_unknown_process_has_its_own_key(void **state)
{
    struct ntsim_process_spec s = play_spec(CHILD, 0);
    const struct wants w = ending(CHILD, DRIVER_KEY(CHILD), 259 + 1);

    s.exit_status = 259 + 1;
    ntsim_fire_process_exit(ntsim_process_new(&s));
    expect_record(*state, &w);
    expect_none(*state);
    expect_source(*state, WEDR_CALLBACK_PROCESS, 1, 1, 0);
    assert_int_equal(driver_stats(*state).processes, 0);
}

static void reused_pid_replaces_the_process_whose_end_was_missed(void **state)
{
    struct ntsim_process_spec s = play_spec(CHILD, 0);
    struct ntsim_process *p = play_new(&s);
    struct wants w = ending(CHILD, 77, 0);

    ntsim_process_end(p);
    s.start_key = 77;
    p = play_new(&s);
    assert_int_equal(driver_stats(*state).processes, 1);
    s.start_key = 78;
    ntsim_process_end(p);
    ntsim_fire_process_exit(ntsim_process_new(&s));
    expect_some(*state, WEDR_EV_PROCESS_CREATE, WEDR_LANE_CRITICAL);
    expect_some(*state, WEDR_EV_PROCESS_CREATE, WEDR_LANE_CRITICAL);
    expect_record(*state, &w);
    assert_int_equal(driver_stats(*state).processes, 0);
}

/* Without PsGetProcessStartKey: creation time and pid in one. */
static void key_is_made_from_the_creation_time_when_the_kernel_has_none(void **state)
{
    const struct ntsim_process_spec s = play_spec(CHILD, PARENT);
    struct ntsim_file *f;
    struct wants w = wants_creation();

    (void)state;
    ntsim_hide("PsGetProcessStartKey");
    f = expect_start();
    ntsim_faults_clear();
    expect_some(f, WEDR_EV_PROCESS_CREATE, WEDR_LANE_CRITICAL); /* the parent, as existing */
    play_creator();
    (void)play_new(&s);
    want_number(&w, "process_key", (uint64_t)(NTSIM_TIME + CHILD) ^ (uint64_t)CHILD << 42);
    want_number(&w, "parent_key", (uint64_t)(NTSIM_TIME + PARENT) ^ (uint64_t)PARENT << 42);
    expect_record(f, &w);
    assert_int_equal(ntsim_calls("PsGetProcessStartKey"), 0);
}

static int setup_with_parent(void **state)
{
    int err = expect_setup_unloaded(state);

    (void)play_parent();
    return err;
}

static void full_table_is_counted_and_the_process_announced(void **state)
{
    struct ntsim_process_spec s = play_spec(CHILD, PARENT);
    struct wants w = wants_creation();
    struct wedr_ioctl_stats stats;

    for (uint32_t i = 1; i < PROBE_PROCTAB_MAX; i++) {
        const struct probe_proc p = {.pid = 100000 + 4 * i};

        assert_true(probe_proctab_add(&p, false));
    }
    (void)play_parent();
    play_creator();
    s.pid = CHILD + 4;
    (void)play_new(&s);
    expect_some(*state, WEDR_EV_PROCESS_CREATE, WEDR_LANE_CRITICAL);
    stats = driver_stats(*state);
    assert_int_equal(stats.processes, PROBE_PROCTAB_MAX);
    assert_int_equal(stats.processes_untracked, 0);
    s.pid = CHILD;
    (void)play_new(&s);
    expect_record(*state, &w);
    stats = driver_stats(*state);
    assert_int_equal(stats.processes, PROBE_PROCTAB_MAX);
    assert_int_equal(stats.processes_untracked, 1);
}

static void processes_cannot_be_switched_off(void **state)
{
    const struct ntsim_process_spec s = play_spec(CHILD, PARENT);

    assert_int_equal(
        driver_set_filter(*state, WEDR_CLASS_ALL & ~WEDR_CLASS_PROCESS, NULL, 0, NULL, 0),
        NTSIM_INVALID_PARAMETER);
    assert_int_equal(driver_set_filter(*state, WEDR_CLASS_PROCESS, NULL, 0, NULL, 0),
                     NTSIM_SUCCESS);
    (void)play_new(&s);
    expect_some(*state, WEDR_EV_PROCESS_CREATE, WEDR_LANE_CRITICAL);
    expect_filtered(*state, 0, 0);
}

static void record_carries_the_time_of_the_event(void **state)
{
    const struct ntsim_process_spec s = play_spec(CHILD, PARENT);
    struct wants w = wants_creation();
    struct ntsim_process *p;

    (void)play_parent();
    play_creator();
    ntsim_set_time(NTSIM_TIME + 12345);
    p = play_new(&s);
    expect_record(*state, &w);
    ntsim_set_time(1);
    play_creation(p, NTSIM_NULL, NTSIM_TEXT(COMMAND));
    expect_record(*state, &w);
}

static void time_is_told_without_the_precise_clock_too(void **state)
{
    struct ntsim_file *f;
    struct wants w = ending(CHILD, DRIVER_KEY(CHILD), 1);
    struct ntsim_process_spec s = play_spec(CHILD, 0);
    uint64_t before;

    (void)state;
    ntsim_hide("KeQuerySystemTimePrecise");
    f = expect_start();
    ntsim_set_time(NTSIM_TIME + 99);
    s.exit_status = 1;
    before = ntsim_calls("KeQuerySystemTimePrecise");
    ntsim_fire_process_exit(ntsim_process_new(&s));
    expect_record(f, &w);
    assert_int_equal(ntsim_calls("KeQuerySystemTimePrecise"), before);
}

static void d17_a_creation_takes_no_memory(void **state)
{
    const struct ntsim_process_spec s = play_spec(CHILD, PARENT);
    uint64_t before = ntsim_pool_allocations();
    uint64_t live = ntsim_pool_live();
    struct ntsim_process *p;

    (void)play_parent();
    play_creator();
    p = play_new(&s);
    play_creation(p, NTSIM_NULL, text_filled('c', 65534));
    ntsim_fire_process_exit(p);
    assert_int_equal(ntsim_pool_allocations(), before);
    assert_int_equal(ntsim_pool_live(), live);
    assert_int_equal(ntsim_references(), 0);
    assert_int_equal(driver_drain(*state), 3);
}

static void creation_without_a_place_for_its_record_is_a_counted_loss(void **state)
{
    const struct ntsim_process_spec s = play_spec(CHILD, PARENT);
    uint8_t *places[PROBE_STAGE_SMALL_COUNT + PROBE_STAGE_LARGE_COUNT];
    unsigned n = 0;
    struct wants w = ending(CHILD, DRIVER_KEY(CHILD), 0);
    struct ntsim_process *p;

    (void)play_parent();
    while (n < PROBE_STAGE_SMALL_COUNT + PROBE_STAGE_LARGE_COUNT) {
        places[n] = probe_stage_claim(1);
        assert_non_null(places[n++]);
    }
    p = play_new(&s);
    expect_hole(WEDR_LANE_CRITICAL);
    expect_none(*state);
    expect_source(*state, WEDR_CALLBACK_PROCESS, 1, 0, 1);
    assert_int_equal(driver_stats(*state).lane[0].lost[WEDR_LOSS_REASON_SCRATCH], 1);
    while (n > 0) {
        probe_stage_release(places[--n]);
    }
    ntsim_fire_process_exit(p);
    expect_record(*state, &w);
    expect_source(*state, WEDR_CALLBACK_PROCESS, 2, 1, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EXPECT_TEST(d21_user_and_parent_are_those_of_the_new_process),
        EXPECT_TEST(creator_and_parent_are_told_as_the_kernel_says),
        EXPECT_TEST(image_comes_from_the_kernel_then_the_notification_then_is_flagged),
        EXPECT_TEST(an_empty_kernel_name_falls_back_to_the_notification),
        EXPECT_TEST(no_command_line_is_no_text),
        EXPECT_TEST(d08_a_command_line_of_odd_length_loses_its_half_unit),
        EXPECT_TEST(d08_the_longest_command_line_is_whole),
        EXPECT_TEST(nuls_of_a_command_line_are_shown),
        EXPECT_TEST(nuls_in_one_string_leave_room_for_the_others),
        EXPECT_TEST(d08_a_path_that_fits_exactly_is_whole_and_one_unit_more_is_cut),
        EXPECT_TEST(a_cut_leaves_no_half_of_a_surrogate_pair),
        EXPECT_TEST(d07_a_cut_string_is_counted_on_its_own_record),
        EXPECT_TEST(parent_that_is_gone_is_only_a_number),
        EXPECT_TEST(parent_without_a_number_is_not_looked_for),
        EXPECT_TEST(parent_that_is_younger_than_its_child_is_none),
        EXPECT_TEST(parent_without_an_image_keeps_its_key),
        EXPECT_TEST(d21_each_look_up_that_fails_is_absent_alone),
        EXPECT_TEST(end_has_the_key_of_the_creation),
        EXPECT_TEST(end_of_an_unknown_process_has_its_own_key),
        EXPECT_TEST(reused_pid_replaces_the_process_whose_end_was_missed),
        cmocka_unit_test_setup_teardown(key_is_made_from_the_creation_time_when_the_kernel_has_none,
                                        setup_with_parent, driver_teardown),
        EXPECT_TEST(full_table_is_counted_and_the_process_announced),
        EXPECT_TEST(processes_cannot_be_switched_off),
        EXPECT_TEST(record_carries_the_time_of_the_event),
        EXPECT_TEST_UNLOADED(time_is_told_without_the_precise_clock_too),
        EXPECT_TEST(d17_a_creation_takes_no_memory),
        EXPECT_TEST(creation_without_a_place_for_its_record_is_a_counted_loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
