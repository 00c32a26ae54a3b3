/* SPDX-License-Identifier: Apache-2.0
 * tests/wine/pump_registry.c — the registry callback and the filter: what is watched arrives with
 * its result, what is not is left out. */
#include "pump.h"

#include <stdlib.h>
#include <string.h>

#define RUN_KEY L"\\REGISTRY\\MACHINE\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Run"
#define CURRENT_VERSION L"\\REGISTRY\\MACHINE\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion"
#define SERVICE_KEY L"\\REGISTRY\\MACHINE\\SYSTEM\\ControlSet001\\Services\\Evil"
#define PLAIN_KEY L"\\REGISTRY\\MACHINE\\SOFTWARE\\Vendor\\Tool"
#define WRITER 0x7f0u /* pid; the driver knows no process of that number */
#define PREVIEW 256u  /* bytes of data that a record carries */

/* A registry command by the writer, with a key. */
static struct shim_fire *shot_key(enum shim_event event, const wchar_t *key)
{
    struct shim_fire *s = shot_new(event);

    s->context_pid = WRITER;
    if (key) {
        shot_text(0, key);
    }
    return s;
}

/* The next record is a change by the writer; the operation, key and further fields are listed. */
static void next_change_is(uint16_t op, const wchar_t *key, int32_t status, struct field more[4])
{
    struct field wanted[9] = {
        HAS_NUMBER("pid", WRITER),
        HAS_NUMBER("op", op),
        HAS_NUMBER("status", (int64_t)status),
        HAS_TEXT("key_path", key),
    };

    for (unsigned i = 0; more && i < 4; i++) {
        wanted[4 + i] = more[i];
    }
    event_next_is(WEDR_EV_REGISTRY_WRITE, WEDR_LANE_CRITICAL, wanted);
    CHECK(shim_now().names == 0, "%u key names are not given back", (unsigned)shim_now().names);
}

static void value_that_is_set_arrives_with_type_data_and_result(void)
{
    static const wchar_t data[] = L"C:\\evil.exe";
    struct field more[4] = {
        HAS_TEXT("value_name", L"Updater"),
        HAS_NUMBER("value_type", REG_SZ),
        HAS_NUMBER("data_size", sizeof(data)),
        {.name = "data_preview", .bytes = data, .len = sizeof(data)},
    };
    struct shim_fire *s;

    events_drain();
    for (int i = 0; i < 2; i++) {
        s = shot_key(SHIM_EV_SET_VALUE, RUN_KEY);
        shot_text(1, L"Updater");
        shot_bytes(2, data, sizeof(data));
        s->value_type = REG_SZ;
        s->status = i == 0 ? STATUS_SUCCESS : NT_ACCESS_DENIED;
        (void)shot_fire();
        next_change_is(WEDR_REGISTRY_OP_SET_VALUE, RUN_KEY, s->status, more);
    }
    events_none();
}

static void long_data_is_cut_and_flagged(void)
{
    static uint8_t data[5000];
    struct field more[4] = {
        HAS_TEXT("value_name", L"Blob"),
        HAS_NUMBER("value_type", REG_BINARY),
        HAS_NUMBER("data_size", sizeof(data)),
        {.name = "data_preview", .bytes = data, .len = PREVIEW, .flags = WEDR_SF_CUT},
    };
    struct shim_fire *s;

    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t)(i * 7);
    }
    events_drain();
    s = shot_key(SHIM_EV_SET_VALUE, RUN_KEY);
    shot_text(1, L"Blob");
    shot_bytes(2, data, sizeof(data));
    s->value_type = REG_BINARY;
    (void)shot_fire();
    next_change_is(WEDR_REGISTRY_OP_SET_VALUE, RUN_KEY, 0, more);
}

/* The data is the caller's memory, and the caller may have taken it away: the exception is caught
 * in the driver. */
static void data_that_cannot_be_read_is_flagged(void)
{
    uint8_t data[40] = {0};
    struct field more[4] = {
        HAS_TEXT("value_name", L"Gone"),
        HAS_NUMBER("value_type", REG_BINARY),
        HAS_NUMBER("data_size", sizeof(data)),
        {.name = "data_preview", .flags = WEDR_SF_UNREADABLE},
    };
    struct shim_fire *s;

    events_drain();
    s = shot_key(SHIM_EV_SET_VALUE, RUN_KEY);
    s->flags = SHIM_F_BAD_DATA;
    s->value_type = REG_BINARY;
    shot_text(1, L"Gone");
    shot_bytes(2, data, sizeof(data));
    (void)shot_fire();
    next_change_is(WEDR_REGISTRY_OP_SET_VALUE, RUN_KEY, 0, more);
}

static void name_with_a_nul_in_it_is_shown_whole(void)
{
    static const wchar_t name[] = {L'a', 0, L'b'};
    struct field more[4] = {HAS_TEXT("value_name", L"a\x2400"
                                                   L"b")};

    events_drain();
    (void)shot_key(SHIM_EV_DELETE_VALUE, RUN_KEY);
    shot_bytes(1, name, sizeof(name));
    (void)shot_fire();
    next_change_is(WEDR_REGISTRY_OP_DELETE_VALUE, RUN_KEY, 0, more);
}

static void real_control_set_of_a_service_is_watched(void)
{
    struct field more[4] = {
        HAS_TEXT("value_name", L"ImagePath"),
        HAS_NUMBER("value_type", REG_EXPAND_SZ),
        HAS_END,
    };
    struct shim_fire *s;

    events_drain();
    s = shot_key(SHIM_EV_SET_VALUE, SERVICE_KEY);
    s->value_type = REG_EXPAND_SZ;
    shot_text(1, L"ImagePath");
    shot_bytes(2, L"", 0);
    (void)shot_fire();
    next_change_is(WEDR_REGISTRY_OP_SET_VALUE, SERVICE_KEY, 0, more);
}

static void created_key_has_its_full_name(void)
{
    static const wchar_t full[] = CURRENT_VERSION L"\\RunOnce\\New";
    struct shim_fire *s;

    events_drain();
    (void)shot_key(SHIM_EV_CREATE_KEY, CURRENT_VERSION); /* relative to an open key */
    shot_text(1, L"RunOnce\\New");
    (void)shot_fire();
    next_change_is(WEDR_REGISTRY_OP_CREATE_KEY, full, 0, NULL);
    s = shot_key(SHIM_EV_CREATE_KEY, CURRENT_VERSION); /* refused: there is no key to ask */
    s->status = NT_ACCESS_DENIED;
    shot_text(1, L"RunOnce\\New");
    (void)shot_fire();
    next_change_is(WEDR_REGISTRY_OP_CREATE_KEY, full, NT_ACCESS_DENIED, NULL);
    s = shot_key(SHIM_EV_CREATE_KEY, NULL); /* absolute and refused */
    s->status = NT_ACCESS_DENIED;
    shot_text(1, full);
    (void)shot_fire();
    next_change_is(WEDR_REGISTRY_OP_CREATE_KEY, full, NT_ACCESS_DENIED, NULL);
    s = shot_key(SHIM_EV_CREATE_KEY, CURRENT_VERSION); /* it was there: nothing changed */
    s->flags = SHIM_F_EXISTED;
    shot_text(1, L"RunOnce\\New");
    (void)shot_fire();
    (void)shot_key(SHIM_EV_OPEN_KEY, CURRENT_VERSION);
    shot_text(1, L"RunOnce\\New");
    (void)shot_fire();
    events_none();
}

static void deleted_and_renamed_keys_have_the_name_of_before(void)
{
    struct field more[4] = {HAS_TEXT("new_name", L"Harmless"), HAS_END};
    struct shim_fire *s;

    events_drain();
    for (int i = 0; i < 2; i++) {
        s = shot_key(SHIM_EV_DELETE_KEY, RUN_KEY);
        s->status = i == 0 ? STATUS_SUCCESS : NT_ACCESS_DENIED;
        (void)shot_fire();
        next_change_is(WEDR_REGISTRY_OP_DELETE_KEY, RUN_KEY, s->status, NULL);
        s = shot_key(SHIM_EV_RENAME_KEY, SERVICE_KEY);
        s->status = i == 0 ? STATUS_SUCCESS : NT_ACCESS_DENIED;
        shot_text(1, L"Harmless");
        (void)shot_fire();
        next_change_is(WEDR_REGISTRY_OP_RENAME_KEY, SERVICE_KEY, s->status, more);
    }
}

static void hives_and_security_are_watched(void)
{
    struct field loaded[4] = {HAS_TEXT("source_file", L"\\??\\C:\\Users\\x\\hive.dat"), HAS_END};
    struct field replaced[4] = {HAS_TEXT("source_file", L"\\??\\C:\\new"), HAS_END};

    events_drain();
    (void)shot_key(SHIM_EV_LOAD_KEY, L"\\REGISTRY\\USER");
    shot_text(1, L"S-1-5-21-1-2-3-1001");
    shot_text(2, L"\\??\\C:\\Users\\x\\hive.dat");
    (void)shot_fire();
    next_change_is(WEDR_REGISTRY_OP_LOAD_KEY, L"\\REGISTRY\\USER\\S-1-5-21-1-2-3-1001", 0, loaded);
    (void)shot_key(SHIM_EV_LOAD_KEY, NULL);
    shot_text(1, L"\\REGISTRY\\MACHINE\\Offline");
    shot_text(2, L"\\??\\C:\\Users\\x\\hive.dat");
    (void)shot_fire();
    next_change_is(WEDR_REGISTRY_OP_LOAD_KEY, L"\\REGISTRY\\MACHINE\\Offline", 0, loaded);
    (void)shot_key(SHIM_EV_RESTORE_KEY, PLAIN_KEY);
    (void)shot_fire();
    next_change_is(WEDR_REGISTRY_OP_RESTORE_KEY, PLAIN_KEY, 0, NULL);
    (void)shot_key(SHIM_EV_REPLACE_KEY, PLAIN_KEY);
    shot_text(1, L"\\??\\C:\\old");
    shot_text(2, L"\\??\\C:\\new");
    (void)shot_fire();
    next_change_is(WEDR_REGISTRY_OP_REPLACE_KEY, PLAIN_KEY, 0, replaced);
    (void)shot_key(SHIM_EV_SET_SECURITY, SERVICE_KEY);
    (void)shot_fire();
    next_change_is(WEDR_REGISTRY_OP_SET_SECURITY, SERVICE_KEY, 0, NULL);
}

static void other_keys_and_mere_reads_are_left_out(void)
{
    static const wchar_t *const others[] = {PLAIN_KEY, RUN_KEY L"time",
                                            L"\\REGISTRY\\USER\\S-1-5-18\\Software\\Vendor"};
    uint64_t calls = stats_get().callback[WEDR_CALLBACK_REGISTRY].calls;

    events_drain();
    for (unsigned i = 0; i < 3; i++) {
        (void)shot_key(SHIM_EV_SET_VALUE, others[i]);
        shot_text(1, L"x");
        shot_bytes(2, L"", 0);
        (void)shot_fire();
        (void)shot_key(SHIM_EV_DELETE_KEY, others[i]);
        (void)shot_fire();
    }
    (void)shot_key(SHIM_EV_QUERY_VALUE, RUN_KEY);
    shot_text(1, L"x");
    (void)shot_fire();
    events_none();
    /* Six changes were looked at; calls that tell of no change need not be counted. */
    CHECK(stats_get().callback[WEDR_CALLBACK_REGISTRY].calls >= calls + 6, "calls");
    CHECK(shim_now().names == 0, "%u key names are not given back", (unsigned)shim_now().names);
}

/* ---- the filter ---- */

static size_t put_prefix(uint8_t *filter, size_t i, size_t at, const wchar_t *text)
{
    struct wedr_filter_prefix p = {.offset = (uint32_t)at, .len = (uint16_t)(wcslen(text) * 2)};

    memcpy(filter + sizeof(struct wedr_filter_header) + i * sizeof(p), &p, sizeof(p));
    memcpy(filter + at, text, p.len);
    return at + p.len;
}

static size_t count_of(const wchar_t *const *list)
{
    size_t n = 0;

    while (list && list[n]) {
        n++;
    }
    return n;
}

NTSTATUS filter_set(uint32_t classes, const wchar_t *const *paths, const wchar_t *const *keys)
{
    static uint8_t filter[WEDR_FILTER_MAX];
    size_t path_count = count_of(paths), key_count = count_of(keys);
    size_t at = sizeof(struct wedr_filter_header) +
                (path_count + key_count) * sizeof(struct wedr_filter_prefix);
    struct wedr_filter_header h = {.magic = WEDR_FILTER_MAGIC,
                                   .ioctl_version = WEDR_IOCTL_VERSION,
                                   .path_count = (uint16_t)path_count,
                                   .registry_count = (uint16_t)key_count,
                                   .classes = classes};

    for (size_t i = 0; i < path_count; i++) {
        at = put_prefix(filter, i, at, paths[i]);
    }
    for (size_t i = 0; i < key_count; i++) {
        at = put_prefix(filter, path_count + i, at, keys[i]);
    }
    h.size = (uint32_t)at;
    memcpy(filter, &h, sizeof(h));
    return control(device(), WEDR_IOCTL_SET_FILTER, filter, at, NULL, 0, NULL);
}

static void filter_leaves_out_images_below_a_path_and_watches_more_keys(void)
{
    static const wchar_t *const paths[] = {L"\\device\\harddiskvolume1\\WINDOWS\\system32", NULL};
    static const wchar_t *const keys[] = {L"\\registry\\machine\\software\\vendor", NULL};
    struct shim_fire *s;
    uint64_t filtered;

    events_drain();
    filtered = stats_get().lane[WEDR_LANE_BULK].filtered;
    CHECK_STATUS(filter_set(WEDR_CLASS_ALL, paths, keys), STATUS_SUCCESS);
    CHECK(stats_get().filter_generation == 1, "generation");
    fire_images(4000, 3);
    events_none();
    CHECK(stats_get().lane[WEDR_LANE_BULK].filtered == filtered + 3, "filtered is not counted");
    s = shot_new(SHIM_EV_IMAGE);
    s->pid = 4000;
    shot_text(0, L"\\Device\\HarddiskVolume1\\Windows\\System32x\\other.dll");
    (void)shot_fire();
    CHECK(event_next().h.type == WEDR_EV_MODULE_LOAD, "a path beside the prefix");
    (void)shot_key(SHIM_EV_DELETE_VALUE, PLAIN_KEY);
    shot_text(1, L"x");
    (void)shot_fire();
    CHECK(event_next().h.type == WEDR_EV_REGISTRY_WRITE, "a key below the prefix");
    CHECK_STATUS(filter_set(WEDR_CLASS_ALL, NULL, NULL), STATUS_SUCCESS);
    fire_images(4000, 1);
    CHECK(event_next().h.type == WEDR_EV_MODULE_LOAD, "after the filter was replaced");
}

static void filter_switches_classes_off_but_never_processes(void)
{
    struct kid k = kid_new();
    struct wedr_ioctl_stats st;
    struct shim_fire *s;

    events_drain();
    CHECK_STATUS(filter_set(WEDR_CLASS_PROCESS, NULL, NULL), STATUS_SUCCESS);
    fire_images(4000, 2);
    (void)shot_key(SHIM_EV_DELETE_VALUE, RUN_KEY);
    shot_text(1, L"x");
    (void)shot_fire();
    (void)shot_key(SHIM_EV_DELETE_KEY, RUN_KEY);
    (void)shot_fire();
    s = shot_new(SHIM_EV_THREAD_CREATE);
    s->pid = k.pid;
    s->tid = k.tid;
    (void)shot_fire();
    s = shot_new(SHIM_EV_HANDLE_CREATE);
    s->pid = k.pid;
    s->context_pid = WRITER;
    s->access = s->original_access = PROCESS_ALL_ACCESS;
    (void)shot_fire();
    events_none();
    st = stats_get();
    CHECK(st.callback[WEDR_CALLBACK_PROCESS].state == WEDR_CALLBACK_ACTIVE, "process");
    for (unsigned i = WEDR_CALLBACK_IMAGE; i < WEDR_CALLBACK_COUNT; i++) {
        CHECK(st.callback[i].state == WEDR_CALLBACK_FILTERED, "%u is %u", i, st.callback[i].state);
    }
    s = shot_new(SHIM_EV_PROCESS_CREATE);
    s->pid = k.pid;
    s->parent_pid = s->creating_pid = WRITER;
    (void)shot_fire();
    CHECK(event_next().h.type == WEDR_EV_PROCESS_CREATE, "process");
    CHECK(shim_now().names == 0, "%u key names are not given back", (unsigned)shim_now().names);
}

static void bad_filter_is_refused_and_changes_nothing(void)
{
    static const wchar_t *const none[] = {L"no backslash", NULL};
    struct wedr_filter_header h = {.magic = WEDR_FILTER_MAGIC,
                                   .size = sizeof(h),
                                   .ioctl_version = WEDR_IOCTL_VERSION,
                                   .classes = WEDR_CLASS_ALL};
    struct wedr_filter_header bad[6];
    static uint8_t big[WEDR_FILTER_MAX + 2];
    uint64_t refused = stats_get().refused;

    for (unsigned i = 0; i < 6; i++) {
        bad[i] = h;
    }
    bad[0].magic++;
    bad[1].size++;
    bad[2].ioctl_version++;
    bad[3].path_count = 1;
    bad[4].classes = WEDR_CLASS_ALL & ~WEDR_CLASS_PROCESS;
    bad[5].classes = 0x20 | WEDR_CLASS_ALL;
    for (unsigned i = 0; i < 6; i++) {
        CHECK_STATUS(
            control(device(), WEDR_IOCTL_SET_FILTER, &bad[i], sizeof(bad[i]), NULL, 0, NULL),
            NT_INVALID_PARAMETER);
    }
    CHECK_STATUS(control(device(), WEDR_IOCTL_SET_FILTER, NULL, 0, NULL, 0, NULL),
                 NT_INVALID_PARAMETER);
    h.size = sizeof(big);
    memcpy(big, &h, sizeof(h));
    CHECK_STATUS(control(device(), WEDR_IOCTL_SET_FILTER, big, sizeof(big), NULL, 0, NULL),
                 NT_INVALID_PARAMETER);
    CHECK_STATUS(filter_set(WEDR_CLASS_ALL, none, NULL), NT_INVALID_PARAMETER);
    CHECK(stats_get().filter_generation == 0, "the filter was replaced");
    CHECK(stats_get().refused == refused + 9, "refused is not counted");
}

#define T(name)     \
    {               \
#        name, name \
    }
const struct test registry_tests[] = {
    T(value_that_is_set_arrives_with_type_data_and_result),
    T(long_data_is_cut_and_flagged),
    T(data_that_cannot_be_read_is_flagged),
    T(name_with_a_nul_in_it_is_shown_whole),
    T(real_control_set_of_a_service_is_watched),
    T(created_key_has_its_full_name),
    T(deleted_and_renamed_keys_have_the_name_of_before),
    T(hives_and_security_are_watched),
    T(other_keys_and_mere_reads_are_left_out),
    T(filter_leaves_out_images_below_a_path_and_watches_more_keys),
    T(filter_switches_classes_off_but_never_processes),
    T(bad_filter_is_refused_and_changes_nothing),
    {NULL, NULL},
};
