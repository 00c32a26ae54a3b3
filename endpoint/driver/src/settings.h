/* SPDX-License-Identifier: Apache-2.0
 * endpoint/driver/src/settings.h — what an administrator may set below the service's key, in the
 * key Parameters. Read once at load; a value that is missing or out of bounds is the default. */
#pragma once

#include "nt.h"

/* An altitude is a decimal number as text. This one lies in the range of activity monitors and is
 * NOT registered with Microsoft: another driver may use it, then set another. */
#define WEDR_ALTITUDE_DEFAULT L"385100.7"
#define WEDR_ALTITUDE_MAX 24u /* characters without NUL */

/* Bytes of a lane's arena. At least some records of the largest size, at most what non-paged pool
 * can spare. 4096 process starts with usual paths and command lines take about 3 MiB. */
#define WEDR_LANE_BYTES_DEFAULT (4u << 20)
#define WEDR_LANE_BYTES_MIN (512u << 10)
#define WEDR_LANE_BYTES_MAX (64u << 20)

struct wedr_settings {
    uint32_t critical_bytes;               /* CriticalLaneBytes, REG_DWORD */
    uint32_t bulk_bytes;                   /* BulkLaneBytes, REG_DWORD */
    uint16_t altitude_len;                 /* bytes */
    WCHAR altitude[WEDR_ALTITUDE_MAX + 1]; /* Altitude, REG_SZ */
};

/* Never fails: what cannot be read is the default. IRQL PASSIVE. */
void wedr_settings_read(PCUNICODE_STRING service_key, struct wedr_settings *ret);
