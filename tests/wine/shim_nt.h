/* SPDX-License-Identifier: Apache-2.0
 * tests/wine/shim_nt.h — inside the shim driver: NT and Win32 side by side (Wine's kernel is a
 * process, a driver may import kernel32), and what the shim's files share. */
#pragma once

#include <intrin.h>
#define InterlockedBitTestAndSet shim_ddk_bit_test_and_set
#define InterlockedBitTestAndReset shim_ddk_bit_test_and_reset
#include <ntifs.h>
#undef InterlockedBitTestAndSet
#undef InterlockedBitTestAndReset

#include "shim.h"
#include <stdbool.h>
#include <stddef.h>

/* Win32; <windows.h> and <ntifs.h> cannot be had together. */
#define SHIM_WIN32 __declspec(dllimport)
SHIM_WIN32 void *WINAPI GetModuleHandleA(const char *name);
SHIM_WIN32 void *WINAPI GetProcAddress(void *module, const char *name);
SHIM_WIN32 int WINAPI GetModuleHandleExA(ULONG flags, const void *name, void **ret);
SHIM_WIN32 int WINAPI VirtualProtect(void *p, SIZE_T len, ULONG protect, ULONG *ret_old);
SHIM_WIN32 ULONG WINAPI TlsAlloc(void);
SHIM_WIN32 int WINAPI TlsFree(ULONG slot);
SHIM_WIN32 void *WINAPI TlsGetValue(ULONG slot);
SHIM_WIN32 int WINAPI TlsSetValue(ULONG slot, void *value);
SHIM_WIN32 HANDLE WINAPI
CreateThread(void *sa, SIZE_T stack, void *start, void *p, ULONG f, ULONG *id);
SHIM_WIN32 ULONG WINAPI WaitForSingleObject(HANDLE h, ULONG ms);
SHIM_WIN32 int WINAPI CloseHandle(HANDLE h);
SHIM_WIN32 void WINAPI Sleep(ULONG ms);
SHIM_WIN32 HANDLE WINAPI OpenProcess(ULONG access, int inherit, ULONG pid);
SHIM_WIN32 int WINAPI GetProcessTimes(HANDLE h,
                                      LARGE_INTEGER *created,
                                      LARGE_INTEGER *ended,
                                      LARGE_INTEGER *kernel,
                                      LARGE_INTEGER *user);
SHIM_WIN32 int WINAPI QueryFullProcessImageNameW(HANDLE h, ULONG flags, WCHAR *ret, ULONG *len);
SHIM_WIN32 HANDLE WINAPI CreateToolhelp32Snapshot(ULONG flags, ULONG pid);
SHIM_WIN32 int WINAPI Process32FirstW(HANDLE h, void *entry);
SHIM_WIN32 int WINAPI Process32NextW(HANDLE h, void *entry);
/* GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, and the reference count stays as it is. */
#define SHIM_FROM_ADDRESS 6u
#define SHIM_QUERY_LIMITED 0x1000u
#define SHIM_NATIVE_NAME 1u
#define SHIM_SNAP_PROCESS 2u

#define SHIM_TAG 0x6d696853u /* "Shim" */

struct shim_process_entry {
    ULONG size, usage, pid;
    ULONG_PTR heap;
    ULONG module, threads, parent;
    LONG priority;
    ULONG flags;
    WCHAR name[260];
};

extern struct shim_state shim_state;
extern struct shim_setup shim_setup;

/* Counts a breach of NT's rules and keeps the first few in words. */
void shim_violation(const char *what);
/* The NT export of this name, NULL when there is none. */
void *shim_export(const char *name);
/* The function lies in an image that asks for signature enforcement, as NT demands. */
bool shim_integrity(const void *function);

/* One replaced export. */
struct shim_patch {
    const char *name;
    void *function;
};
extern const struct shim_patch shim_callback_patches[], shim_process_patches[];
extern const size_t shim_callback_patch_count, shim_process_patch_count;

/* MmGetSystemRoutineAddress of the optional ones; NULL when none of them. */
void *shim_callback_lookup(enum shim_optional which);

/* The image load events that Wine itself makes go to the driver as well. Before any patch. */
void shim_relay_start(void);
void shim_relay_stop(void);

/* Who the callback runs as, on this thread, until the next call; NULL: nobody. */
struct shim_context {
    uint32_t pid, tid;
};
void shim_as(struct shim_context *who);
bool shim_process_init(void);
void shim_process_fini(void);
void shim_process_set(const struct shim_process *p);
/* Real objects of Wine, referenced until shim_process_fini. NULL when there is none. */
PEPROCESS shim_process_object(uint32_t pid);
PETHREAD shim_thread_object(uint32_t tid);
ULONGLONG NTAPI shim_start_key(PEPROCESS process);

void shim_fire(const struct shim_fire *f, size_t len, struct shim_fired *ret);
void shim_storm(const struct shim_storm *s);
void shim_poll(bool on);
/* Around what calls a registered callback: a removal waits until nobody is inside, as NT does. */
void shim_enter(enum shim_source which);
void shim_leave(enum shim_source which);
/* Registered callbacks or NULL; looked up and called between enter and leave. */
PCREATE_PROCESS_NOTIFY_ROUTINE_EX shim_process_routine(void);
PCREATE_THREAD_NOTIFY_ROUTINE shim_thread_routine(void);
PLOAD_IMAGE_NOTIFY_ROUTINE shim_image_routine(void);
NTSTATUS shim_registry_call(REG_NOTIFY_CLASS which, void *information, uint32_t *calls);
OB_PREOP_CALLBACK_STATUS shim_handle_call(OB_PRE_OPERATION_INFORMATION *information,
                                          uint32_t *calls);

/* A key object: what the driver's Object pointers point at. */
#define SHIM_KEY_MAGIC 0x79656b53u
struct shim_key {
    uint32_t magic;
    bool gone; /* deleted: it has no name any more */
    UNICODE_STRING name;
};
