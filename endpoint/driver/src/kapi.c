/* SPDX-License-Identifier: Apache-2.0 */
#include "kapi.h"

struct wedr_kapi wedr_kapi;

/* Object and function pointers have one size in every NT ABI; the union says so without a cast. */
union address {
    PVOID found;
    wedr_allocate_pool2 allocate_pool2;
    wedr_cm_register cm_register;
    wedr_cm_unregister cm_unregister;
    wedr_cm_key_name cm_key_name;
    wedr_cm_release_name cm_release_name;
    wedr_start_key process_start_key;
    wedr_precise_time precise_time;
};

static union address look_up(const WCHAR *name)
{
    UNICODE_STRING text;
    union address a;

    RtlInitUnicodeString(&text, name);
    a.found = MmGetSystemRoutineAddress(&text);
    return a;
}

void wedr_kapi_init(void)
{
    WEDR_IRQL_MAX(PASSIVE_LEVEL);
    wedr_kapi.allocate_pool2 = look_up(L"ExAllocatePool2").allocate_pool2;
    wedr_kapi.cm_register = look_up(L"CmRegisterCallbackEx").cm_register;
    wedr_kapi.cm_unregister = look_up(L"CmUnRegisterCallback").cm_unregister;
    wedr_kapi.cm_key_name = look_up(L"CmCallbackGetKeyObjectIDEx").cm_key_name;
    wedr_kapi.cm_release_name = look_up(L"CmCallbackReleaseKeyObjectIDEx").cm_release_name;
    wedr_kapi.process_start_key = look_up(L"PsGetProcessStartKey").process_start_key;
    wedr_kapi.precise_time = look_up(L"KeQuerySystemTimePrecise").precise_time;
}

int64_t wedr_kapi_now(void)
{
    LARGE_INTEGER now = {.QuadPart = 0};

    if (wedr_kapi.precise_time) {
        wedr_kapi.precise_time(&now);
    } else {
        KeQuerySystemTime(&now);
    }
    return now.QuadPart;
}
