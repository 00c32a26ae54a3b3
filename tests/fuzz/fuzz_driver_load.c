/* SPDX-License-Identifier: Apache-2.0
 * tests/fuzz/fuzz_driver_load.c — the input is the machine that the Windows driver is loaded on:
 * what an administrator wrote into its registry keys, which functions of the kernel are missing or
 * fail, which processes run already. It loads or it does not; either way nothing is left when it is
 * gone, and what it says of the processes is valid. */
#include "core/base/err.h"
#include "fuzz_driver_support.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PROCESSES 8u

static const struct ntsim_text parameters = {
    NTSIM_SERVICE u"\\Parameters", (uint16_t)(sizeof(NTSIM_SERVICE u"\\Parameters") - 2), true};
static const struct ntsim_text boot = {NTSIM_SERVICE u"\\Boot",
                                       (uint16_t)(sizeof(NTSIM_SERVICE u"\\Boot") - 2), true};

static void registry_value(struct fd_in *in, struct ntsim_text key, struct ntsim_text value)
{
    static const uint32_t numbers[] = {0,          1,          512u << 10,      (512u << 10) - 1,
                                       1u << 20,   4u << 20,   (64u << 20) + 1, 0xffffffff,
                                       0x80000000, 0x00100001, 8u << 20,        3u << 20};
    static const struct ntsim_text altitudes[] = {
        {u"385100.7", 18, true}, {u"1", 2, true},
        {u".5", 4, true},        {u"5.", 4, true},
        {u"1.2.3", 10, true},    {u"123456789012345678901234", 48, true},
        {u"12\0", 8, true},      {u"385100.55\0\0", 22, true}};
    uint8_t how = fd_u8(in), which = fd_u8(in);
    struct wedr_span s;

    switch (how % 8) {
    case 0:
    case 1:
        return;
    case 2:
    case 3:
        ntsim_reg_set_dword(key, value, numbers[which % WEDR_ARRAY_COUNT(numbers)]);
        return;
    case 4:
    case 5:
        ntsim_reg_set(key, value, 1, altitudes[which % WEDR_ARRAY_COUNT(altitudes)].units,
                      altitudes[which % WEDR_ARRAY_COUNT(altitudes)].len);
        return;
    default:
        s = fd_bytes(in, 120);
        ntsim_reg_set(key, value, which % 12u, s.p, s.len);
        return;
    }
}

static void make_processes(struct fd_in *in)
{
    unsigned count = fd_u8(in) % (PROCESSES + 1);

    for (unsigned i = 0; i < count; i++) {
        uint8_t flags = fd_u8(in);
        struct ntsim_process_spec spec = {.pid = 100u + i * 4u,
                                          .parent_pid = fd_u8(in) * 4u,
                                          .create_time = NTSIM_TIME + fd_u8(in),
                                          .image = fd_usual(flags),
                                          .integrity = 0x2000,
                                          .by_pointer = (flags & 64) != 0,
                                          .exit_status = (flags & 32) != 0};
        struct ntsim_process *p;

        spec.fail = flags & 128 ? fd_u8(in) : 0;
        p = ntsim_process_new(&spec);
        if (flags & 32) {
            ntsim_process_exit_status(p, 0);
        }
    }
}

static void make_faults(struct fd_in *in)
{
    static const char *const optional[] = {
        "ExAllocatePool2",         "CmRegisterCallbackEx",       "CmUnRegisterCallback",
        "PsGetProcessStartKey",    "CmCallbackGetKeyObjectIDEx", "CmCallbackReleaseKeyObjectIDEx",
        "KeQuerySystemTimePrecise"};
    static const char *const functions[] = {"ZwQuerySystemInformation",
                                            "ZwOpenKey",
                                            "ZwCreateKey",
                                            "ZwQueryValueKey",
                                            "ZwSetValueKey",
                                            "PsSetCreateProcessNotifyRoutineEx",
                                            "PsSetLoadImageNotifyRoutine",
                                            "PsSetCreateThreadNotifyRoutine",
                                            "ObRegisterCallbacks",
                                            "CmRegisterCallbackEx",
                                            "ExAllocatePool2",
                                            "ExAllocatePoolWithTag"};
    static const int32_t statuses[] = {NTSIM_INSUFFICIENT_RESOURCES, NTSIM_ACCESS_DENIED,
                                       NTSIM_STATUS(0xc0000004) /* INFO_LENGTH_MISMATCH */};
    uint8_t hidden = fd_u8(in), what = fd_u8(in), skip = fd_u8(in);

    for (unsigned i = 0; i < WEDR_ARRAY_COUNT(optional); i++) {
        if (hidden >> i & 1) {
            ntsim_hide(optional[i]);
        }
    }
    if (what % 4 == 1) {
        ntsim_fail_nth(skip);
    } else if (what % 4 == 2) {
        ntsim_fail(functions[what / 4 % WEDR_ARRAY_COUNT(functions)], skip % 4, 1 + skip / 4 % 4,
                   statuses[skip / 16 % 3]);
    }
    if (hidden & 128) {
        ntsim_altitude_taken((struct ntsim_text){u"385100.7", 16, true});
    }
}

static void read_all(struct ntsim_file *f)
{
    struct ntsim_irp *r;
    struct wedr_span in;
    const uint8_t *p;
    int32_t status;
    size_t len;

    r = ntsim_ioctl_start(f, WEDR_IOCTL_GET_EVENTS, NULL, 0, (size_t)2 * WEDR_RECORD_MAX, &status);
    if (status == NTSIM_PENDING) {
        FD_REQUIRE(ntsim_cancel(r) && ntsim_irp_status(r) == NTSIM_CANCELLED);
    } else {
        FD_REQUIRE(status == NTSIM_SUCCESS);
        p = ntsim_irp_output(r, &len);
        for (in = wedr_span(p, len); in.len > 0;
             in.p += fd_last.rec.len, in.len -= fd_last.rec.len) {
            FD_REQUIRE(wedr_event_decode(in, &fd_last) == WEDR_OK);
        }
    }
    ntsim_irp_free(r);
}

/* A driver that loaded works, whatever it could not have. */
static void use(void)
{
    const struct ntsim_image image = {.name = fd_usual(4), .pid = 4, .size = 4096};
    uint8_t out[sizeof(struct wedr_ioctl_stats)];
    struct wedr_ioctl_stats s;
    struct ntsim_file *f;
    int32_t status;
    size_t len = 0;

    f = ntsim_open(&status);
    FD_REQUIRE(f != NULL);
    read_all(f);
    ntsim_fire_image(&image);
    ntsim_fire_thread(4, 12, true);
    read_all(f);
    FD_REQUIRE(ntsim_ioctl(f, WEDR_IOCTL_GET_STATS, NULL, 0, out, sizeof(out), &len, NULL) ==
               NTSIM_SUCCESS);
    FD_REQUIRE(wedr_ioctl_stats_decode(wedr_span(out, len), &s) == WEDR_OK);
    FD_REQUIRE(s.bugs == 0 && s.lane[0].queued == 0 && s.lane[1].queued == 0);
    for (unsigned i = 0; i < WEDR_CALLBACK_COUNT; i++) {
        FD_REQUIRE((s.callback[i].state == WEDR_CALLBACK_ACTIVE) == (s.callback[i].status == 0));
        FD_REQUIRE(s.callback[i].state == WEDR_CALLBACK_ACTIVE || s.callback[i].calls == 0);
    }
    ntsim_close_handle(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fd_in in = {data, size};

    fd_input_begin(false);
    ntsim_reset();
    registry_value(&in, parameters, NTSIM_TEXT(u"CriticalLaneBytes"));
    registry_value(&in, parameters, NTSIM_TEXT(u"BulkLaneBytes"));
    registry_value(&in, parameters, NTSIM_TEXT(u"Altitude"));
    registry_value(&in, boot, NTSIM_TEXT(u"Id"));
    make_processes(&in);
    make_faults(&in);
    if (ntsim_load() == NTSIM_SUCCESS) {
        ntsim_faults_clear();
        use();
        ntsim_unload();
    }
    ntsim_reset();
    return 0;
}
