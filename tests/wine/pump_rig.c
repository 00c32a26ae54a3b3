/* SPDX-License-Identifier: Apache-2.0
 * tests/wine/pump_rig.c — services, processes, requests and the shim: what the tests stand on. */
#include "pump.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GROUP "WazabiEDR Test" /* one load-order group: one process for all drivers in it */
#define KIDS_MAX 16u
#define SHOT_MAX 140000u

void after_test(void);

static const char *const names[SERVICES] = {"wedrshim", "WazabiEDR", "wedrpeer"};
static SC_HANDLE services[SERVICES];
static HANDLE the_device = INVALID_HANDLE_VALUE, the_shim = INVALID_HANDLE_VALUE;
static HANDLE kids[KIDS_MAX];
static unsigned kid_count;

static union {
    struct shim_fire f;
    uint8_t room[SHOT_MAX];
} shot;
static size_t shot_len;

void services_install(void)
{
    SC_HANDLE manager = OpenSCManagerA(NULL, NULL, SC_MANAGER_ALL_ACCESS);
    char path[MAX_PATH];

    CHECK(manager != NULL, "service manager: error %lu", (unsigned long)GetLastError());
    for (unsigned i = 0; i < SERVICES; i++) {
        (void)snprintf(path, sizeof(path), "C:\\windows\\system32\\drivers\\%s.sys", names[i]);
        services[i] = CreateServiceA(manager, names[i], names[i], SERVICE_ALL_ACCESS,
                                     SERVICE_KERNEL_DRIVER, SERVICE_DEMAND_START,
                                     SERVICE_ERROR_NORMAL, path, GROUP, NULL, NULL, NULL, NULL);
        if (!services[i] && GetLastError() == ERROR_SERVICE_EXISTS) {
            services[i] = OpenServiceA(manager, names[i], SERVICE_ALL_ACCESS);
        }
        CHECK(services[i] != NULL, "%s: error %lu", names[i], (unsigned long)GetLastError());
    }
    CloseServiceHandle(manager);
}

static DWORD service_state(enum service which)
{
    SERVICE_STATUS s = {0};

    return QueryServiceStatus(services[which], &s) ? s.dwCurrentState : 0;
}

DWORD service_start(enum service which)
{
    if (!StartServiceA(services[which], 0, NULL)) {
        return GetLastError();
    }
    for (int i = 0; i < 500; i++) {
        if (service_state(which) == SERVICE_RUNNING) {
            return 0;
        }
        Sleep(10);
    }
    return ERROR_TIMEOUT;
}

DWORD service_stop(enum service which)
{
    SERVICE_STATUS s;

    (void)ControlService(services[which], SERVICE_CONTROL_STOP, &s);
    for (int i = 0; i < 500; i++) {
        if (service_state(which) == SERVICE_STOPPED) {
            return 0;
        }
        Sleep(10);
    }
    return ERROR_TIMEOUT;
}

/* NT unloads no driver whose device is open. Wine does, even while CLOSE is on its way: the thread
 * that brings it brings the shim's requests too, one after another, so an answer means that it
 * arrived. */
static void wait_for_close(void)
{
    (void)shim_now();
}

/* They stay installed: the driver keeps its boot id below the service's key. */
void services_stop(void)
{
    wait_for_close();
    (void)CloseHandle(the_shim);
    for (unsigned i = SERVICES; i-- > 0;) {
        if (service_state(i) != SERVICE_STOPPED) {
            (void)service_stop(i);
        }
        (void)CloseServiceHandle(services[i]);
    }
}

void driver_reload(void)
{
    DWORD err = 0;

    device_close();
    if (service_state(THE_DRIVER) != SERVICE_STOPPED) {
        wait_for_close();
        err = service_stop(THE_DRIVER);
    }
    CHECK(err == 0, "stop: error %lu", (unsigned long)err);
    err = service_start(THE_DRIVER);
    CHECK(err == 0, "start: error %lu", (unsigned long)err);
}

static PROCESS_INFORMATION spawn(const char *mode, DWORD flags)
{
    PROCESS_INFORMATION p;
    STARTUPINFOA s = {.cb = sizeof(s)};
    char exe[MAX_PATH], line[MAX_PATH + 64];

    (void)GetModuleFileNameA(NULL, exe, sizeof(exe));
    (void)snprintf(line, sizeof(line), "\"%s\" %s", exe, mode);
    CHECK(CreateProcessA(exe, line, NULL, NULL, FALSE, flags, NULL, NULL, &s, &p),
          "a child: error %lu", (unsigned long)GetLastError());
    return p;
}

struct kid kid_new(void)
{
    PROCESS_INFORMATION p;

    CHECK(kid_count < KIDS_MAX, "too many processes");
    p = spawn("--exit", CREATE_SUSPENDED);
    kids[kid_count++] = p.hProcess;
    (void)CloseHandle(p.hThread);
    return (struct kid){p.dwProcessId, p.dwThreadId};
}

HANDLE child_new(const char *mode)
{
    PROCESS_INFORMATION p = spawn(mode, 0);

    (void)CloseHandle(p.hThread);
    return p.hProcess;
}

HANDLE device_try_open(DWORD access)
{
    return CreateFileA("\\\\.\\WazabiEDR", access, 0, NULL, OPEN_EXISTING, FILE_FLAG_OVERLAPPED,
                       NULL);
}

HANDLE device(void)
{
    if (the_device == INVALID_HANDLE_VALUE) {
        (void)shim_now(); /* it looks for the driver, to see the file object */
        for (int i = 0; the_device == INVALID_HANDLE_VALUE && i < 200; i++) {
            the_device = device_try_open(ACCESS_AGENT);
            if (the_device == INVALID_HANDLE_VALUE) {
                Sleep(10);
            }
        }
        CHECK(the_device != INVALID_HANDLE_VALUE, "open: error %lu", (unsigned long)GetLastError());
    }
    return the_device;
}

void device_close(void)
{
    if (the_device != INVALID_HANDLE_VALUE) {
        (void)CloseHandle(the_device);
        the_device = INVALID_HANDLE_VALUE;
    }
}

NTSTATUS request_start(struct request *r, HANDLE h, uint32_t code, size_t len)
{
    memset(r, 0, sizeof(*r));
    r->event = CreateEventA(NULL, TRUE, FALSE, NULL);
    r->out = malloc(len ? len : 1);
    r->len = len;
    r->io = calloc(1, sizeof(*r->io));
    CHECK(r->event && r->out && r->io, "no memory");
    memset(r->out, 0xa5, len);
    r->io->Status = NT_PENDING;
    return NtDeviceIoControlFile(h, r->event, NULL, NULL, r->io, code, NULL, 0, r->out, (ULONG)len);
}

NTSTATUS request_wait(struct request *r, DWORD ms)
{
    return WaitForSingleObject(r->event, ms) == WAIT_OBJECT_0 ? r->io->Status : NT_PENDING;
}

void request_free(struct request *r)
{
    (void)CloseHandle(r->event);
    free(r->out);
    free(r->io);
    memset(r, 0, sizeof(*r));
}

void request_park(struct request *r)
{
    CHECK_STATUS(request_start(r, device(), WEDR_IOCTL_GET_EVENT, WEDR_RECORD_MAX), NT_PENDING);
}

NTSTATUS control(HANDLE h,
                 uint32_t code,
                 const void *in,
                 size_t in_len,
                 void *out,
                 size_t out_len,
                 size_t *ret_len)
{
    IO_STATUS_BLOCK io = {{0}, 0};
    HANDLE event = CreateEventA(NULL, TRUE, FALSE, NULL);
    NTSTATUS status = NtDeviceIoControlFile(h, event, NULL, NULL, &io, code, (void *)in,
                                            (ULONG)in_len, out, (ULONG)out_len);

    if (status == NT_PENDING) {
        if (WaitForSingleObject(event, 10000) != WAIT_OBJECT_0) {
            (void)CancelIoEx(h, NULL);
            (void)WaitForSingleObject(event, 2000);
            (void)CloseHandle(event);
            test_failed(__FILE__, __LINE__, "request %08x does not end", (unsigned)code);
        }
        status = io.Status;
    }
    (void)CloseHandle(event);
    if (ret_len) {
        *ret_len = io.Information;
    }
    return status;
}

static HANDLE shim(void)
{
    if (the_shim == INVALID_HANDLE_VALUE) {
        the_shim = CreateFileA("\\\\.\\WedrShim", ACCESS_AGENT, FILE_SHARE_READ | FILE_SHARE_WRITE,
                               NULL, OPEN_EXISTING, FILE_FLAG_OVERLAPPED, NULL);
        CHECK(the_shim != INVALID_HANDLE_VALUE, "shim: error %lu", (unsigned long)GetLastError());
    }
    return the_shim;
}

struct shim_state shim_now(void)
{
    static struct shim_state s;
    size_t len = 0;

    CHECK_STATUS(control(shim(), SHIM_IOCTL_STATE, NULL, 0, &s, sizeof(s), &len), STATUS_SUCCESS);
    CHECK(len == sizeof(s), "shim state of %u bytes", (unsigned)len);
    return s;
}

void shim_set(const struct shim_setup *s)
{
    CHECK_STATUS(control(shim(), SHIM_IOCTL_SETUP, s, sizeof(*s), NULL, 0, NULL), STATUS_SUCCESS);
}

void shim_know(const struct shim_process *p)
{
    CHECK_STATUS(control(shim(), SHIM_IOCTL_PROCESS, p, sizeof(*p), NULL, 0, NULL), STATUS_SUCCESS);
}

void shim_polling(bool on)
{
    uint32_t value = on;

    CHECK_STATUS(control(shim(), SHIM_IOCTL_POLL, &value, sizeof(value), NULL, 0, NULL),
                 STATUS_SUCCESS);
}

void storm_begin(uint32_t threads, uint32_t each, DWORD pid)
{
    struct shim_storm s = {threads, each, pid};

    CHECK_STATUS(control(shim(), SHIM_IOCTL_STORM, &s, sizeof(s), NULL, 0, NULL), STATUS_SUCCESS);
}

void storm_end(void)
{
    storm_begin(0, 0, 0);
}

struct shim_fired shim_cleanup(bool stranger)
{
    struct shim_cleanup c = {.stranger = stranger};
    struct shim_fired fired = {0};

    CHECK_STATUS(control(shim(), SHIM_IOCTL_CLEANUP, &c, sizeof(c), &fired, sizeof(fired), NULL),
                 STATUS_SUCCESS);
    CHECK_STATUS(fired.status, STATUS_SUCCESS);
    return fired;
}

struct shim_process known(DWORD pid, uint64_t key, const wchar_t *image)
{
    /* S-1-5-21-1-2-3-1001 */
    static const uint8_t sid[] = {1, 5, 0, 0, 0, 0, 0, 5, 21, 0, 0,    0, 1, 0,
                                  0, 0, 2, 0, 0, 0, 3, 0, 0,  0, 0xe9, 3, 0, 0};
    struct shim_process p = {.pid = pid, .start_key = key, .session = 3, .integrity = 0x2000};

    p.exit_status = NT_PENDING;
    p.create_time = 132000000000000000ll + (int64_t)pid;
    p.sid_len = sizeof(sid);
    memcpy(p.sid, sid, sizeof(sid));
    for (size_t i = 0; image[i] && i < SHIM_PATH_MAX - 1; i++) {
        p.image[i] = (uint16_t)image[i];
    }
    return p;
}

struct shim_fire *shot_new(enum shim_event event)
{
    memset(&shot.f, 0, sizeof(shot.f));
    shot.f.event = event;
    for (unsigned i = 0; i < 3; i++) {
        shot.f.text[i].len = SHIM_NONE;
    }
    shot_len = (sizeof(shot.f) + 7u) & ~(size_t)7u;
    return &shot.f;
}

void shot_bytes(unsigned i, const void *bytes, size_t len)
{
    CHECK(shot_len + len + 8 <= SHOT_MAX, "too much text");
    memcpy(shot.room + shot_len, bytes, len);
    shot.f.text[i].offset = (uint32_t)shot_len;
    shot.f.text[i].len = (uint32_t)len;
    shot_len = (shot_len + len + 7u) & ~(size_t)7u;
}

void shot_text(unsigned i, const wchar_t *text)
{
    shot_bytes(i, text, wcslen(text) * sizeof(wchar_t));
}

struct shim_fired shot_fire(void)
{
    struct shim_fired fired = {0};

    CHECK_STATUS(control(shim(), SHIM_IOCTL_FIRE, shot.room, shot_len, &fired, sizeof(fired), NULL),
                 STATUS_SUCCESS);
    CHECK(fired.status == STATUS_SUCCESS && fired.calls > 0,
          "the shim: status %08lx after %u calls", (unsigned long)fired.status,
          (unsigned)fired.calls);
    return fired;
}

void fire_images(DWORD pid, uint32_t count)
{
    struct shim_fire *f = shot_new(SHIM_EV_IMAGE);

    f->pid = f->context_pid = pid;
    f->repeat = count;
    f->base = 0x7ff600000000ull;
    f->size = 0x21000;
    shot_text(0, L"\\Device\\HarddiskVolume1\\Windows\\System32\\user32.dll");
    (void)shot_fire();
}

/* Whatever the test left behind goes: processes, what the shim was told, the handle, the filter. */
void after_test(void)
{
    const struct shim_process nobody = {0};
    const struct shim_setup plain = {0};

    if (the_device != INVALID_HANDLE_VALUE && stats_get().filter_generation > 0) {
        driver_reload();
    }
    device_close();
    while (kid_count > 0) {
        kid_count--;
        (void)TerminateProcess(kids[kid_count], 1);
        (void)CloseHandle(kids[kid_count]);
    }
    shim_polling(false);
    storm_end();
    shim_know(&nobody);
    shim_set(&plain);
    if (service_state(THE_DRIVER) != SERVICE_RUNNING) {
        CHECK(service_start(THE_DRIVER) == 0, "the driver does not start any more");
    }
}
