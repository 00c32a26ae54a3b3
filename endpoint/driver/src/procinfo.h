/* SPDX-License-Identifier: Apache-2.0
 * endpoint/driver/src/procinfo.h — what can be learnt from a PEPROCESS that is referenced by the
 * caller (or by the callback's contract). IRQL PASSIVE unless it says otherwise. Each answer is
 * resolved or absent, never that of another process. */
#pragma once

#include "nt.h"

/* "S-1-" + authority of 48 bits (0x and 12 digits) + 15 sub-authorities of "-4294967295". */
#define WEDR_SID_TEXT_MAX (4u + 14u + 15u * 11u)
#define WEDR_INTEGRITY_UNKNOWN 0xffffffffu

/* NT keeps process and thread ids below 2^32 although HANDLE is wider. */
static inline uint32_t wedr_id(HANDLE id)
{
    return (uint32_t)(uintptr_t)id;
}

/* Unique per boot: the kernel's start key, or else creation time and pid folded. IRQL <= APC. */
uint64_t wedr_procinfo_key(PEPROCESS process);
/* The process ended or is ending. IRQL <= APC. */
bool wedr_procinfo_exited(PEPROCESS process);

/* NT path of the executable; freed with wedr_procinfo_free_image. NULL when it has none (System) or
 * no memory. */
PUNICODE_STRING wedr_procinfo_image(PEPROCESS process);
void wedr_procinfo_free_image(PUNICODE_STRING image);

struct wedr_token {
    uint32_t integrity; /* RID of the mandatory label; WEDR_INTEGRITY_UNKNOWN */
    bool elevated;
    uint16_t sid_len; /* bytes of sid; 0 when it could not be read */
    WCHAR sid[WEDR_SID_TEXT_MAX];
};

/* Of the primary token of that process, whoever calls. Always fills *ret. */
void wedr_procinfo_token(PEPROCESS process, struct wedr_token *ret);

/* SDDL text of a SID: bytes written, 0 when it is none (revision, count). Exposed for the tests. */
uint16_t wedr_sid_text(const SID *sid, WCHAR ret[WEDR_SID_TEXT_MAX]);
