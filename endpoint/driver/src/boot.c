/* SPDX-License-Identifier: Apache-2.0 */
#include "boot.h"

#include "kapi.h"

/* The finaliser of splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators,
 * 2014): every input bit reaches every output bit. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
}

/* Different each time it is called, on each host. It names things; it keeps nothing secret. */
static uint64_t unique_number(void)
{
    static volatile LONG64 calls;
    uint64_t x = mix((uint64_t)wedr_kapi_now());

    x = mix(x ^ __rdtsc());
    x = mix(x ^ (uintptr_t)&x ^ (uintptr_t)PsGetCurrentThreadId() << 48);
    x = mix(x + (uint64_t)InterlockedIncrement64(&calls) * 0x9e3779b97f4a7c15ull);
    return x ? x : 1;
}

static void make_id(uint8_t ret[WEDR_BOOT_ID_LEN])
{
    uint64_t half[2] = {unique_number(), unique_number()};

    _Static_assert(sizeof(half) == WEDR_BOOT_ID_LEN, "two numbers make an id");
    WEDR_MEMCPY(ret, half, sizeof(half));
}

static bool read_id(HANDLE key, PUNICODE_STRING value, uint8_t ret[WEDR_BOOT_ID_LEN])
{
    union {
        KEY_VALUE_PARTIAL_INFORMATION info;
        UCHAR room[sizeof(KEY_VALUE_PARTIAL_INFORMATION) + WEDR_BOOT_ID_LEN];
    } v;
    ULONG len = 0;

    if (!NT_SUCCESS(ZwQueryValueKey(key, value, KeyValuePartialInformation, &v, sizeof(v), &len)) ||
        v.info.Type != REG_BINARY || v.info.DataLength != WEDR_BOOT_ID_LEN) {
        return false;
    }
    WEDR_MEMCPY(ret, v.info.Data, WEDR_BOOT_ID_LEN);
    return true;
}

/* Two steps, because the service's key need not be there when the driver is loaded by other means.
 */
static NTSTATUS open_boot_key(PCUNICODE_STRING service_key, HANDLE *ret_key)
{
    OBJECT_ATTRIBUTES attributes;
    UNICODE_STRING path = *service_key;
    UNICODE_STRING leaf;
    HANDLE service;
    NTSTATUS status;

    InitializeObjectAttributes(&attributes, &path, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL,
                               NULL);
    status = ZwOpenKey(&service, KEY_CREATE_SUB_KEY, &attributes);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    RtlInitUnicodeString(&leaf, L"Boot");
    InitializeObjectAttributes(&attributes, &leaf, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE,
                               service, NULL);
    status = ZwCreateKey(ret_key, KEY_QUERY_VALUE | KEY_SET_VALUE, &attributes, 0, NULL,
                         REG_OPTION_VOLATILE, NULL);
    ZwClose(service);
    return status;
}

void wedr_boot_read(PCUNICODE_STRING service_key, struct wedr_boot *ret)
{
    WEDR_IRQL_MAX(PASSIVE_LEVEL);
    UNICODE_STRING value;
    HANDLE key;

    ret->epoch = unique_number();
    ret->start_time = wedr_kapi_now();
    make_id(ret->boot_id);
    if (!NT_SUCCESS(open_boot_key(service_key, &key))) {
        return;
    }
    RtlInitUnicodeString(&value, L"Id");
    if (!read_id(key, &value, ret->boot_id)) {
        /* Not stored: the id of this load alone, as the header says. */
        (void)ZwSetValueKey(key, &value, 0, REG_BINARY, ret->boot_id, WEDR_BOOT_ID_LEN);
    }
    ZwClose(key);
}
