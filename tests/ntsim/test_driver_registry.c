/* SPDX-License-Identifier: Apache-2.0
 * Registry changes: what is reported, with which result and under which name. */
#include "driver_play.h"
#include "nt_probe.h"

#define REPORTED_KINDS 9 /* of enum ntsim_reg; each is counted once an operation, after it */
#define NOT_A_CLASS 0x4000u
#define NEW_KEY 1u
#define OPENED_KEY 2u

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

static struct ntsim_key *unwatched_key(void)
{
    return ntsim_key_new(NTSIM_TEXT(UNWATCHED));
}

static void fire(struct ntsim_registry *r, int32_t status)
{
    assert_int_equal(ntsim_fire_registry(r, status), NTSIM_SUCCESS);
}

static void fire_kind(enum ntsim_reg op, struct ntsim_key *key, int32_t status)
{
    struct ntsim_registry r = {.op = op, .key = key};

    fire(&r, status);
}

/* Each name that was taken was given back. */
static void expect_names_given_back(uint64_t taken)
{
    assert_int_equal(ntsim_calls("CmCallbackGetKeyObjectIDEx"), taken);
    assert_int_equal(ntsim_calls("CmCallbackReleaseKeyObjectIDEx"), taken);
}

/* ---- values ---- */

static void d15_value_is_reported_with_the_result_of_the_operation(void **state)
{
    static const int32_t results[] = {NTSIM_SUCCESS, NTSIM_ACCESS_DENIED, NTSIM_KEY_DELETED};
    struct ntsim_key *k = run_key();

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct wants w = wants_change(WEDR_REGISTRY_OP_SET_VALUE, results[i], NTSIM_TEXT(RUN));

        want_text(&w, "value_name", NTSIM_TEXT(u"Updater"), 0);
        want_number(&w, "value_type", 2);
        want_number(&w, "data_size", 6);
        want_bytes(&w, "data_preview", u"abc", 6, 0);
        assert_int_equal(
            ntsim_fire_registry_set_value(k, NTSIM_TEXT(u"Updater"), 2, u"abc", 6, results[i]),
            NTSIM_SUCCESS);
        expect_record(f, &w);
    }
    expect_none(f);
    expect_source(f, WEDR_CALLBACK_REGISTRY, 3, 3, 0);
    expect_names_given_back(3);
}

static void d15_deleted_value_is_reported_with_its_result(void **state)
{
    struct ntsim_key *k = run_key();
    struct wants w = wants_change(WEDR_REGISTRY_OP_DELETE_VALUE, NTSIM_SUCCESS, NTSIM_TEXT(RUN));

    (void)state;
    want_text(&w, "value_name", NTSIM_TEXT(u"Updater"), 0);
    assert_int_equal(ntsim_fire_registry_delete_value(k, NTSIM_TEXT(u"Updater"), NTSIM_SUCCESS), 0);
    expect_record(f, &w);
    want_number(&w, "status", (uint32_t)NTSIM_OBJECT_NAME_NOT_FOUND);
    assert_int_equal(
        ntsim_fire_registry_delete_value(k, NTSIM_TEXT(u"Updater"), NTSIM_OBJECT_NAME_NOT_FOUND),
        0);
    expect_record(f, &w);
    expect_source(f, WEDR_CALLBACK_REGISTRY, 2, 2, 0);
    expect_names_given_back(2);
}

static void default_value_has_no_name(void **state)
{
    const struct wants w =
        wants_change(WEDR_REGISTRY_OP_DELETE_VALUE, NTSIM_SUCCESS, NTSIM_TEXT(RUN));
    struct ntsim_key *k = run_key();

    (void)state;
    assert_int_equal(ntsim_fire_registry_delete_value(k, NTSIM_NULL, NTSIM_SUCCESS), 0);
    expect_record(f, &w);
    assert_int_equal(ntsim_fire_registry_delete_value(k, NTSIM_TEXT(u""), NTSIM_SUCCESS), 0);
    expect_record(f, &w);
}

static void process_that_is_known_is_named_by_its_key(void **state)
{
    struct wants w = wants_change(WEDR_REGISTRY_OP_DELETE_VALUE, NTSIM_SUCCESS, NTSIM_TEXT(RUN));

    (void)state;
    play_creation(ntsim_process_find(CREATOR_PID), NTSIM_NULL, NTSIM_NULL);
    expect_some(f, WEDR_EV_PROCESS_CREATE, WEDR_LANE_CRITICAL);
    want_number(&w, "process_key", DRIVER_KEY(CREATOR_PID));
    assert_int_equal(ntsim_fire_registry_delete_value(run_key(), NTSIM_NULL, NTSIM_SUCCESS), 0);
    expect_record(f, &w);
}

static void change_of_an_unwatched_key_is_not_reported(void **state)
{
    struct ntsim_key *k = unwatched_key();

    (void)state;
    assert_int_equal(ntsim_fire_registry_set_value(k, NTSIM_TEXT(u"v"), 1, u"x", 2, 0), 0);
    assert_int_equal(ntsim_fire_registry_delete_value(k, NTSIM_TEXT(u"v"), 0), 0);
    fire_kind(NTSIM_REG_SET_SECURITY, k, NTSIM_SUCCESS);
    assert_int_equal(ntsim_fire_registry_create_key(k, NTSIM_TEXT(u"Sub"), k, NEW_KEY, 0), 0);
    assert_int_equal(ntsim_fire_registry_rename_key(k, NTSIM_TEXT(u"Other"), 0), 0);
    assert_int_equal(ntsim_fire_registry_delete_key(k, 0), 0);
    expect_none(f);
    expect_source(f, WEDR_CALLBACK_REGISTRY, 6, 0, 0);
    expect_filtered(f, 0, 0);
    expect_names_given_back(6);
}

static void d07_nothing_is_counted_for_a_change_that_is_not_reported(void **state)
{
    struct ntsim_key *k =
        ntsim_key_new(text_joined(NTSIM_TEXT(UNWATCHED u"\\"), text_filled('k', 20000)));
    static uint8_t data[1000];

    (void)state;
    assert_int_equal(
        ntsim_fire_registry_set_value(k, text_filled('v', 60000), 3, data, sizeof(data), 0), 0);
    expect_truncated(f, 0, 0);
    expect_none(f);
}

static void d07_each_string_that_is_cut_is_flagged_and_counted_on_the_record(void **state)
{
    static const uint8_t data[300] = {1, 2, 3};
    struct ntsim_text key = text_joined(NTSIM_TEXT(RUN u"\\"), text_filled('k', 20000));
    struct ntsim_key *k = ntsim_key_new(key);
    struct wants w = wants_change(WEDR_REGISTRY_OP_SET_VALUE, NTSIM_SUCCESS, NTSIM_TEXT(RUN));

    (void)state;
    key.len = PROBE_REC_PATH_MAX;
    want_text(&w, "key_path", key, WEDR_SF_CUT);
    want_text(&w, "value_name", text_filled('v', PROBE_REC_PATH_MAX), WEDR_SF_CUT);
    want_number(&w, "value_type", 3);
    want_number(&w, "data_size", sizeof(data));
    want_bytes(&w, "data_preview", data, 256, WEDR_SF_CUT);
    assert_int_equal(ntsim_fire_registry_set_value(k, text_filled('v', PROBE_REC_PATH_MAX + 2), 3,
                                                   data, sizeof(data), 0),
                     0);
    expect_record(f, &w);
    expect_truncated(f, 3, 0);
}

static void nuls_that_hide_a_value_are_shown(void **state)
{
    struct wants w =
        wants_change(WEDR_REGISTRY_OP_DELETE_VALUE, NTSIM_SUCCESS, NTSIM_TEXT(RUN u"\\a\u2400b"));

    (void)state;
    want_text(&w, "value_name", NTSIM_TEXT(u"\u2400\u2400hid"), 0);
    assert_int_equal(ntsim_fire_registry_delete_value(ntsim_key_new(NTSIM_TEXT(RUN u"\\a\0b")),
                                                      NTSIM_TEXT(u"\0\0hid"), 0),
                     0);
    expect_record(f, &w);
}

/* ---- keys that are made ---- */

static void create(struct ntsim_key *root,
                   struct ntsim_text name,
                   struct ntsim_key *result,
                   uint32_t disposition,
                   int32_t status)
{
    assert_int_equal(ntsim_fire_registry_create_key(root, name, result, disposition, status),
                     NTSIM_SUCCESS);
}

static void d12_new_key_has_the_name_of_what_was_made(void **state)
{
    const struct wants w =
        wants_change(WEDR_REGISTRY_OP_CREATE_KEY, NTSIM_SUCCESS, NTSIM_TEXT(RUN u"\\Sub"));
    struct ntsim_key *made = ntsim_key_new(NTSIM_TEXT(RUN u"\\Sub"));

    (void)state;
    create(ntsim_key_dead(), NTSIM_TEXT(u"Sub"), made, NEW_KEY, NTSIM_SUCCESS);
    expect_record(f, &w);
    /* A name that leads elsewhere by a link: where the key is, is what counts. */
    create(NULL, NTSIM_TEXT(u"\\Registry\\Machine\\Link\\Sub"), made, NEW_KEY, NTSIM_SUCCESS);
    expect_record(f, &w);
    create(NULL, NTSIM_TEXT(RUN u"\\Sub"), unwatched_key(), NEW_KEY, NTSIM_SUCCESS);
    expect_none(f);
    expect_source(f, WEDR_CALLBACK_REGISTRY, 3, 2, 0);
}

static void opening_an_existing_key_is_no_change(void **state)
{
    static const uint32_t not_new[] = {OPENED_KEY, 0, 3, 0x101, 0x01000001};

    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        create(ntsim_key_dead(), NTSIM_TEXT(u"Sub"), ntsim_key_dead(), not_new[i], NTSIM_SUCCESS);
    }
    expect_none(f);
    expect_source(f, WEDR_CALLBACK_REGISTRY, 5, 0, 0);
    expect_names_given_back(0);
}

/* Whether it was new cannot be read: it is reported rather than not. */
static void disposition_that_cannot_be_read_counts_as_new(void **state)
{
    const struct wants w =
        wants_change(WEDR_REGISTRY_OP_CREATE_KEY, NTSIM_SUCCESS, NTSIM_TEXT(RUN));
    struct ntsim_registry r = {
        .op = NTSIM_REG_CREATE, .result = run_key(), .disposition = OPENED_KEY};

    (void)state;
    r.no_disposition = true;
    fire(&r, NTSIM_SUCCESS);
    expect_record(f, &w);
    r.no_disposition = false;
    ntsim_fail("wedr_seh_copy", 0, 1, NTSIM_ACCESS_DENIED);
    fire(&r, NTSIM_SUCCESS);
    expect_record(f, &w);
    fire(&r, NTSIM_SUCCESS);
    expect_none(f);
    r.old_layout = true;
    r.disposition = NEW_KEY;
    fire(&r, NTSIM_SUCCESS);
    expect_record(f, &w);
}

static void d12_failed_creation_by_a_relative_name_has_the_whole_path(void **state)
{
    const struct wants w =
        wants_change(WEDR_REGISTRY_OP_CREATE_KEY, NTSIM_ACCESS_DENIED, NTSIM_TEXT(RUN u"\\Sub\\x"));
    struct ntsim_key *parent =
        ntsim_key_new(NTSIM_TEXT(u"\\REGISTRY\\MACHINE\\SOFTWARE\\Microsoft\\Windows"));

    (void)state;
    create(run_key(), NTSIM_TEXT(u"Sub\\x"), NULL, 0, NTSIM_ACCESS_DENIED);
    expect_record(f, &w);
    /* Neither part is watched by itself, the whole is. */
    create(parent, NTSIM_TEXT(u"CurrentVersion\\Run\\Sub\\x"), NULL, 0, NTSIM_ACCESS_DENIED);
    expect_record(f, &w);
    create(parent, NTSIM_TEXT(u"CurrentVersion\\RunMRU"), NULL, 0, NTSIM_ACCESS_DENIED);
    create(unwatched_key(), NTSIM_TEXT(u"Run"), NULL, 0, NTSIM_ACCESS_DENIED);
    expect_none(f);
    expect_names_given_back(4);
    expect_source(f, WEDR_CALLBACK_REGISTRY, 4, 2, 0);
}

static void failed_creation_by_an_absolute_name_needs_no_root(void **state)
{
    const struct wants w =
        wants_change(WEDR_REGISTRY_OP_CREATE_KEY, NTSIM_ACCESS_DENIED, NTSIM_TEXT(RUN));

    (void)state;
    create(ntsim_key_dead(), NTSIM_TEXT(RUN), NULL, 0, NTSIM_ACCESS_DENIED);
    expect_record(f, &w);
    create(NULL, NTSIM_TEXT(RUN), NULL, 0, NTSIM_ACCESS_DENIED);
    expect_record(f, &w);
    create(NULL, NTSIM_TEXT(UNWATCHED), NULL, 0, NTSIM_ACCESS_DENIED);
    create(ntsim_key_dead(), NTSIM_TEXT(u"\\"), NULL, 0, NTSIM_ACCESS_DENIED);
    expect_none(f);
    expect_names_given_back(0);
    expect_source(f, WEDR_CALLBACK_REGISTRY, 4, 2, 0);
}

/* A warning is no success: the key is not there. */
static void status_decides_whether_there_is_a_key(void **state)
{
    const struct wants failed =
        wants_change(WEDR_REGISTRY_OP_CREATE_KEY, NTSIM_BUFFER_OVERFLOW, NTSIM_TEXT(RUN));
    const struct wants made =
        wants_change(WEDR_REGISTRY_OP_CREATE_KEY, 0x40000000, NTSIM_TEXT(RUN));

    (void)state;
    create(NULL, NTSIM_TEXT(RUN), NULL, 0, NTSIM_BUFFER_OVERFLOW);
    expect_record(f, &failed);
    create(NULL, NTSIM_TEXT(UNWATCHED), run_key(), NEW_KEY, 0x40000000);
    expect_record(f, &made);
}

static void failed_creation_without_a_name_is_about_its_root(void **state)
{
    static const uint16_t backslash[] = u"\\";
    struct wants w =
        wants_change(WEDR_REGISTRY_OP_CREATE_KEY, NTSIM_ACCESS_DENIED, NTSIM_TEXT(RUN));

    (void)state;
    create(run_key(), NTSIM_NULL, NULL, 0, NTSIM_ACCESS_DENIED);
    expect_record(f, &w);
    create(run_key(), NTSIM_TEXT(u""), NULL, 0, NTSIM_ACCESS_DENIED);
    expect_record(f, &w);
    create(run_key(), NTSIM_BYTES(NULL, 8), NULL, 0, NTSIM_ACCESS_DENIED);
    expect_record(f, &w);
    /* Half a backslash is none. */
    create(run_key(), NTSIM_BYTES(backslash, 1), NULL, 0, NTSIM_ACCESS_DENIED);
    want_text(&w, "key_path", NTSIM_TEXT(RUN u"\\"), WEDR_SF_CUT);
    expect_record(f, &w);
    /* And with no root there is no name at all. */
    create(NULL, NTSIM_TEXT(u"Run"), NULL, 0, NTSIM_ACCESS_DENIED);
    expect_none(f);
    expect_source(f, WEDR_CALLBACK_REGISTRY, 5, 4, 1);
}

/* ---- hives, security ---- */

static void d14_loaded_hive_is_always_reported(void **state)
{
    struct wants w = wants_change(WEDR_REGISTRY_OP_LOAD_KEY, NTSIM_SUCCESS,
                                  NTSIM_TEXT(u"\\REGISTRY\\USER\\other"));
    struct ntsim_registry r = {.op = NTSIM_REG_LOAD,
                               .key = ntsim_key_new(NTSIM_TEXT(u"\\REGISTRY\\USER")),
                               .name = NTSIM_TEXT(u"other"),
                               .file = NTSIM_TEXT(u"\\??\\C:\\x.dat")};

    (void)state;
    want_text(&w, "source_file", NTSIM_TEXT(u"\\??\\C:\\x.dat"), 0);
    fire(&r, NTSIM_SUCCESS);
    expect_record(f, &w);
    expect_names_given_back(1);
    want_number(&w, "status", (uint32_t)NTSIM_ACCESS_DENIED);
    r.key = ntsim_key_dead();
    r.name = NTSIM_TEXT(u"\\REGISTRY\\USER\\other");
    fire(&r, NTSIM_ACCESS_DENIED);
    expect_record(f, &w);
    r.key = NULL;
    fire(&r, NTSIM_ACCESS_DENIED);
    expect_record(f, &w);
    expect_names_given_back(1);
    expect_source(f, WEDR_CALLBACK_REGISTRY, 3, 3, 0);
}

static void hive_without_a_name_is_reported_as_far_as_it_is_known(void **state)
{
    struct ntsim_registry r = {.op = NTSIM_REG_LOAD, .key = ntsim_key_new(NTSIM_TEXT(u""))};
    struct wants w = wants_change(WEDR_REGISTRY_OP_LOAD_KEY, NTSIM_SUCCESS, NTSIM_TEXT(u""));

    (void)state;
    fire(&r, NTSIM_SUCCESS);
    expect_record(f, &w);
    r.key = NULL;
    r.name = NTSIM_TEXT(u"relative");
    fire(&r, NTSIM_SUCCESS);
    expect_none(f);
    expect_source(f, WEDR_CALLBACK_REGISTRY, 2, 1, 1);
}

static void d14_restored_hive_is_always_reported(void **state)
{
    const struct wants w =
        wants_change(WEDR_REGISTRY_OP_RESTORE_KEY, NTSIM_INVALID_PARAMETER, NTSIM_TEXT(UNWATCHED));

    (void)state;
    fire_kind(NTSIM_REG_RESTORE, unwatched_key(), NTSIM_INVALID_PARAMETER);
    expect_record(f, &w);
    expect_names_given_back(1);
}

static void d14_replaced_hive_is_always_reported_with_the_new_file(void **state)
{
    struct wants w =
        wants_change(WEDR_REGISTRY_OP_REPLACE_KEY, NTSIM_SUCCESS, NTSIM_TEXT(UNWATCHED));
    struct ntsim_registry r = {.op = NTSIM_REG_REPLACE,
                               .key = unwatched_key(),
                               .name = NTSIM_TEXT(u"\\??\\C:\\new"),
                               .file = NTSIM_TEXT(u"\\??\\C:\\old")};

    (void)state;
    want_text(&w, "source_file", NTSIM_TEXT(u"\\??\\C:\\new"), 0);
    fire(&r, NTSIM_SUCCESS);
    expect_record(f, &w);
    expect_names_given_back(1);
}

static void d14_security_of_a_watched_key_is_reported(void **state)
{
    const struct wants w =
        wants_change(WEDR_REGISTRY_OP_SET_SECURITY, NTSIM_ACCESS_DENIED, NTSIM_TEXT(RUN));

    (void)state;
    fire_kind(NTSIM_REG_SET_SECURITY, run_key(), NTSIM_ACCESS_DENIED);
    expect_record(f, &w);
    expect_names_given_back(1);
}

static void d08_file_of_a_hive_is_cut_behind_8190_bytes(void **state)
{
    struct wants w = wants_change(WEDR_REGISTRY_OP_LOAD_KEY, NTSIM_SUCCESS, NTSIM_TEXT(u"\\R"));
    struct ntsim_registry r = {.op = NTSIM_REG_LOAD,
                               .name = NTSIM_TEXT(u"\\R"),
                               .file = text_filled('h', PROBE_REC_PATH_MAX)};

    (void)state;
    want_text(&w, "source_file", text_filled('h', PROBE_REC_PATH_MAX), 0);
    fire(&r, NTSIM_SUCCESS);
    expect_record(f, &w);
    r.file = text_filled('h', PROBE_REC_PATH_MAX + 2);
    want_text(&w, "source_file", text_filled('h', PROBE_REC_PATH_MAX), WEDR_SF_CUT);
    fire(&r, NTSIM_SUCCESS);
    expect_record(f, &w);
}

/* ---- what is not looked at ---- */

static void operations_that_change_nothing_are_not_looked_at(void **state)
{
    static const enum ntsim_reg kinds[] = {NTSIM_REG_SET_INFORMATION,
                                           NTSIM_REG_ENUMERATE_KEY,
                                           NTSIM_REG_ENUMERATE_VALUE,
                                           NTSIM_REG_QUERY_KEY,
                                           NTSIM_REG_QUERY_VALUE,
                                           NTSIM_REG_QUERY_MULTIPLE_VALUE,
                                           NTSIM_REG_OPEN,
                                           NTSIM_REG_CLOSE,
                                           NTSIM_REG_FLUSH,
                                           NTSIM_REG_UNLOAD,
                                           NTSIM_REG_QUERY_SECURITY,
                                           NTSIM_REG_SAVE};

    (void)state;
    for (unsigned i = 0; i < 12; i++) {
        fire_kind(kinds[i], ntsim_key_dead(), NTSIM_SUCCESS);
    }
    expect_none(f);
    expect_source(f, WEDR_CALLBACK_REGISTRY, 0, 0, 0);
}

/* What is reported afterwards is not looked at before. */
static void d15_nothing_but_deletion_and_renaming_is_looked_at_before(void **state)
{
    (void)state;
    for (unsigned op = 0; op < NTSIM_REG_OPS; op++) {
        struct ntsim_registry r = {.op = (enum ntsim_reg)op, .key = ntsim_key_dead()};

        if (op != NTSIM_REG_DELETE_KEY && op != NTSIM_REG_RENAME) {
            assert_int_equal(ntsim_fire_registry_pre(&r), NTSIM_SUCCESS);
            assert_null(r.context);
        }
    }
    expect_none(f);
    expect_source(f, WEDR_CALLBACK_REGISTRY, 0, 0, 0);
}

static void post_call_without_its_pre_information_is_not_looked_at(void **state)
{
    (void)state;
    for (unsigned op = 0; op < NTSIM_REG_OPS; op++) {
        struct ntsim_registry r = {.op = (enum ntsim_reg)op,
                                   .key = ntsim_key_dead(),
                                   .result = ntsim_key_dead(),
                                   .no_pre_information = true};

        assert_int_equal(ntsim_fire_registry_post(&r, NTSIM_SUCCESS), NTSIM_SUCCESS);
    }
    expect_none(f);
    expect_source(f, WEDR_CALLBACK_REGISTRY, REPORTED_KINDS, 0, 0);
}

static void odd_arguments_are_only_counted(void **state)
{
    static uint64_t nothing[32];

    (void)state;
    for (unsigned op = 0; op < NTSIM_REG_OPS; op++) {
        assert_int_equal(
            ntsim_fire_registry_raw(ntsim_registry_class((enum ntsim_reg)op, false), NULL), 0);
        assert_int_equal(
            ntsim_fire_registry_raw(ntsim_registry_class((enum ntsim_reg)op, true), NULL), 0);
    }
    /* The first one behind the last that is looked at. */
    assert_int_equal(
        ntsim_fire_registry_raw(ntsim_registry_class(NTSIM_REG_REPLACE, true) + 1, nothing), 0);
    assert_int_equal(ntsim_fire_registry_raw(NOT_A_CLASS, nothing), 0);
    assert_int_equal(ntsim_fire_registry_raw(UINT64_MAX, nothing), 0);
    assert_int_equal(ntsim_fire_registry_raw(UINT32_MAX, nothing), 0);
    expect_none(f);
    expect_source(f, WEDR_CALLBACK_REGISTRY, REPORTED_KINDS, 0, 0);
}

/* ---- names that cannot be had ---- */

static void name_that_cannot_be_had_is_counted_as_failed(void **state)
{
    struct ntsim_key *k = run_key();

    (void)state;
    ntsim_key_fail(k, NTSIM_INSUFFICIENT_RESOURCES);
    assert_int_equal(ntsim_fire_registry_set_value(k, NTSIM_NULL, 1, u"x", 2, 0), 0);
    expect_source(f, WEDR_CALLBACK_REGISTRY, 1, 0, 1);
    fire_kind(NTSIM_REG_RESTORE, k, 0);
    expect_source(f, WEDR_CALLBACK_REGISTRY, 2, 0, 2);
    fire_kind(NTSIM_REG_DELETE_KEY, k, NTSIM_ACCESS_DENIED);
    expect_source(f, WEDR_CALLBACK_REGISTRY, 3, 0, 3);
    expect_none(f);
    ntsim_key_fail(k, 0);
    assert_int_equal(ntsim_fire_registry_delete_value(k, NTSIM_NULL, 0), 0);
    expect_some(f, WEDR_EV_REGISTRY_WRITE, WEDR_LANE_CRITICAL);
    expect_source(f, WEDR_CALLBACK_REGISTRY, 4, 1, 3);
}

static void operation_without_an_object_is_counted_as_failed(void **state)
{
    (void)state;
    fire_kind(NTSIM_REG_SET_VALUE, NULL, 0);
    fire_kind(NTSIM_REG_DELETE_VALUE, NULL, 0);
    fire_kind(NTSIM_REG_SET_SECURITY, NULL, 0);
    fire_kind(NTSIM_REG_RENAME, NULL, 0);
    expect_source(f, WEDR_CALLBACK_REGISTRY, 4, 0, 4);
    expect_names_given_back(0);
    expect_none(f);
}

static void record_without_a_place_is_a_counted_loss_and_gives_its_name_back(void **state)
{
    uint8_t *places[PROBE_STAGE_SMALL_COUNT + PROBE_STAGE_LARGE_COUNT];
    unsigned n = 0;

    (void)state;
    while (n < PROBE_STAGE_SMALL_COUNT + PROBE_STAGE_LARGE_COUNT) {
        places[n++] = probe_stage_claim(1);
    }
    fire_kind(NTSIM_REG_DELETE_VALUE, run_key(), 0);
    expect_hole(WEDR_LANE_CRITICAL);
    expect_none(f);
    expect_source(f, WEDR_CALLBACK_REGISTRY, 1, 0, 1);
    expect_names_given_back(1);
    while (n > 0) {
        probe_stage_release(places[--n]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(d15_value_is_reported_with_the_result_of_the_operation),
        TEST(d15_deleted_value_is_reported_with_its_result),
        TEST(default_value_has_no_name),
        TEST(process_that_is_known_is_named_by_its_key),
        TEST(change_of_an_unwatched_key_is_not_reported),
        TEST(d07_nothing_is_counted_for_a_change_that_is_not_reported),
        TEST(d07_each_string_that_is_cut_is_flagged_and_counted_on_the_record),
        TEST(nuls_that_hide_a_value_are_shown),
        TEST(d12_new_key_has_the_name_of_what_was_made),
        TEST(opening_an_existing_key_is_no_change),
        TEST(disposition_that_cannot_be_read_counts_as_new),
        TEST(d12_failed_creation_by_a_relative_name_has_the_whole_path),
        TEST(failed_creation_by_an_absolute_name_needs_no_root),
        TEST(status_decides_whether_there_is_a_key),
        TEST(failed_creation_without_a_name_is_about_its_root),
        TEST(d14_loaded_hive_is_always_reported),
        TEST(hive_without_a_name_is_reported_as_far_as_it_is_known),
        TEST(d14_restored_hive_is_always_reported),
        TEST(d14_replaced_hive_is_always_reported_with_the_new_file),
        TEST(d14_security_of_a_watched_key_is_reported),
        TEST(d08_file_of_a_hive_is_cut_behind_8190_bytes),
        TEST(operations_that_change_nothing_are_not_looked_at),
        TEST(d15_nothing_but_deletion_and_renaming_is_looked_at_before),
        TEST(post_call_without_its_pre_information_is_not_looked_at),
        TEST(odd_arguments_are_only_counted),
        TEST(name_that_cannot_be_had_is_counted_as_failed),
        TEST(operation_without_an_object_is_counted_as_failed),
        TEST(record_without_a_place_is_a_counted_loss_and_gives_its_name_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
