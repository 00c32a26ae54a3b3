/* SPDX-License-Identifier: Apache-2.0
 * tests/wine/pump_life.c — loads and unloads: what is counted, what is new after a load and what
 * is not, and kernels that lack or refuse something. */
#include "pump.h"

#include <stdlib.h>
#include <string.h>

#define PARAMETERS "SYSTEM\\CurrentControlSet\\Services\\WazabiEDR\\Parameters"
#define DEFAULT_BYTES (4u << 20)

static void flood_evicts_the_oldest_and_counts_it(void)
{
    enum { FLOOD = 5000, SLOTS = 4096 };
    struct kid k = kid_new();
    struct wedr_ioctl_stats before, after;
    struct wedr_event_view v;
    struct shim_fire *s;

    events_drain();
    before = stats_get();
    s = shot_new(SHIM_EV_PROCESS_CREATE); /* must survive the flood */
    s->pid = k.pid;
    (void)shot_fire();
    fire_images(5000, FLOOD);
    after = stats_get();
    CHECK(after.lane[1].queued == SLOTS && after.lane[1].queued_peak == SLOTS, "%u wait",
          (unsigned)after.lane[1].queued);
    CHECK(after.lane[1].lost[WEDR_LOSS_REASON_EVICTED_RING] ==
              before.lane[1].lost[WEDR_LOSS_REASON_EVICTED_RING] + FLOOD - SLOTS,
          "%llu evicted", (unsigned long long)after.lane[1].lost[WEDR_LOSS_REASON_EVICTED_RING]);
    CHECK(after.lane[0].lost[WEDR_LOSS_REASON_EVICTED_RING] == 0 && after.lane[0].queued == 1,
          "the critical lane suffered");
    check_accounting();
    CHECK(event_next().h.type == WEDR_EV_PROCESS_CREATE, "the process start");
    v = event_next();
    CHECK(v.h.seq == before.lane[1].produced + FLOOD - SLOTS + 1, "the oldest that is left is %llu",
          (unsigned long long)v.h.seq);
    events_drain();
    fire_images(5000, 1);
    v = event_next();
    CHECK(v.h.drop_count == after.lane[1].lost[WEDR_LOSS_REASON_EVICTED_RING], "drop_count %llu",
          (unsigned long long)v.h.drop_count);
    CHECK(v.h.seq == after.lane[1].produced + 1, "seq %llu", (unsigned long long)v.h.seq);
    check_accounting();
}

static void unload_cancels_what_waits_and_unregisters_all(void)
{
    static struct request r[3];
    struct shim_state s;
    DWORD err;

    events_drain();
    for (unsigned i = 0; i < 3; i++) {
        request_park(&r[i]);
    }
    err = service_stop(THE_DRIVER);
    CHECK(err == 0, "stop: error %lu", (unsigned long)err);
    for (unsigned i = 0; i < 3; i++) {
        CHECK_STATUS(request_wait(&r[i], 3000), NT_CANCELLED);
        request_free(&r[i]);
    }
    device_close();
    s = shim_now();
    for (unsigned i = 0; i < SHIM_SOURCES; i++) {
        CHECK(s.registered[i] == 0, "source %u is still registered", i);
    }
    CHECK(s.names == 0 && s.tokens == 0, "%u names, %u tokens", (unsigned)s.names,
          (unsigned)s.tokens);
    CHECK(device_try_open(ACCESS_AGENT) == INVALID_HANDLE_VALUE, "the device is still there");
}

/* An operation that a driver before us refused may have no post call: the names that we hold for it
 * are given back when we go. */
static void names_of_operations_without_an_end_are_given_back(void)
{
    enum { HELD = 64 };
    struct wedr_event_view v;
    struct shim_fire *s;

    events_drain();
    for (unsigned i = 0; i < HELD + 1; i++) {
        s = shot_new(SHIM_EV_DELETE_KEY);
        s->flags = SHIM_F_NO_POST;
        s->context_pid = 4;
        shot_text(0, L"\\REGISTRY\\MACHINE\\SYSTEM\\ControlSet001\\Services\\Evil");
        (void)shot_fire();
    }
    CHECK(shim_now().names == HELD, "%u are held", (unsigned)shim_now().names);
    v = event_next(); /* no room for the last: reported at once, without a result */
    CHECK(v.h.type == WEDR_EV_REGISTRY_WRITE && field_number(&v, "status") == NT_PENDING, "status");
    events_none();
    driver_reload();
    CHECK(shim_now().names == 0, "%u are kept", (unsigned)shim_now().names);
}

static void unload_waits_for_callbacks_that_run(void)
{
    uint32_t calls = shim_now().storm_calls;

    events_drain();
    storm_begin(2, UINT32_MAX, 5100);
    for (int i = 0; shim_now().storm_calls == calls && i < 100; i++) {
        Sleep(5);
    }
    CHECK(shim_now().storm_calls > calls, "no storm");
    for (int i = 0; i < 3; i++) {
        driver_reload();
    }
    storm_end();
    check_accounting();
    events_drain();
}

static void new_load_is_a_new_epoch_of_the_same_boot(void)
{
    struct wedr_ioctl_version a = version_get(), b;
    struct wedr_ioctl_stats s;

    for (int i = 0; i < 3; i++) {
        driver_reload();
        b = version_get();
        s = stats_get();
        CHECK(memcmp(a.boot_id, b.boot_id, sizeof(a.boot_id)) == 0, "another boot");
        CHECK(a.epoch != b.epoch, "the same epoch");
        CHECK(s.lane[1].produced == 0 && s.lane[0].delivered == 0, "old counters");
        CHECK(event_next().h.seq == 1, "old numbers");
        a = b;
    }
    events_drain();
}

static void older_kernel_lacks_functions_and_the_rest_works(void)
{
    struct shim_setup old = {.hide = (1u << SHIM_OPTIONALS) - 1};
    struct kid k = kid_new();
    struct shim_process p = known(k.pid, 0x77, L"\\Device\\x\\old.exe");
    struct wedr_event_view v;
    struct wedr_ioctl_stats s;
    struct shim_fire *f;

    shim_set(&old);
    shim_know(&p);
    driver_reload();
    s = stats_get();
    for (unsigned i = 0; i < WEDR_CALLBACK_COUNT; i++) {
        CHECK(s.callback[i].state ==
                  (i == WEDR_CALLBACK_REGISTRY ? WEDR_CALLBACK_ABSENT : WEDR_CALLBACK_ACTIVE),
              "callback %u: state %u", i, s.callback[i].state);
    }
    events_drain();
    f = shot_new(SHIM_EV_PROCESS_CREATE);
    f->pid = k.pid;
    (void)shot_fire();
    v = event_next();
    CHECK(field_number(&v, "process_key") == ((uint64_t)p.create_time ^ (uint64_t)k.pid << 42),
          "key %llx", (unsigned long long)field_number(&v, "process_key"));
    memset(&old, 0, sizeof(old));
    shim_set(&old);
    driver_reload();
    CHECK(stats_get().callback[WEDR_CALLBACK_REGISTRY].state == WEDR_CALLBACK_ACTIVE, "back");
    CHECK(shim_now().pool2_calls > 0 && shim_now().start_key_calls > 0 &&
              shim_now().precise_time_calls > 0,
          "newer functions are not used");
}

static void refused_registration_switches_that_source_off_and_says_so(void)
{
    struct wedr_ioctl_stats s;

    for (unsigned i = 0; i < SHIM_SOURCES; i++) {
        struct shim_setup setup = {0};

        setup.fail[i] = NT_ACCESS_DENIED;
        shim_set(&setup);
        driver_reload();
        s = stats_get();
        for (unsigned j = 0; j < WEDR_CALLBACK_COUNT; j++) {
            CHECK(s.callback[j].state == (i == j ? WEDR_CALLBACK_FAILED : WEDR_CALLBACK_ACTIVE),
                  "%u refused: %u is in state %u", i, j, s.callback[j].state);
            CHECK(s.callback[j].status == (i == j ? NT_ACCESS_DENIED : 0), "status");
        }
        CHECK(queued() > 0, "no inventory");
    }
    memset(&s, 0, sizeof(s));
    shim_set(&(struct shim_setup){0});
    driver_reload();
}

/* One value below the service's key; NULL data removes it. */
static void parameter(const char *name, DWORD type, const void *data, DWORD len)
{
    HKEY key;

    CHECK(RegCreateKeyExA(HKEY_LOCAL_MACHINE, PARAMETERS, 0, NULL, 0, KEY_ALL_ACCESS, NULL, &key,
                          NULL) == 0,
          "the service's key");
    if (data) {
        CHECK(RegSetValueExA(key, name, 0, type, data, len) == 0, "%s", name);
    } else {
        (void)RegDeleteValueA(key, name);
    }
    (void)RegCloseKey(key);
}

static void altitude_is(const wchar_t *wanted)
{
    struct shim_state s = shim_now();

    for (unsigned i = 0; i < 2; i++) {
        CHECK(wcscmp((const wchar_t *)s.altitude[i], wanted) == 0, "altitude of %u", i);
    }
}

static void settings_are_read_from_the_service_key(void)
{
    DWORD bytes = 1u << 20, bad = 1000;
    wchar_t before[32];
    struct shim_state s = shim_now();

    memcpy(before, s.altitude[0], sizeof(before));
    parameter("CriticalLaneBytes", REG_DWORD, &bytes, sizeof(bytes));
    parameter("Altitude", REG_SZ, "328123.5", 9);
    driver_reload();
    CHECK(version_get().lane_bytes == bytes, "%llu", (unsigned long long)version_get().lane_bytes);
    altitude_is(L"328123.5");
    parameter("CriticalLaneBytes", REG_DWORD, &bad, sizeof(bad));
    parameter("Altitude", REG_SZ, "high", 5);
    driver_reload();
    CHECK(version_get().lane_bytes == DEFAULT_BYTES, "a bad size was taken");
    altitude_is(before);
    parameter("CriticalLaneBytes", 0, NULL, 0);
    parameter("Altitude", 0, NULL, 0);
    driver_reload();
    altitude_is(before);
}

static void last_word_of_the_shim_no_rule_of_nt_was_broken(void)
{
    struct shim_state s = shim_now();

    CHECK(s.violations == 0, "%u: %s; %s; %s", (unsigned)s.violations, s.note[0], s.note[1],
          s.note[2]);
    CHECK(s.names == 0 && s.tokens == 0, "%u names, %u tokens", (unsigned)s.names,
          (unsigned)s.tokens);
    for (unsigned i = 0; i < SHIM_SOURCES; i++) {
        CHECK(s.registrations[i] > 10, "source %u was registered %u times", i,
              (unsigned)s.registrations[i]);
    }
    check_accounting();
}

#define T(name)     \
    {               \
#        name, name \
    }
const struct test life_tests[] = {
    T(flood_evicts_the_oldest_and_counts_it),
    T(unload_cancels_what_waits_and_unregisters_all),
    T(names_of_operations_without_an_end_are_given_back),
    T(unload_waits_for_callbacks_that_run),
    T(new_load_is_a_new_epoch_of_the_same_boot),
    T(older_kernel_lacks_functions_and_the_rest_works),
    T(refused_registration_switches_that_source_off_and_says_so),
    T(settings_are_read_from_the_service_key),
    T(last_word_of_the_shim_no_rule_of_nt_was_broken),
    {NULL, NULL},
};
