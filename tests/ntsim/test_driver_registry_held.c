/* SPDX-License-Identifier: Apache-2.0
 * Deletions and renames, whose names are held from before the operation until after it; the data of
 * values. Linked with --wrap=CmCallbackGetKeyObjectIDEx. */
#include "driver_play.h"
#include "nt_probe.h"

#define HELD_MAX 64u
#define PREVIEW 256u

static struct ntsim_file *f;

static int setup(void **state)
{
    int err = expect_setup(state);

    f = *state;
    play_creator();
    return err;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, driver_teardown)

static struct ntsim_key *run_key(void)
{
    return ntsim_key_new(NTSIM_TEXT(RUN));
}

static void expect_names(uint64_t taken, uint64_t given_back)
{
    assert_int_equal(ntsim_calls("CmCallbackGetKeyObjectIDEx"), taken);
    assert_int_equal(ntsim_calls("CmCallbackReleaseKeyObjectIDEx"), given_back);
}

static struct wants deletion(int32_t status)
{
    return wants_change(WEDR_REGISTRY_OP_DELETE_KEY, status, NTSIM_TEXT(RUN));
}

static struct wants renaming(int32_t status)
{
    struct wants w = wants_change(WEDR_REGISTRY_OP_RENAME_KEY, status, NTSIM_TEXT(RUN));

    want_text(&w, "new_name", NTSIM_TEXT(u"RunNot"), 0);
    return w;
}

static struct ntsim_registry operation(enum ntsim_reg op, struct ntsim_key *key)
{
    return (struct ntsim_registry){.op = op, .key = key, .name = NTSIM_TEXT(u"RunNot")};
}

static void before(struct ntsim_registry *r)
{
    assert_int_equal(ntsim_fire_registry_pre(r), NTSIM_SUCCESS);
}

static void after(struct ntsim_registry *r, int32_t status)
{
    assert_int_equal(ntsim_fire_registry_post(r, status), NTSIM_SUCCESS);
}

static void filter(uint32_t classes)
{
    assert_int_equal(driver_set_filter(f, classes, NULL, 0, NULL, 0), NTSIM_SUCCESS);
}

/* ---- deletion and renaming ---- */

static void d15_deleted_key_is_reported_afterwards_with_its_name(void **state)
{
    struct wants w = deletion(NTSIM_SUCCESS);
    struct ntsim_key *k = run_key();
    struct ntsim_registry r = operation(NTSIM_REG_DELETE_KEY, k);

    (void)state;
    before(&r);
    expect_none(f);
    expect_names(1, 0);
    ntsim_key_fail(k, NTSIM_KEY_DELETED); /* it has no name any more */
    after(&r, NTSIM_SUCCESS);
    expect_record(f, &w);
    expect_names(1, 1);
    w = deletion(NTSIM_ACCESS_DENIED);
    assert_int_equal(ntsim_fire_registry_delete_key(run_key(), NTSIM_ACCESS_DENIED), 0);
    expect_record(f, &w);
    expect_names(2, 2);
    expect_source(f, WEDR_CALLBACK_REGISTRY, 2, 2, 0);
}

static void d15_renamed_key_is_reported_with_both_names(void **state)
{
    struct wants w = renaming(NTSIM_SUCCESS);

    (void)state;
    assert_int_equal(ntsim_fire_registry_rename_key(run_key(), NTSIM_TEXT(u"RunNot"), 0), 0);
    expect_record(f, &w);
    w = renaming(NTSIM_OBJECT_NAME_COLLISION);
    assert_int_equal(ntsim_fire_registry_rename_key(run_key(), NTSIM_TEXT(u"RunNot"),
                                                    NTSIM_OBJECT_NAME_COLLISION),
                     0);
    expect_record(f, &w);
    expect_names(2, 2);
    expect_source(f, WEDR_CALLBACK_REGISTRY, 2, 2, 0);
}

static void d08_new_name_is_cut_behind_1024_bytes(void **state)
{
    struct wants w = renaming(NTSIM_SUCCESS);
    struct ntsim_text fits = text_filled('n', PROBE_REC_NAME_MAX);

    (void)state;
    want_text(&w, "new_name", fits, 0);
    assert_int_equal(ntsim_fire_registry_rename_key(run_key(), fits, 0), 0);
    expect_record(f, &w);
    want_text(&w, "new_name", fits, WEDR_SF_CUT);
    assert_int_equal(
        ntsim_fire_registry_rename_key(run_key(), text_filled('n', PROBE_REC_NAME_MAX + 2), 0), 0);
    expect_record(f, &w);
    expect_truncated(f, 1, 0);
}

static void unwatched_key_is_given_back_at_once(void **state)
{
    struct ntsim_registry d = operation(NTSIM_REG_DELETE_KEY, ntsim_key_new(NTSIM_TEXT(UNWATCHED)));
    struct ntsim_registry n = operation(NTSIM_REG_RENAME, d.key);

    (void)state;
    before(&d);
    assert_null(d.context);
    before(&n);
    assert_null(n.context);
    expect_names(2, 2);
    after(&d, NTSIM_SUCCESS);
    after(&n, NTSIM_SUCCESS);
    expect_none(f);
    expect_names(2, 2);
}

static void held_name_comes_back_by_its_own_context_alone(void **state)
{
    struct ntsim_registry r = operation(NTSIM_REG_DELETE_KEY, run_key());
    const struct wants w = deletion(NTSIM_SUCCESS);
    void *context;

    (void)state;
    before(&r);
    context = r.context;
    assert_non_null(context);
    r.context = NULL;
    after(&r, NTSIM_SUCCESS);
    r.context = (uint8_t *)context + 1;
    after(&r, NTSIM_SUCCESS);
    r.context = (uint8_t *)context + sizeof(void *); /* a slot, but an empty one */
    after(&r, NTSIM_SUCCESS);
    r.context = (uint8_t *)context + HELD_MAX * sizeof(void *);
    after(&r, NTSIM_SUCCESS);
    r.context = &r;
    after(&r, NTSIM_SUCCESS);
    expect_none(f);
    r.context = context;
    after(&r, NTSIM_SUCCESS);
    expect_record(f, &w);
    r.context = context; /* twice */
    after(&r, NTSIM_SUCCESS);
    expect_none(f);
    expect_names(1, 1);
}

static void context_of_another_operation_is_not_taken(void **state)
{
    struct ntsim_registry r = operation(NTSIM_REG_DELETE_KEY, run_key());
    struct ntsim_registry other = operation(NTSIM_REG_SET_VALUE, NULL);
    const struct wants w = deletion(NTSIM_SUCCESS);

    (void)state;
    before(&r);
    other.key = ntsim_key_new(NTSIM_TEXT(UNWATCHED));
    other.context = r.context;
    after(&other, NTSIM_SUCCESS);
    expect_none(f);
    after(&r, NTSIM_SUCCESS);
    expect_record(f, &w);
}

static void renaming_without_its_pre_information_has_no_new_name(void **state)
{
    struct ntsim_registry r = operation(NTSIM_REG_RENAME, run_key());
    struct wants w = renaming(NTSIM_SUCCESS);

    (void)state;
    before(&r);
    r.no_pre_information = true;
    after(&r, NTSIM_SUCCESS);
    want_nothing(&w, "new_name", 0);
    expect_record(f, &w);
}

static void failing_name_leaves_no_context(void **state)
{
    struct ntsim_registry r = operation(NTSIM_REG_RENAME, run_key());
    void *info[4] = {NULL, f, f, f}; /* Object, CallContext and two more */

    (void)state;
    ntsim_key_fail(r.key, NTSIM_INSUFFICIENT_RESOURCES);
    before(&r);
    assert_null(r.context);
    ntsim_key_fail(r.key, 0);
    after(&r, NTSIM_SUCCESS);
    expect_none(f);
    expect_source(f, WEDR_CALLBACK_REGISTRY, 1, 0, 1);
    assert_int_equal(
        ntsim_fire_registry_raw(ntsim_registry_class(NTSIM_REG_DELETE_KEY, false), info), 0);
    assert_null(info[1]);
    assert_ptr_equal(info[2], f);
}

static void the_65th_change_under_way_is_reported_before_its_result(void **state)
{
    struct ntsim_registry held[HELD_MAX];
    struct ntsim_registry more = operation(NTSIM_REG_RENAME, run_key());
    struct ntsim_registry last = operation(NTSIM_REG_DELETE_KEY, more.key);
    const struct wants pending = renaming(NTSIM_PENDING);
    const struct wants pending_deletion = deletion(NTSIM_PENDING);
    const struct wants done = deletion(NTSIM_SUCCESS);

    (void)state;
    for (unsigned i = 0; i < HELD_MAX; i++) {
        held[i] = operation(NTSIM_REG_DELETE_KEY, more.key);
        before(&held[i]);
        assert_non_null(held[i].context);
        for (unsigned j = 0; j < i; j++) {
            assert_ptr_not_equal(held[i].context, held[j].context);
        }
    }
    expect_none(f);
    before(&more);
    assert_null(more.context);
    expect_record(f, &pending);
    before(&last);
    assert_null(last.context);
    expect_record(f, &pending_deletion);
    expect_names(HELD_MAX + 2, 2);
    after(&more, NTSIM_SUCCESS);
    expect_none(f);
    after(&held[HELD_MAX - 1], NTSIM_SUCCESS);
    expect_record(f, &done);
    before(&held[HELD_MAX - 1]); /* its slot is free again */
    assert_non_null(held[HELD_MAX - 1].context);
    for (unsigned i = 0; i < HELD_MAX; i++) {
        after(&held[i], NTSIM_SUCCESS);
        expect_record(f, &done);
    }
    expect_names(HELD_MAX + 3, HELD_MAX + 3);
}

static void class_switched_off_in_between_loses_no_name(void **state)
{
    struct ntsim_registry r = operation(NTSIM_REG_RENAME, run_key());
    const struct wants w = renaming(NTSIM_SUCCESS);

    (void)state;
    before(&r);
    filter(WEDR_CLASS_ALL & ~WEDR_CLASS_REGISTRY);
    after(&r, NTSIM_SUCCESS);
    expect_record(f, &w);
    expect_names(1, 1);
}

static void class_switched_on_in_between_reports_nothing(void **state)
{
    struct ntsim_registry r = operation(NTSIM_REG_DELETE_KEY, run_key());

    (void)state;
    filter(WEDR_CLASS_ALL & ~WEDR_CLASS_REGISTRY);
    before(&r);
    assert_null(r.context);
    filter(WEDR_CLASS_ALL);
    after(&r, NTSIM_SUCCESS);
    expect_none(f);
    expect_names(0, 0);
}

static void class_that_is_off_looks_at_nothing(void **state)
{
    (void)state;
    filter(WEDR_CLASS_ALL & ~WEDR_CLASS_REGISTRY);
    for (unsigned op = 0; op < NTSIM_REG_OPS; op++) {
        struct ntsim_registry r = operation((enum ntsim_reg)op, ntsim_key_dead());

        r.result = ntsim_key_dead();
        r.disposition = 1;
        before(&r);
        after(&r, NTSIM_SUCCESS);
    }
    expect_none(f);
    expect_source(f, WEDR_CALLBACK_REGISTRY, 9, 0, 0);
    filter(WEDR_CLASS_PROCESS | WEDR_CLASS_REGISTRY);
    assert_int_equal(ntsim_fire_registry_delete_value(run_key(), NTSIM_NULL, 0), 0);
    expect_some(f, WEDR_EV_REGISTRY_WRITE, WEDR_LANE_CRITICAL);
}

static void unload_in_between_gives_every_name_back(void **state)
{
    struct ntsim_registry r[HELD_MAX];

    (void)state;
    for (unsigned i = 0; i < HELD_MAX; i++) {
        r[i] = operation(NTSIM_REG_DELETE_KEY, run_key());
        before(&r[i]);
    }
    expect_names(HELD_MAX, 0);
    driver_unload();
    expect_names(HELD_MAX, HELD_MAX);
}

/* ---- data of values ---- */

static uint8_t data[1024];

/* Sets a value of data_size bytes of which data_len are there; `shown` of them must be in the
 * record. */
static void
check_data(const void *p, size_t there, uint32_t size, bool gone, size_t shown, unsigned flags)
{
    struct wants w = wants_change(WEDR_REGISTRY_OP_SET_VALUE, NTSIM_SUCCESS, NTSIM_TEXT(RUN));
    struct ntsim_registry r = operation(NTSIM_REG_SET_VALUE, run_key());

    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t)(i * 7 + 1);
    }
    r.name = NTSIM_NULL;
    r.type = 0x80000003;
    r.data = p;
    r.data_len = there;
    r.data_size = size;
    r.data_gone = gone;
    before(&r);
    after(&r, NTSIM_SUCCESS);
    want_number(&w, "value_type", 0x80000003);
    want_number(&w, "data_size", size);
    want_bytes(&w, "data_preview", data, shown, flags);
    expect_record(f, &w);
}

static void d08_data_that_fits_the_preview_is_whole(void **state)
{
    (void)state;
    check_data(data, 0, 0, false, 0, 0);
    check_data(data, 1, 1, false, 1, 0);
    check_data(data, PREVIEW - 1, PREVIEW - 1, false, PREVIEW - 1, 0);
    check_data(data, PREVIEW, PREVIEW, false, PREVIEW, 0);
    expect_truncated(f, 0, 0);
    check_data(data, PREVIEW + 1, PREVIEW + 1, false, PREVIEW, WEDR_SF_CUT);
    check_data(data, sizeof(data), sizeof(data), false, PREVIEW, WEDR_SF_CUT);
    expect_truncated(f, 2, 0);
}

static void data_that_is_not_there_is_flagged(void **state)
{
    (void)state;
    check_data(NULL, 0, 0, false, 0, 0);
    check_data(NULL, 0, 1, false, 0, WEDR_SF_UNREADABLE);
    check_data(NULL, 0, UINT32_MAX, false, 0, WEDR_SF_UNREADABLE);
    check_data(data, 0, 100, false, 0, WEDR_SF_UNREADABLE);
    check_data(data, 99, 100, false, 0, WEDR_SF_UNREADABLE);
    check_data(data, PREVIEW - 1, 5000, false, 0, WEDR_SF_UNREADABLE);
    check_data(data, 100, 100, true, 0, WEDR_SF_UNREADABLE);
    expect_truncated(f, 0, 0);
}

/* No more than the preview is touched. */
static void data_behind_the_preview_need_not_be_there(void **state)
{
    (void)state;
    check_data(data, PREVIEW, PREVIEW + 1, false, PREVIEW, WEDR_SF_CUT);
    check_data(data, PREVIEW, UINT32_MAX, false, PREVIEW, WEDR_SF_CUT);
}

static void d17_a_change_takes_no_memory(void **state)
{
    uint64_t allocations = ntsim_pool_allocations();

    (void)state;
    check_data(data, sizeof(data), sizeof(data), false, PREVIEW, WEDR_SF_CUT);
    assert_int_equal(ntsim_fire_registry_delete_key(run_key(), 0), 0);
    assert_int_equal(ntsim_fire_registry_rename_key(run_key(), NTSIM_TEXT(u"x"), 0), 0);
    assert_int_equal(ntsim_pool_allocations(), allocations);
    assert_int_equal(driver_drain(f), 2);
}

static void changes_are_seen_at_apc_too(void **state)
{
    const struct ntsim_text key = NTSIM_TEXT(u"\\REGISTRY\\A\\\u00e9");

    (void)state;
    assert_int_equal(driver_set_filter(f, WEDR_CLASS_ALL, NULL, 0, &key, 1), NTSIM_SUCCESS);
    ntsim_set_irql(1);
    assert_int_equal(
        ntsim_fire_registry_set_value(ntsim_key_new(NTSIM_TEXT(u"\\registry\\a\\\u00c9")),
                                      NTSIM_NULL, 1, u"x", 2, 0),
        0);
    assert_int_equal(ntsim_fire_registry_delete_key(run_key(), 0), 0);
    ntsim_set_irql(0);
    assert_int_equal(driver_drain(f), 2);
}

/* ---- a kernel that gives no name ---- */

static bool no_name;

int32_t __real_CmCallbackGetKeyObjectIDEx(
    void *cookie, void *object, uint64_t *ret_id, const void **ret_name, uint32_t flags);
int32_t __wrap_CmCallbackGetKeyObjectIDEx(
    void *cookie, void *object, uint64_t *ret_id, const void **ret_name, uint32_t flags);
int32_t __wrap_CmCallbackGetKeyObjectIDEx(
    void *cookie, void *object, uint64_t *ret_id, const void **ret_name, uint32_t flags)
{
    if (no_name) {
        *ret_name = NULL;
        return NTSIM_SUCCESS;
    }
    return __real_CmCallbackGetKeyObjectIDEx(cookie, object, ret_id, ret_name, flags);
}

static void success_without_a_name_is_counted_as_failed(void **state)
{
    struct ntsim_registry r = operation(NTSIM_REG_RESTORE, run_key());
    struct ntsim_registry d = operation(NTSIM_REG_DELETE_KEY, r.key);

    (void)state;
    no_name = true;
    after(&r, NTSIM_SUCCESS);
    before(&d);
    no_name = false;
    assert_null(d.context);
    expect_none(f);
    expect_source(f, WEDR_CALLBACK_REGISTRY, 1, 0, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(d15_deleted_key_is_reported_afterwards_with_its_name),
        TEST(d15_renamed_key_is_reported_with_both_names),
        TEST(d08_new_name_is_cut_behind_1024_bytes),
        TEST(unwatched_key_is_given_back_at_once),
        TEST(held_name_comes_back_by_its_own_context_alone),
        TEST(context_of_another_operation_is_not_taken),
        TEST(renaming_without_its_pre_information_has_no_new_name),
        TEST(failing_name_leaves_no_context),
        TEST(the_65th_change_under_way_is_reported_before_its_result),
        TEST(class_switched_off_in_between_loses_no_name),
        TEST(class_switched_on_in_between_reports_nothing),
        TEST(class_that_is_off_looks_at_nothing),
        TEST(unload_in_between_gives_every_name_back),
        TEST(d08_data_that_fits_the_preview_is_whole),
        TEST(data_that_is_not_there_is_flagged),
        TEST(data_behind_the_preview_need_not_be_there),
        TEST(d17_a_change_takes_no_memory),
        TEST(changes_are_seen_at_apc_too),
        TEST(success_without_a_name_is_counted_as_failed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
