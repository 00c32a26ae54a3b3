/* SPDX-License-Identifier: Apache-2.0
 * tests/wine/pump_io.c — the device and its requests, before any event is fired: what the agent
 * meets when it opens the driver. The first tests see the driver's first load. */
#include "pump.h"

#include <stdlib.h>
#include <string.h>
#include <tlhelp32.h>

static void registration_arguments_pass_the_checks_of_nt(void)
{
    struct shim_state s = shim_now();

    CHECK(s.violations == 0, "%u: %s; %s; %s", (unsigned)s.violations, s.note[0], s.note[1],
          s.note[2]);
    for (unsigned i = 0; i < SHIM_SOURCES; i++) {
        CHECK(s.registered[i] == 1, "source %u is not registered", i);
    }
    CHECK(s.altitude[0][0] != 0, "no altitude");
    CHECK(memcmp(s.altitude[0], s.altitude[1], sizeof(s.altitude[0])) == 0, "two altitudes");
}

/* "D:P(A;;FA;;;SY)(A;;FA;;;BA)" */
static void device_is_open_to_system_and_administrators_only(void)
{
    static const uint8_t system[] = {1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0};
    static const uint8_t administrators[] = {1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0};
    struct shim_state s = shim_now();

    CHECK(s.dacl_set >= 1 && s.dacl_status == 0, "set %u times", (unsigned)s.dacl_set);
    CHECK(s.dacl_information == (DACL_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION),
          "information %x", (unsigned)s.dacl_information);
    CHECK(s.dacl_control & SE_DACL_PRESENT, "control %x", (unsigned)s.dacl_control);
    CHECK(s.ace_count == 2, "%u entries", (unsigned)s.ace_count);
    for (unsigned i = 0; i < 2; i++) {
        CHECK(s.ace[i].type == ACCESS_ALLOWED_ACE_TYPE && s.ace[i].flags == 0, "entry %u", i);
        CHECK(s.ace[i].access == FILE_ALL_ACCESS || s.ace[i].access == GENERIC_ALL,
              "entry %u gives %x", i, (unsigned)s.ace[i].access);
    }
    CHECK(s.ace[0].sid_len == sizeof(system) && !memcmp(s.ace[0].sid, system, sizeof(system)),
          "the first entry is not for the system");
    CHECK(s.ace[1].sid_len == sizeof(administrators) &&
              !memcmp(s.ace[1].sid, administrators, sizeof(administrators)),
          "the second entry is not for administrators");
}

static void version_is_decoded(void)
{
    struct wedr_ioctl_version v = version_get();
    uint8_t any = 0;

    CHECK(v.ioctl_version == WEDR_IOCTL_VERSION && v.wire_version == WEDR_WIRE_VERSION, "versions");
    CHECK(v.record_max == WEDR_RECORD_MAX, "record_max %u", (unsigned)v.record_max);
    CHECK(v.lane_slots == 4096, "slots %u", (unsigned)v.lane_slots);
    CHECK(v.lane_bytes == 4u << 20, "bytes %llu", (unsigned long long)v.lane_bytes);
    CHECK(v.driver_major + v.driver_minor + v.driver_patch > 0, "no version");
    for (size_t i = 0; i < sizeof(v.boot_id); i++) {
        any |= v.boot_id[i];
    }
    CHECK(any != 0 && v.epoch != 0, "no boot id or epoch");
}

static void stats_say_that_all_callbacks_are_active(void)
{
    struct wedr_ioctl_stats s = stats_get();
    struct wedr_ioctl_version v = version_get();

    CHECK(s.lane_count == WEDR_LANE_COUNT && s.callback_count == WEDR_CALLBACK_COUNT, "counts");
    CHECK(s.epoch == v.epoch && memcmp(s.boot_id, v.boot_id, sizeof(v.boot_id)) == 0, "identity");
    CHECK(s.start_time > 132000000000000000ll, "start time %lld", (long long)s.start_time);
    for (unsigned i = 0; i < WEDR_CALLBACK_COUNT; i++) {
        CHECK(s.callback[i].state == WEDR_CALLBACK_ACTIVE && s.callback[i].status == 0,
              "callback %u: state %u, status %08x", i, s.callback[i].state,
              (unsigned)s.callback[i].status);
    }
    CHECK(s.parked == 0 && s.filter_generation == 0, "a fresh load");
    check_accounting();
}

/* Of the records of the inventory: the one of this pid, checked; false when there is none. */
static bool has_existing(const uint8_t *raw, size_t len, DWORD pid, DWORD parent)
{
    struct wedr_event_view v;

    for (size_t at = 0; at < len; at += v.h.size) {
        int err = wedr_event_decode((struct wedr_span){raw + at, len - at}, &v);

        CHECK(err == WEDR_OK, "record at %u: %d", (unsigned)at, err);
        if (v.h.type != WEDR_EV_PROCESS_CREATE || field_number(&v, "pid") != pid) {
            continue;
        }
        CHECK(v.h.flags & WEDR_EVF_EXISTING, "pid %lu is not marked", (unsigned long)pid);
        CHECK(field_number(&v, "parent_pid") == parent, "parent of %lu", (unsigned long)pid);
        CHECK(field_number(&v, "process_key") == (0x0001000000000000ull | pid), "key");
        CHECK(strcmp(field_text(&v, "user_sid"), "S-1-5-18") == 0, "%s",
              field_text(&v, "user_sid"));
        CHECK(field_number(&v, "integrity_level") == 0x4000, "integrity");
        CHECK(strstr(field_text(&v, "image_path"), ".exe"), "%s", field_text(&v, "image_path"));
        return true;
    }
    return false;
}

static void inventory_names_the_processes_that_run(void)
{
    static uint8_t raw[WEDR_RECORD_MAX];
    PROCESSENTRY32 e = {.dwSize = sizeof(e)};
    HANDLE snap;
    size_t len;
    unsigned found = 0;

    driver_reload();
    CHECK_STATUS(control(device(), WEDR_IOCTL_GET_EVENTS, NULL, 0, raw, sizeof(raw), &len),
                 STATUS_SUCCESS);
    snap = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
    for (BOOL more = Process32First(snap, &e); more; more = Process32Next(snap, &e)) {
        CHECK(has_existing(raw, len, e.th32ProcessID, e.th32ParentProcessID),
              "pid %lu (%s) is missing", (unsigned long)e.th32ProcessID, e.szExeFile);
        found++;
    }
    (void)CloseHandle(snap);
    CHECK(found >= 4, "%u processes", found);
    events_none();
    check_accounting();
}

/* Wine hands out a handle whatever the driver says to CREATE: what counts is what it said, and that
 * the handle that was first goes on. */
static void second_open_is_refused_until_the_first_is_closed(void)
{
    uint32_t opens;
    HANDLE h;

    (void)device();
    opens = shim_now().opens;
    for (int i = 0; i < 3; i++) {
        h = device_try_open(i == 0 ? ACCESS_AGENT : GENERIC_READ);
        if (h != INVALID_HANDLE_VALUE) {
            (void)CloseHandle(h);
        }
        CHECK_STATUS(shim_now().create_status, NT_ACCESS_DENIED);
        CHECK(shim_now().opens == opens, "opened twice");
    }
    (void)stats_get();
    device_close();
    (void)stats_get();
    CHECK(shim_now().opens == opens + 1, "not opened again");
}

static void short_buffer_gets_the_needed_size_and_takes_nothing(void)
{
    static const struct {
        uint32_t code, len, back;
    } cases[] = {{WEDR_IOCTL_GET_EVENT, 0, 0},
                 {WEDR_IOCTL_GET_EVENT, 3, 0},
                 {WEDR_IOCTL_GET_EVENT, 4, 4},
                 {WEDR_IOCTL_GET_EVENT, WEDR_RECORD_MAX - 1, 4},
                 {WEDR_IOCTL_GET_EVENTS, 0, 0},
                 {WEDR_IOCTL_GET_EVENTS, 4096, 4},
                 {WEDR_IOCTL_GET_EVENTS, WEDR_RECORD_MAX - 1, 4}};
    static uint8_t out[WEDR_RECORD_MAX];
    uint64_t refused = stats_get().refused;
    size_t len;

    events_drain();
    fire_images(4, 2);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint32_t needed = 0;

        memset(out, 0, sizeof(out));
        CHECK_STATUS(control(device(), cases[i].code, NULL, 0, out, cases[i].len, &len),
                     NT_BUFFER_OVERFLOW);
        CHECK(len == cases[i].back, "case %u: %u bytes", (unsigned)i, (unsigned)len);
        memcpy(&needed, out, sizeof(needed));
        CHECK(needed == (cases[i].back ? WEDR_RECORD_MAX : 0), "needed %u", (unsigned)needed);
        CHECK(queued() == 2, "case %u took a record", (unsigned)i);
    }
    CHECK(stats_get().refused == refused + sizeof(cases) / sizeof(cases[0]), "not counted");
    events_drain();
}

/* What DeviceIoControl makes of it, for the agent is written against Win32. */
static void short_buffer_is_more_data_to_win32(void)
{
    uint8_t out[64] = {0};
    OVERLAPPED o = {.hEvent = CreateEventA(NULL, TRUE, FALSE, NULL)};
    DWORD len = 0;
    BOOL done =
        DeviceIoControl(device(), WEDR_IOCTL_GET_EVENT, NULL, 0, out, sizeof(out), &len, &o);

    if (!done && GetLastError() == ERROR_IO_PENDING) {
        done = GetOverlappedResult(device(), &o, &len, TRUE);
    }
    CHECK(!done && GetLastError() == ERROR_MORE_DATA, "error %lu", (unsigned long)GetLastError());
    (void)CloseHandle(o.hEvent);
}

static void short_stats_and_version_give_what_fits(void)
{
    static const uint32_t codes[] = {WEDR_IOCTL_GET_STATS, WEDR_IOCTL_GET_VERSION};
    uint8_t out[64];
    uint32_t size;
    size_t len;

    for (unsigned i = 0; i < 2; i++) {
        CHECK_STATUS(control(device(), codes[i], NULL, 0, out, 16, &len), STATUS_SUCCESS);
        CHECK(len == 16, "%u bytes", (unsigned)len);
        memcpy(&size, out, sizeof(size));
        CHECK(size ==
                  (i == 0 ? sizeof(struct wedr_ioctl_stats) : sizeof(struct wedr_ioctl_version)),
              "size %u", (unsigned)size);
        CHECK_STATUS(control(device(), codes[i], NULL, 0, out, 15, &len), NT_BUFFER_TOO_SMALL);
        CHECK_STATUS(control(device(), codes[i], NULL, 0, out, 0, &len), NT_BUFFER_TOO_SMALL);
    }
}

static void unknown_codes_are_refused(void)
{
    uint8_t out[64];
    uint64_t refused = stats_get().refused;

    CHECK_STATUS(control(device(), WEDR_CTL_CODE(0x805u, WEDR_CTL_READ), NULL, 0, out, 64, NULL),
                 NT_INVALID_REQUEST);
    CHECK_STATUS(control(device(), WEDR_CTL_CODE(0x7ffu, 0u), out, 64, NULL, 0, NULL),
                 NT_INVALID_REQUEST);
    CHECK(stats_get().refused == refused + 2, "not counted");
}

static void access_of_the_handle_decides_which_requests_it_may_send(void)
{
    struct wedr_filter_header f = {.magic = WEDR_FILTER_MAGIC, .size = sizeof(f)};
    uint8_t out[1024];
    HANDLE h = device_try_open(GENERIC_READ);

    f.ioctl_version = WEDR_IOCTL_VERSION;
    f.classes = WEDR_CLASS_ALL;
    CHECK(h != INVALID_HANDLE_VALUE, "open to read: error %lu", (unsigned long)GetLastError());
    CHECK_STATUS(control(h, WEDR_IOCTL_GET_STATS, NULL, 0, out, sizeof(out), NULL), STATUS_SUCCESS);
    CHECK_STATUS(control(h, WEDR_IOCTL_SET_FILTER, &f, sizeof(f), NULL, 0, NULL), NT_ACCESS_DENIED);
    (void)CloseHandle(h);
    h = device_try_open(SYNCHRONIZE);
    CHECK(h != INVALID_HANDLE_VALUE, "open: error %lu", (unsigned long)GetLastError());
    CHECK_STATUS(control(h, WEDR_IOCTL_GET_EVENT, NULL, 0, out, sizeof(out), NULL),
                 NT_ACCESS_DENIED);
    CHECK_STATUS(control(h, WEDR_IOCTL_GET_STATS, NULL, 0, out, sizeof(out), NULL),
                 NT_ACCESS_DENIED);
    (void)CloseHandle(h);
}

const struct test io_tests[] = {
    {"registration_arguments_pass_the_checks_of_nt", registration_arguments_pass_the_checks_of_nt},
    {"device_is_open_to_system_and_administrators_only",
     device_is_open_to_system_and_administrators_only},
    {"version_is_decoded", version_is_decoded},
    {"stats_say_that_all_callbacks_are_active", stats_say_that_all_callbacks_are_active},
    {"inventory_names_the_processes_that_run", inventory_names_the_processes_that_run},
    {"second_open_is_refused_until_the_first_is_closed",
     second_open_is_refused_until_the_first_is_closed},
    {"short_buffer_gets_the_needed_size_and_takes_nothing",
     short_buffer_gets_the_needed_size_and_takes_nothing},
    {"short_buffer_is_more_data_to_win32", short_buffer_is_more_data_to_win32},
    {"short_stats_and_version_give_what_fits", short_stats_and_version_give_what_fits},
    {"unknown_codes_are_refused", unknown_codes_are_refused},
    {"access_of_the_handle_decides_which_requests_it_may_send",
     access_of_the_handle_decides_which_requests_it_may_send},
    {NULL, NULL},
};
