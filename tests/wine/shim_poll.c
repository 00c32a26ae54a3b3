/* SPDX-License-Identifier: Apache-2.0
 * tests/wine/shim_poll.c — events from threads of their own: real processes, found by looking at
 * the list of processes every few milliseconds, and a storm of image loads from several threads. */
#include "shim_nt.h"

#define POLL_MS 10u
#define SEEN_MAX 64u

static struct {
    HANDLE thread;
    volatile LONG stop;
    ULONG pid[SEEN_MAX], parent[SEEN_MAX];
    uint32_t count;
} poll;

static bool holds(const ULONG *pids, uint32_t count, ULONG pid)
{
    for (uint32_t i = 0; i < count; i++) {
        if (pids[i] == pid) {
            return true;
        }
    }
    return false;
}

static void came(ULONG pid, ULONG parent, WCHAR *name)
{
    PCREATE_PROCESS_NOTIFY_ROUTINE_EX routine = shim_process_routine();
    struct shim_context who = {parent, 0};
    PS_CREATE_NOTIFY_INFO info = {.Size = sizeof(info)};
    PEPROCESS process = shim_process_object(pid);
    UNICODE_STRING image;

    if (!routine || !process) {
        return;
    }
    RtlInitUnicodeString(&image, name);
    info.ParentProcessId = (HANDLE)(ULONG_PTR)parent;
    info.CreatingThreadId.UniqueProcess = (HANDLE)(ULONG_PTR)parent;
    info.ImageFileName = &image;
    shim_as(&who);
    routine(process, (HANDLE)(ULONG_PTR)pid, &info);
    shim_as(NULL);
}

static void went(ULONG pid)
{
    PCREATE_PROCESS_NOTIFY_ROUTINE_EX routine = shim_process_routine();
    struct shim_context who = {pid, 0};
    PEPROCESS process = shim_process_object(pid);

    if (routine && process) {
        shim_as(&who);
        routine(process, (HANDLE)(ULONG_PTR)pid, NULL);
        shim_as(NULL);
    }
}

/* Compares the processes that are there with those of the last look. The first look only learns. */
static void look(bool tell)
{
    static struct shim_process_entry e;
    ULONG now[SEEN_MAX];
    uint32_t count = 0;
    HANDLE snap = CreateToolhelp32Snapshot(SHIM_SNAP_PROCESS, 0);

    e.size = sizeof(e);
    for (int more = Process32FirstW(snap, &e); more && count < SEEN_MAX;
         more = Process32NextW(snap, &e)) {
        if (!e.name[0]) {
            continue; /* it is being made */
        }
        now[count++] = e.pid;
        if (tell && !holds(poll.pid, poll.count, e.pid)) {
            came(e.pid, e.parent, e.name);
        }
    }
    (void)CloseHandle(snap);
    for (uint32_t i = 0; tell && i < poll.count; i++) {
        if (!holds(now, count, poll.pid[i])) {
            went(poll.pid[i]);
        }
    }
    memcpy(poll.pid, now, sizeof(now[0]) * count);
    poll.count = count;
}

static ULONG WINAPI poll_main(void *unused)
{
    UNREFERENCED_PARAMETER(unused);
    while (!poll.stop) {
        shim_enter(SHIM_PROCESS);
        look(true);
        shim_leave(SHIM_PROCESS);
        Sleep(POLL_MS);
    }
    return 0;
}

void shim_poll(bool on)
{
    if (on && !poll.thread) {
        look(false);
        poll.stop = 0;
        poll.thread = CreateThread(NULL, 0, poll_main, NULL, 0, NULL);
    } else if (!on && poll.thread) {
        poll.stop = 1;
        (void)WaitForSingleObject(poll.thread, 5000);
        (void)CloseHandle(poll.thread);
        poll.thread = NULL;
    }
}

static struct shim_storm storm;
static HANDLE storm_threads[SHIM_STORM_THREADS];
static uint32_t storm_count;
static volatile LONG storm_stop;

static ULONG WINAPI storm_main(void *unused)
{
    struct shim_context who = {storm.pid, 0};
    PLOAD_IMAGE_NOTIFY_ROUTINE routine;
    IMAGE_INFO_EX info = {0};
    UNICODE_STRING image;

    UNREFERENCED_PARAMETER(unused);
    info.Size = sizeof(info);
    RtlInitUnicodeString(&image, L"\\Device\\HarddiskVolume1\\storm\\one of many.dll");
    shim_as(&who);
    for (uint32_t i = 0; i < storm.each && !storm_stop; i++) {
        info.ImageInfo.ImageBase = (PVOID)(ULONG_PTR)(0x10000u + i);
        info.ImageInfo.ImageSize = 4096;
        if (!shim_image_routine()) {
            Sleep(1); /* the driver is away */
            continue;
        }
        shim_enter(SHIM_IMAGE);
        routine = shim_image_routine();
        if (routine) {
            routine(&image, (HANDLE)(ULONG_PTR)storm.pid, &info.ImageInfo);
            InterlockedIncrement((volatile LONG *)&shim_state.storm_calls);
        }
        shim_leave(SHIM_IMAGE);
    }
    shim_as(NULL);
    return 0;
}

void shim_storm(const struct shim_storm *s)
{
    storm_stop = 1;
    while (storm_count > 0) {
        storm_count--;
        (void)WaitForSingleObject(storm_threads[storm_count], 30000);
        (void)CloseHandle(storm_threads[storm_count]);
    }
    storm_stop = 0;
    storm = *s;
    while (storm_count < s->threads && storm_count < SHIM_STORM_THREADS) {
        HANDLE thread = CreateThread(NULL, 0, storm_main, NULL, 0, NULL);

        if (!thread) {
            break;
        }
        storm_threads[storm_count++] = thread;
    }
}
