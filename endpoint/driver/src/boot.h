/* SPDX-License-Identifier: Apache-2.0
 * endpoint/driver/src/boot.h — who produced a record: the boot, and the epoch within it. */
#pragma once

#include "nt.h"
#include "wedr/wire/event.h"

struct wedr_boot {
    uint8_t boot_id[WEDR_BOOT_ID_LEN]; /* one per boot, however often the driver is loaded */
    uint64_t epoch;                    /* one per load, never 0 */
    int64_t start_time;                /* 100 ns since 1601 UTC, when the epoch began */
};

/* The boot id lies in the volatile key <service key>\Boot, which the kernel forgets when it ends (a
 * fast start-up resumes the same kernel session and keeps both the key and the loaded driver). When
 * the key cannot be written the id is new with each load: the agent then sees a reboot too many,
 * never one too few. Always fills *ret. IRQL PASSIVE. */
void wedr_boot_read(PCUNICODE_STRING service_key, struct wedr_boot *ret);
