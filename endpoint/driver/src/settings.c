/* SPDX-License-Identifier: Apache-2.0 */
#include "settings.h"

#include "mem.h"
#include "tags.h"

/* A KEY_VALUE_PARTIAL_INFORMATION with room for the longest value that is asked for. */
union value {
    KEY_VALUE_PARTIAL_INFORMATION info;
    UCHAR room[sizeof(KEY_VALUE_PARTIAL_INFORMATION) + (WEDR_ALTITUDE_MAX + 1) * sizeof(WCHAR)];
};

static bool query(HANDLE key, const WCHAR *name, ULONG type, union value *ret)
{
    UNICODE_STRING text;
    ULONG len = 0;

    RtlInitUnicodeString(&text, name);
    return NT_SUCCESS(
               ZwQueryValueKey(key, &text, KeyValuePartialInformation, ret, sizeof(*ret), &len)) &&
           ret->info.Type == type &&
           ret->info.DataLength <= sizeof(*ret) - offsetof(KEY_VALUE_PARTIAL_INFORMATION, Data);
}

static void read_lane_bytes(HANDLE key, const WCHAR *name, uint32_t *ret)
{
    union value v;
    ULONG bytes;

    if (!query(key, name, REG_DWORD, &v) || v.info.DataLength != sizeof(bytes)) {
        return;
    }
    WEDR_MEMCPY(&bytes, v.info.Data, sizeof(bytes));
    if (bytes >= WEDR_LANE_BYTES_MIN && bytes <= WEDR_LANE_BYTES_MAX) {
        *ret = bytes;
    }
}

/* Digits, then at most one point with digits behind it. */
static bool altitude_ok(const WCHAR *text, size_t count)
{
    size_t points = 0;

    for (size_t i = 0; i < count; i++) {
        if (text[i] == L'.') {
            points++;
        } else if (text[i] < L'0' || text[i] > L'9') {
            return false;
        }
    }
    return count > 0 && points <= 1 && text[0] != L'.' && text[count - 1] != L'.';
}

static void read_altitude(HANDLE key, struct wedr_settings *s)
{
    union value v;
    WCHAR text[WEDR_ALTITUDE_MAX + 1] = {0};
    size_t count;

    if (!query(key, L"Altitude", REG_SZ, &v) || v.info.DataLength > sizeof(text)) {
        return;
    }
    WEDR_MEMCPY(text, v.info.Data, v.info.DataLength);
    count = v.info.DataLength / sizeof(WCHAR);
    while (count > 0 && text[count - 1] == 0) {
        count--;
    }
    if (count <= WEDR_ALTITUDE_MAX && altitude_ok(text, count)) {
        WEDR_MEMSET(s->altitude, 0, sizeof(s->altitude));
        WEDR_MEMCPY(s->altitude, text, count * sizeof(WCHAR));
        s->altitude_len = (uint16_t)(count * sizeof(WCHAR));
    }
}

static NTSTATUS open_parameters(PCUNICODE_STRING service_key, HANDLE *ret_key)
{
    static const WCHAR leaf[] = L"\\Parameters";
    const size_t leaf_len = sizeof(leaf) - sizeof(WCHAR);
    OBJECT_ATTRIBUTES attributes;
    UNICODE_STRING path;
    NTSTATUS status;

    if (service_key->Length > UNICODE_STRING_MAX_BYTES - leaf_len) {
        return STATUS_NAME_TOO_LONG;
    }
    path.Length = (USHORT)(service_key->Length + leaf_len);
    path.MaximumLength = path.Length;
    path.Buffer = wedr_mem_new(path.Length, 1, WEDR_TAG_SETTINGS);
    if (!path.Buffer) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    WEDR_MEMCPY(path.Buffer, service_key->Buffer, service_key->Length);
    WEDR_MEMCPY((uint8_t *)path.Buffer + service_key->Length, leaf, leaf_len);
    InitializeObjectAttributes(&attributes, &path, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL,
                               NULL);
    status = ZwOpenKey(ret_key, KEY_QUERY_VALUE, &attributes);
    wedr_mem_free(path.Buffer, WEDR_TAG_SETTINGS);
    return status;
}

void wedr_settings_read(PCUNICODE_STRING service_key, struct wedr_settings *ret)
{
    WEDR_IRQL_MAX(PASSIVE_LEVEL);
    HANDLE key;

    WEDR_MEMSET(ret, 0, sizeof(*ret));
    WEDR_MEMCPY(ret->altitude, WEDR_ALTITUDE_DEFAULT, sizeof(WEDR_ALTITUDE_DEFAULT));
    ret->altitude_len = sizeof(WEDR_ALTITUDE_DEFAULT) - sizeof(WCHAR);
    ret->critical_bytes = WEDR_LANE_BYTES_DEFAULT;
    ret->bulk_bytes = WEDR_LANE_BYTES_DEFAULT;
    if (!NT_SUCCESS(open_parameters(service_key, &key))) {
        return;
    }
    read_altitude(key, ret);
    read_lane_bytes(key, L"CriticalLaneBytes", &ret->critical_bytes);
    read_lane_bytes(key, L"BulkLaneBytes", &ret->bulk_bytes);
    ZwClose(key);
}
