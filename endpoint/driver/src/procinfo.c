/* SPDX-License-Identifier: Apache-2.0 */
#include "procinfo.h"

#include "kapi.h"

uint64_t wedr_procinfo_key(PEPROCESS process)
{
    WEDR_IRQL_MAX(APC_LEVEL);
    uint64_t key;

    if (wedr_kapi.process_start_key) {
        return wedr_kapi.process_start_key(process);
    }
    key = (uint64_t)PsGetProcessCreateTimeQuadPart(process);
    return key ^ (uint64_t)wedr_id(PsGetProcessId(process)) << 42;
}

bool wedr_procinfo_exited(PEPROCESS process)
{
    WEDR_IRQL_MAX(APC_LEVEL);
    /* Until it ends a process has the status "pending". */
    return PsGetProcessExitStatus(process) != STATUS_PENDING;
}

PUNICODE_STRING wedr_procinfo_image(PEPROCESS process)
{
    WEDR_IRQL_MAX(PASSIVE_LEVEL);
    PUNICODE_STRING image = NULL;

    if (!NT_SUCCESS(SeLocateProcessImageName(process, &image))) {
        return NULL;
    }
    if (image && image->Length == 0) { /* a process without a file */
        ExFreePool(image);
        return NULL;
    }
    return image;
}

void wedr_procinfo_free_image(PUNICODE_STRING image)
{
    if (image) {
        ExFreePool(image);
    }
}

static WCHAR *put_decimal(WCHAR *to, uint32_t value)
{
    WCHAR digits[10];
    unsigned n = 0;

    do {
        digits[n++] = (WCHAR)(L'0' + value % 10);
        value /= 10;
    } while (value != 0);
    while (n > 0) {
        *to++ = digits[--n];
    }
    return to;
}

static WCHAR *put_hex12(WCHAR *to, uint64_t value)
{
    *to++ = L'0';
    *to++ = L'x';
    for (int shift = 44; shift >= 0; shift -= 4) {
        *to++ = L"0123456789abcdef"[value >> shift & 0xf];
    }
    return to;
}

uint16_t wedr_sid_text(const SID *sid, WCHAR ret[WEDR_SID_TEXT_MAX])
{
    uint64_t authority = 0;
    WCHAR *to = ret;

    if (sid->Revision != SID_REVISION || sid->SubAuthorityCount > SID_MAX_SUB_AUTHORITIES) {
        return 0;
    }
    for (unsigned i = 0; i < 6; i++) {
        authority = authority << 8 | sid->IdentifierAuthority.Value[i];
    }
    *to++ = L'S';
    *to++ = L'-';
    *to++ = L'1';
    *to++ = L'-';
    to = authority <= UINT32_MAX ? put_decimal(to, (uint32_t)authority) : put_hex12(to, authority);
    for (unsigned i = 0; i < sid->SubAuthorityCount; i++) {
        *to++ = L'-';
        to = put_decimal(to, sid->SubAuthority[i]);
    }
    return (uint16_t)((uint8_t *)to - (uint8_t *)ret);
}

/* SeQueryInformationToken stores some classes in the pointer itself instead of giving a buffer, and
 * documentation and kernels differ on which. No buffer lies in the first 64 KiB, and no such value
 * lies above. */
static bool is_value(const void *info)
{
    return (uintptr_t)info < 0x10000u;
}

static void read_user(PACCESS_TOKEN token, struct wedr_token *ret)
{
    PVOID info = NULL;

    if (NT_SUCCESS(SeQueryInformationToken(token, TokenUser, &info)) && !is_value(info)) {
        ret->sid_len = wedr_sid_text(((TOKEN_USER *)info)->User.Sid, ret->sid);
        ExFreePool(info);
    }
}

static uint32_t last_sub_authority(const SID *sid)
{
    if (sid->SubAuthorityCount == 0 || sid->SubAuthorityCount > SID_MAX_SUB_AUTHORITIES) {
        return WEDR_INTEGRITY_UNKNOWN;
    }
    return sid->SubAuthority[sid->SubAuthorityCount - 1];
}

static void read_integrity(PACCESS_TOKEN token, struct wedr_token *ret)
{
    PVOID info = NULL;

    if (!NT_SUCCESS(SeQueryInformationToken(token, TokenIntegrityLevel, &info))) {
        return;
    }
    if (is_value(info)) {
        ret->integrity = (uint32_t)(uintptr_t)info;
    } else {
        ret->integrity = last_sub_authority(((TOKEN_MANDATORY_LABEL *)info)->Label.Sid);
        ExFreePool(info);
    }
}

static void read_elevation(PACCESS_TOKEN token, struct wedr_token *ret)
{
    PVOID info = NULL;

    if (!NT_SUCCESS(SeQueryInformationToken(token, TokenElevation, &info))) {
        return;
    }
    if (is_value(info)) {
        ret->elevated = info != NULL;
    } else {
        ret->elevated = ((TOKEN_ELEVATION *)info)->TokenIsElevated != 0;
        ExFreePool(info);
    }
}

void wedr_procinfo_token(PEPROCESS process, struct wedr_token *ret)
{
    WEDR_IRQL_MAX(PASSIVE_LEVEL);
    PACCESS_TOKEN token = PsReferencePrimaryToken(process);

    ret->integrity = WEDR_INTEGRITY_UNKNOWN;
    ret->elevated = false;
    ret->sid_len = 0;
    if (!token) {
        return;
    }
    read_user(token, ret);
    read_integrity(token, ret);
    read_elevation(token, ret);
    PsDereferencePrimaryToken(token);
}
