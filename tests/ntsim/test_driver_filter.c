/* SPDX-License-Identifier: Apache-2.0
 * SET_FILTER: classes that are switched off, paths left out, keys watched besides; a filter is
 * taken whole or not at all, and can be replaced at any moment. */
#include "driver_fixture.h"

#define BLOCKS 6u /* of a loaded driver without a filter */

static struct ntsim_process *someone(void)
{
    struct ntsim_process *p = ntsim_process_find(8);

    return p ? p : driver_process(8, 4);
}

static int32_t set_classes(struct ntsim_file *f, uint32_t classes)
{
    return driver_set_filter(f, classes, NULL, 0, NULL, 0);
}

/* ---- one event of each kind -------------------------------------------------------------------
 */

static void fire_process(void)
{
    driver_fire_exit(someone());
}

static void fire_user_image(void)
{
    driver_fire_image(8, false, 1, 200);
}

static void fire_kernel_image(void)
{
    driver_fire_image(0, true, 1, 200);
}

static void fire_registry(void)
{
    static const struct ntsim_text run =
        NTSIM_TEXT(u"\\REGISTRY\\MACHINE\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Run");
    struct ntsim_key *k = ntsim_key_new(run);

    assert_int_equal(ntsim_fire_registry_set_value(k, NTSIM_TEXT(u"x"), 1, u"y", 2, 0), 0);
    ntsim_key_free(k);
}

static void fire_injected_thread(void)
{
    ntsim_fire_thread(8, 100, true); /* by System, in a process that is not new */
}

static void fire_thread_exit(void)
{
    driver_fire_thread_exit(8, 100);
}

static void fire_handle(void)
{
    const struct ntsim_handle h = {.process = someone(), .access = 0x1fffff};
    struct ntsim_process *other = ntsim_process_find(12);

    ntsim_set_current(ntsim_thread_new(other ? other : driver_process(12, 4), 200));
    assert_int_equal(ntsim_fire_handle(&h), 0x1fffff);
    ntsim_set_current(NULL);
}

static const struct {
    void (*fire)(void);
    uint32_t class;
    unsigned callback;
    uint8_t lane;
    uint16_t type;
} kinds[] = {
    {fire_process, WEDR_CLASS_PROCESS, WEDR_CALLBACK_PROCESS, 0, WEDR_EV_PROCESS_TERMINATE},
    {fire_user_image, WEDR_CLASS_MODULE, WEDR_CALLBACK_IMAGE, 1, WEDR_EV_MODULE_LOAD},
    {fire_kernel_image, WEDR_CLASS_MODULE, WEDR_CALLBACK_IMAGE, 0, WEDR_EV_MODULE_LOAD},
    {fire_registry, WEDR_CLASS_REGISTRY, WEDR_CALLBACK_REGISTRY, 0, WEDR_EV_REGISTRY_WRITE},
    {fire_injected_thread, WEDR_CLASS_THREAD, WEDR_CALLBACK_THREAD, 0, WEDR_EV_THREAD_CREATE},
    {fire_thread_exit, WEDR_CLASS_THREAD, WEDR_CALLBACK_THREAD, 1, WEDR_EV_THREAD_EXIT},
    {fire_handle, WEDR_CLASS_HANDLE, WEDR_CALLBACK_HANDLE, 0, WEDR_EV_PROCESS_HANDLE_ACCESS},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* Fires one of the kind; whether a record came, and that everything else stayed as it was. */
static bool is_recorded(struct ntsim_file *f, unsigned kind)
{
    struct wedr_ioctl_stats before = driver_stats(f), after;
    const struct wedr_ioctl_callback *b = &before.callback[kinds[kind].callback];
    const struct wedr_ioctl_callback *a = &after.callback[kinds[kind].callback];
    unsigned lane = kinds[kind].lane;
    bool recorded;

    kinds[kind].fire();
    after = driver_stats(f);
    recorded = a->events > b->events;
    assert_int_equal(a->calls - b->calls, 1);
    assert_int_equal(a->events - b->events, recorded ? 1 : 0);
    assert_int_equal(a->failed, 0);
    assert_int_equal(after.lane[lane].produced - before.lane[lane].produced, recorded ? 1 : 0);
    assert_int_equal(after.lane[1 - lane].produced, before.lane[1 - lane].produced);
    assert_int_equal(after.lane[1 - lane].filtered, before.lane[1 - lane].filtered);
    /* Most registry calls are no change of interest: they are not counted as left out. */
    assert_int_equal(after.lane[lane].filtered - before.lane[lane].filtered,
                     recorded || kinds[kind].callback == WEDR_CALLBACK_REGISTRY ? 0 : 1);
    if (recorded) {
        struct driver_event e = driver_read_type(f, kinds[kind].type);

        assert_int_equal(e.v.h.seq, after.lane[lane].produced);
        driver_event_free(&e);
    }
    driver_expect_empty(f);
    return recorded;
}

/* ---- classes ----------------------------------------------------------------------------------
 */

static void without_a_filter_everything_is_recorded(void **state)
{
    struct ntsim_file *f = driver_start();
    struct wedr_ioctl_stats s = driver_stats(f);

    (void)state;
    assert_int_equal(s.filter_generation, 0);
    for (unsigned k = 0; k < KINDS; k++) {
        assert_true(is_recorded(f, k));
    }
    s = driver_stats(f);
    for (unsigned i = 0; i < WEDR_CALLBACK_COUNT; i++) {
        assert_int_equal(s.callback[i].state, WEDR_CALLBACK_ACTIVE);
    }
}

static void a_class_that_is_off_takes_no_number_and_is_seen_as_filtered(void **state)
{
    static const uint8_t callback_of[] = {WEDR_CALLBACK_PROCESS, WEDR_CALLBACK_IMAGE,
                                          WEDR_CALLBACK_REGISTRY, WEDR_CALLBACK_THREAD,
                                          WEDR_CALLBACK_HANDLE};
    struct ntsim_file *f = driver_start();

    (void)state;
    for (unsigned class = 1; class < 5; class ++) {
        struct wedr_ioctl_stats s;

        assert_int_equal(set_classes(f, WEDR_CLASS_ALL & ~(1u << class)), NTSIM_SUCCESS);
        for (unsigned k = 0; k < KINDS; k++) {
            assert_int_equal(is_recorded(f, k), kinds[k].class != 1u << class);
        }
        s = driver_stats(f);
        for (unsigned i = 0; i < 5; i++) {
            assert_int_equal(s.callback[callback_of[i]].state,
                             i == class ? WEDR_CALLBACK_FILTERED : WEDR_CALLBACK_ACTIVE);
            assert_int_equal(s.callback[i].status, 0);
        }
    }
    assert_int_equal(set_classes(f, WEDR_CLASS_PROCESS), NTSIM_SUCCESS);
    for (unsigned k = 0; k < KINDS; k++) {
        assert_int_equal(is_recorded(f, k), k == 0);
    }
    assert_int_equal(set_classes(f, WEDR_CLASS_ALL), NTSIM_SUCCESS);
    for (unsigned k = 0; k < KINDS; k++) {
        assert_true(is_recorded(f, k));
    }
    assert_int_equal(driver_stats(f).filter_generation, 6);
}

static void a_source_that_failed_is_not_called_filtered(void **state)
{
    struct ntsim_file *f;

    (void)state;
    ntsim_fail("PsSetLoadImageNotifyRoutine", 0, 1, 0);
    ntsim_hide("CmRegisterCallbackEx");
    f = driver_start();
    assert_int_equal(set_classes(f, WEDR_CLASS_PROCESS), NTSIM_SUCCESS);
    assert_int_equal(driver_stats(f).callback[WEDR_CALLBACK_IMAGE].state, WEDR_CALLBACK_FAILED);
    assert_int_equal(driver_stats(f).callback[WEDR_CALLBACK_REGISTRY].state, WEDR_CALLBACK_ABSENT);
    assert_int_equal(driver_stats(f).callback[WEDR_CALLBACK_THREAD].state, WEDR_CALLBACK_FILTERED);
}

/* ---- prefixes ---------------------------------------------------------------------------------
 */

static bool image_is_recorded(struct ntsim_file *f, struct ntsim_text name, bool kernel)
{
    const struct ntsim_image i = {.name = name,
                                  .pid = kernel ? 0 : 8,
                                  .properties = kernel ? NTSIM_IMAGE_KERNEL : 0,
                                  .base = 1,
                                  .size = 2};
    struct wedr_ioctl_stats before = driver_stats(f), after;

    ntsim_fire_image(&i);
    after = driver_stats(f);
    assert_int_equal(after.lane[!kernel].produced + after.lane[!kernel].filtered,
                     before.lane[!kernel].produced + before.lane[!kernel].filtered + 1);
    (void)driver_drain(f);
    return after.lane[!kernel].produced > before.lane[!kernel].produced;
}

static void images_below_a_listed_path_are_left_out(void **state)
{
    static const struct ntsim_text paths[] = {NTSIM_TEXT(u"\\Device\\Vol1\\Windows"),
                                              NTSIM_TEXT(u"\\Device\\Vol2\\"),
                                              NTSIM_TEXT(u"\\Device\\Vol\u0436")};
    struct ntsim_file *f = driver_start();

    (void)state;
    assert_int_equal(driver_set_filter(f, WEDR_CLASS_ALL, paths, 3, NULL, 0), NTSIM_SUCCESS);
    assert_false(image_is_recorded(f, NTSIM_TEXT(u"\\Device\\Vol1\\Windows\\a.dll"), false));
    assert_false(image_is_recorded(f, NTSIM_TEXT(u"\\DEVICE\\vol1\\WINDOWS\\a.dll"), false));
    assert_false(image_is_recorded(f, NTSIM_TEXT(u"\\Device\\Vol1\\Windows"), false));
    assert_true(image_is_recorded(f, NTSIM_TEXT(u"\\Device\\Vol1\\Windows2\\a.dll"), false));
    assert_true(image_is_recorded(f, NTSIM_TEXT(u"\\Device\\Vol1\\Window"), false));
    assert_true(image_is_recorded(f, NTSIM_TEXT(u"\\Device\\Vol1\\Other\\a.dll"), false));
    assert_false(image_is_recorded(f, NTSIM_TEXT(u"\\Device\\Vol2\\a.dll"), false));
    assert_true(image_is_recorded(f, NTSIM_TEXT(u"\\Device\\Vol2"), false));
    assert_false(image_is_recorded(f, NTSIM_TEXT(u"\\Device\\Vol\u0416\\a.dll"), false));
    assert_true(image_is_recorded(f, NTSIM_TEXT(u"\\Device\\Vol6\\a.dll"), false));
    assert_true(image_is_recorded(f, NTSIM_TEXT(u""), false));
    assert_true(image_is_recorded(f, NTSIM_NULL, false));
    /* The kernel's own are never left out. */
    assert_true(image_is_recorded(f, NTSIM_TEXT(u"\\Device\\Vol1\\Windows\\a.sys"), true));
    assert_int_equal(set_classes(f, WEDR_CLASS_ALL), NTSIM_SUCCESS);
    assert_true(image_is_recorded(f, NTSIM_TEXT(u"\\Device\\Vol1\\Windows\\a.dll"), false));
}

static bool key_is_recorded(struct ntsim_file *f, struct ntsim_text name)
{
    struct ntsim_key *k = ntsim_key_new(name);
    uint64_t before = driver_stats(f).lane[0].produced;

    assert_int_equal(ntsim_fire_registry_set_value(k, NTSIM_TEXT(u"x"), 1, u"y", 2, 0), 0);
    ntsim_key_free(k);
    (void)driver_drain(f);
    return driver_stats(f).lane[0].produced > before;
}

static struct ntsim_text long_name(uint16_t *units, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        units[i] = i == 0 ? '\\' : 'z';
    }
    return NTSIM_BYTES(units, count * 2);
}

static void keys_below_a_listed_prefix_are_watched_besides(void **state)
{
    static const struct ntsim_text paths[] = {NTSIM_TEXT(u"\\REGISTRY\\MACHINE\\Path")};
    static const struct ntsim_text keys[] = {NTSIM_TEXT(u"\\REGISTRY\\MACHINE\\Mine"),
                                             NTSIM_TEXT(u"\\Registry\\User\\Me")};
    static const struct ntsim_text run =
        NTSIM_TEXT(u"\\REGISTRY\\MACHINE\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Run");
    static uint16_t units[16000];
    struct ntsim_text very_long = long_name(units, 16000);
    struct ntsim_file *f = driver_start();

    (void)state;
    assert_false(key_is_recorded(f, NTSIM_TEXT(u"\\REGISTRY\\MACHINE\\Mine")));
    assert_true(key_is_recorded(f, run));
    assert_int_equal(driver_set_filter(f, WEDR_CLASS_ALL, paths, 1, keys, 2), NTSIM_SUCCESS);
    assert_true(key_is_recorded(f, NTSIM_TEXT(u"\\REGISTRY\\MACHINE\\Mine")));
    assert_true(key_is_recorded(f, NTSIM_TEXT(u"\\registry\\machine\\mine\\below")));
    assert_true(key_is_recorded(f, NTSIM_TEXT(u"\\REGISTRY\\USER\\ME")));
    assert_false(key_is_recorded(f, NTSIM_TEXT(u"\\REGISTRY\\MACHINE\\Mine2")));
    assert_false(key_is_recorded(f, NTSIM_TEXT(u"\\REGISTRY\\MACHINE\\Path")));
    /* Longer than whatever the text behind the list could be taken for. */
    assert_false(key_is_recorded(f, very_long));
    assert_true(key_is_recorded(f, run));
    /* Paths of images and keys are two lists. */
    assert_true(image_is_recorded(f, NTSIM_TEXT(u"\\REGISTRY\\MACHINE\\Mine"), false));
    assert_false(image_is_recorded(f, NTSIM_TEXT(u"\\REGISTRY\\MACHINE\\Path"), false));
}

static void as_many_prefixes_as_documented_are_taken(void **state)
{
    static uint16_t text[129][4];
    struct ntsim_text t[129];
    struct ntsim_file *f = driver_start();

    (void)state;
    for (unsigned i = 0; i < 129; i++) {
        text[i][0] = '\\';
        text[i][1] = (uint16_t)('A' + i / 26);
        text[i][2] = (uint16_t)('A' + i % 26);
        t[i] = NTSIM_BYTES(text[i], 6);
    }
    assert_int_equal(driver_set_filter(f, WEDR_CLASS_ALL, t, 64, t, 128), NTSIM_SUCCESS);
    assert_false(image_is_recorded(f, t[0], false));
    assert_false(image_is_recorded(f, t[63], false));
    assert_true(image_is_recorded(f, t[64], false));
    assert_true(key_is_recorded(f, t[0]));
    assert_true(key_is_recorded(f, t[127]));
    assert_false(key_is_recorded(f, t[128]));
    assert_int_equal(driver_set_filter(f, WEDR_CLASS_ALL, t, 65, t, 0), NTSIM_INVALID_PARAMETER);
    assert_int_equal(driver_set_filter(f, WEDR_CLASS_ALL, t, 0, t, 129), NTSIM_INVALID_PARAMETER);
    assert_false(image_is_recorded(f, t[63], false));
}

/* ---- bad filters ------------------------------------------------------------------------------
 */

static const struct ntsim_text good_paths[] = {NTSIM_TEXT(u"\\Device\\Vol1")};
static const struct ntsim_text good_keys[] = {NTSIM_TEXT(u"\\REGISTRY\\MACHINE\\Mine")};

static int32_t set_raw(struct ntsim_file *f, const void *filter, size_t len)
{
    int32_t status;
    struct ntsim_irp *r = ntsim_ioctl_start(f, WEDR_IOCTL_SET_FILTER, filter, len, 16, &status);

    driver_expect(r, status, 0);
    return status;
}

/* Refused, counted, and the filter with good_paths and good_keys still in force. */
static void expect_refused(struct ntsim_file *f, const void *filter, size_t len)
{
    struct wedr_ioctl_stats before = driver_stats(f), after;

    assert_int_equal(set_raw(f, filter, len), NTSIM_INVALID_PARAMETER);
    after = driver_stats(f);
    assert_int_equal(after.refused - before.refused, 1);
    assert_int_equal(after.filter_generation, before.filter_generation);
    assert_int_equal(ntsim_pool_live(), BLOCKS + 1);
}

static void a_bad_filter_changes_nothing(void **state)
{
    static uint8_t filter[WEDR_FILTER_MAX + 2];
    static const size_t must_be[] = {0, 4, 8, 10, 12, 14, 17, 20, 24, 31, 36, 39, 44, 47};
    struct ntsim_file *f = driver_start();
    size_t len = driver_make_filter(filter, 0x1d, good_paths, 1, good_keys, 1);

    (void)state;
    assert_int_equal(set_raw(f, filter, len), NTSIM_SUCCESS);
    for (unsigned i = 0; i < sizeof(must_be) / sizeof(must_be[0]); i++) {
        filter[must_be[i]] ^= 0x41;
        expect_refused(f, filter, len);
        filter[must_be[i]] ^= 0x41;
    }
    for (size_t cut = 0; cut < len; cut++) {
        expect_refused(f, filter, cut);
    }
    expect_refused(f, filter, len + 1);
    expect_refused(f, filter, sizeof(filter));
    filter[16] = 0x1e; /* without the class of processes */
    expect_refused(f, filter, len);
    filter[16] = 0x3f;
    expect_refused(f, filter, len);
    assert_false(image_is_recorded(f, good_paths[0], false));
    assert_true(key_is_recorded(f, good_keys[0]));
    assert_int_equal(driver_stats(f).filter_generation, 1);
}

static void the_largest_filter_is_taken(void **state)
{
    static uint8_t filter[WEDR_FILTER_MAX + 1];
    struct ntsim_file *f = driver_start();
    uint32_t size = WEDR_FILTER_MAX;

    (void)state;
    (void)driver_make_filter(filter, WEDR_CLASS_ALL, good_paths, 1, NULL, 0);
    memcpy(filter + 4, &size, 4);
    assert_int_equal(set_raw(f, filter, WEDR_FILTER_MAX), NTSIM_SUCCESS);
    assert_false(image_is_recorded(f, good_paths[0], false));
    size++;
    memcpy(filter + 4, &size, 4);
    expect_refused(f, filter, WEDR_FILTER_MAX + 1);
}

static void a_filter_without_memory_changes_nothing(void **state)
{
    struct ntsim_file *f = driver_start();

    (void)state;
    assert_int_equal(driver_set_filter(f, 0x1f, good_paths, 1, NULL, 0), NTSIM_SUCCESS);
    ntsim_fail("ExAllocatePool2", 0, 1, 0);
    assert_int_equal(set_classes(f, WEDR_CLASS_PROCESS), NTSIM_INSUFFICIENT_RESOURCES);
    assert_int_equal(driver_stats(f).refused, 1);
    assert_int_equal(driver_stats(f).filter_generation, 1);
    assert_false(image_is_recorded(f, good_paths[0], false));
    assert_true(image_is_recorded(f, NTSIM_TEXT(u"\\x"), false));
}

/* ---- life of a filter -------------------------------------------------------------------------
 */

static void each_filter_replaces_and_frees_the_one_before(void **state)
{
    struct ntsim_file *f = driver_start();

    (void)state;
    assert_int_equal(ntsim_pool_live(), BLOCKS);
    for (unsigned i = 1; i <= 10; i++) {
        assert_int_equal(driver_set_filter(f, 0x1f, good_paths, i % 2, NULL, 0), NTSIM_SUCCESS);
        assert_int_equal(ntsim_pool_live(), BLOCKS + 1);
        assert_int_equal(driver_stats(f).filter_generation, i);
        assert_int_equal(image_is_recorded(f, good_paths[0], false), i % 2 == 0);
    }
}

static void a_filter_takes_the_bytes_that_it_has(void **state)
{
    static uint8_t filter[WEDR_FILTER_MAX];
    struct ntsim_file *f = driver_start();
    uint64_t before = ntsim_pool_bytes();
    size_t len = driver_make_filter(filter, WEDR_CLASS_ALL, good_paths, 1, good_keys, 1);

    (void)state;
    assert_int_equal(set_raw(f, filter, len), NTSIM_SUCCESS);
    assert_int_equal(ntsim_pool_bytes() - before, 16 + len);
}

static void a_filter_outlives_its_handle_but_not_the_driver(void **state)
{
    struct ntsim_file *f = driver_start();

    (void)state;
    assert_int_equal(driver_set_filter(f, 0x1f, good_paths, 1, good_keys, 1), NTSIM_SUCCESS);
    driver_close();
    f = driver_open();
    assert_false(image_is_recorded(f, good_paths[0], false));
    assert_int_equal(driver_stats(f).filter_generation, 1);
    driver_unload();
    f = driver_start();
    assert_true(image_is_recorded(f, good_paths[0], false));
    assert_false(key_is_recorded(f, good_keys[0]));
    assert_int_equal(driver_stats(f).filter_generation, 0);
}

struct replacer {
    struct ntsim_file *f;
    unsigned due, done;
};

static void replace(void *arg)
{
    struct replacer *r = arg;

    if (r->due > 0 && --r->due == 0) {
        assert_int_equal(set_classes(r->f, WEDR_CLASS_ALL), NTSIM_SUCCESS);
        assert_int_equal(ntsim_pool_live(), BLOCKS + 2); /* the old one is being read */
        r->done++;
    }
}

/* A callback that compares has the filter that it began with, and is the last to let go of it. */
static void a_filter_is_replaced_while_a_callback_reads_it(void **state)
{
    struct ntsim_file *f = driver_start();
    struct replacer r = {.f = f, .due = 1};
    const struct ntsim_image i = {.name = good_paths[0], .pid = 8};

    (void)state;
    assert_int_equal(driver_set_filter(f, 0x1f, good_paths, 1, good_keys, 1), NTSIM_SUCCESS);
    ntsim_hook("KeReleaseInStackQueuedSpinLock.done", replace, &r);
    ntsim_fire_image(&i);
    ntsim_hook("KeReleaseInStackQueuedSpinLock.done", NULL, NULL);
    assert_int_equal(r.done, 1);
    assert_int_equal(driver_stats(f).lane[1].filtered, 1); /* as the old filter wanted */
    assert_int_equal(ntsim_pool_live(), BLOCKS + 1);
    assert_true(image_is_recorded(f, good_paths[0], false));
}

static void a_filter_is_replaced_while_a_registry_callback_reads_it(void **state)
{
    struct ntsim_file *f = driver_start();
    struct replacer r = {.f = f, .due = 1};
    struct ntsim_key *k = ntsim_key_new(good_keys[0]);

    (void)state;
    assert_int_equal(driver_set_filter(f, 0x1f, good_paths, 1, good_keys, 1), NTSIM_SUCCESS);
    ntsim_hook("KeReleaseInStackQueuedSpinLock.done", replace, &r);
    assert_int_equal(ntsim_fire_registry_delete_value(k, NTSIM_TEXT(u"x"), 0), 0);
    ntsim_hook("KeReleaseInStackQueuedSpinLock.done", NULL, NULL);
    assert_int_equal(r.done, 1);
    assert_int_equal(driver_drain(f), 1);
    assert_int_equal(ntsim_pool_live(), BLOCKS + 1);
    assert_false(key_is_recorded(f, good_keys[0]));
}

static void replace_before(void *arg)
{
    struct replacer *r = arg;

    if (r->due > 0 && --r->due == 0) {
        assert_int_equal(set_classes(r->f, WEDR_CLASS_ALL), NTSIM_SUCCESS);
        assert_int_equal(ntsim_pool_live(), BLOCKS + 1);
        r->done++;
    }
}

/* The list was emptied between the look at its length and the look into it. */
static void a_list_that_is_gone_meanwhile_matches_nothing(void **state)
{
    struct ntsim_file *f = driver_start();
    struct replacer r = {.f = f, .due = 1};
    const struct ntsim_image i = {.name = good_paths[0], .pid = 8};

    (void)state;
    assert_int_equal(driver_set_filter(f, 0x1f, good_paths, 1, NULL, 0), NTSIM_SUCCESS);
    ntsim_hook("KeAcquireInStackQueuedSpinLock", replace_before, &r);
    ntsim_fire_image(&i);
    ntsim_hook("KeAcquireInStackQueuedSpinLock", NULL, NULL);
    assert_int_equal(r.done, 1);
    assert_int_equal(driver_stats(f).lane[1].filtered, 0);
    assert_int_equal(driver_drain(f), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DRIVER_TEST(without_a_filter_everything_is_recorded),
        DRIVER_TEST(a_class_that_is_off_takes_no_number_and_is_seen_as_filtered),
        DRIVER_TEST(a_source_that_failed_is_not_called_filtered),
        DRIVER_TEST(images_below_a_listed_path_are_left_out),
        DRIVER_TEST(keys_below_a_listed_prefix_are_watched_besides),
        DRIVER_TEST(as_many_prefixes_as_documented_are_taken),
        DRIVER_TEST(a_bad_filter_changes_nothing),
        DRIVER_TEST(the_largest_filter_is_taken),
        DRIVER_TEST(a_filter_without_memory_changes_nothing),
        DRIVER_TEST(each_filter_replaces_and_frees_the_one_before),
        DRIVER_TEST(a_filter_takes_the_bytes_that_it_has),
        DRIVER_TEST(a_filter_outlives_its_handle_but_not_the_driver),
        DRIVER_TEST(a_filter_is_replaced_while_a_callback_reads_it),
        DRIVER_TEST(a_filter_is_replaced_while_a_registry_callback_reads_it),
        DRIVER_TEST(a_list_that_is_gone_meanwhile_matches_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
