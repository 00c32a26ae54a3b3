/* SPDX-License-Identifier: Apache-2.0
 * endpoint/driver/src/kapi.h — kernel functions that are looked up at load, because the import
 * library or an older Windows lacks them. A NULL member is missing here: who calls says what
 * happens then. */
#pragma once

#include "nt.h"

typedef PVOID(NTAPI *wedr_allocate_pool2)(ULONG64 flags, SIZE_T len, ULONG tag);
typedef NTSTATUS(NTAPI *wedr_cm_register)(PEX_CALLBACK_FUNCTION function,
                                          PCUNICODE_STRING altitude,
                                          PVOID driver,
                                          PVOID context,
                                          PLARGE_INTEGER ret_cookie,
                                          PVOID reserved);
typedef NTSTATUS(NTAPI *wedr_cm_unregister)(LARGE_INTEGER cookie);
typedef NTSTATUS(NTAPI *wedr_cm_key_name)(PLARGE_INTEGER cookie,
                                          PVOID object,
                                          PULONG_PTR ret_id,
                                          PCUNICODE_STRING *ret_name,
                                          ULONG flags);
typedef VOID(NTAPI *wedr_cm_release_name)(PCUNICODE_STRING name);
typedef ULONGLONG(NTAPI *wedr_start_key)(PEPROCESS process);
typedef VOID(NTAPI *wedr_precise_time)(PLARGE_INTEGER ret_time);

struct wedr_kapi {
    wedr_allocate_pool2 allocate_pool2;   /* Windows 10 2004; else ExAllocatePoolWithTag */
    wedr_cm_register cm_register;         /* Vista; else no registry events */
    wedr_cm_unregister cm_unregister;     /* with cm_register */
    wedr_cm_key_name cm_key_name;         /* Windows 8; else no registry events */
    wedr_cm_release_name cm_release_name; /* with cm_key_name */
    wedr_start_key process_start_key;     /* Windows 10 1703; else from the creation time */
    wedr_precise_time precise_time;       /* Windows 8; else the tick-resolution clock */
};

/* Constant after wedr_kapi_init. */
extern struct wedr_kapi wedr_kapi;

/* IRQL PASSIVE, once, first. */
void wedr_kapi_init(void);
/* Now, 100 ns since 1601 UTC. Any IRQL. */
int64_t wedr_kapi_now(void);
