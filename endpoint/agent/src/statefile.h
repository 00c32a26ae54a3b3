/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/statefile.h — what the holder remembers across its own death and a reboot:
 * when it last saw the sensor working, and what the next start has to report. <state>/holder.state,
 * root, 0600, replaced atomically.
 */
#pragma once

#include "core/base/attr.h"
#include "wedr/wire/event.h"
#include <stdbool.h>
#include <stdint.h>

struct wedr_holder_memory {
    int64_t last_good_us; /* UTC of the last check that found every link alive; 0: never */
    uint8_t boot_id[WEDR_BOOT_ID_LEN];
    uint64_t epoch;
    bool sensor_stopped; /* removed on purpose */
    bool reenrolled;     /* the spool was filled under another identity */
};

/* Zeroes when there is no file or it is damaged: what it holds only adds gaps, it proves nothing.
 */
void wedr_holder_memory_load(const char *state_dir, struct wedr_holder_memory *ret);
WEDR_MUST_USE int wedr_holder_memory_store(const char *state_dir,
                                           const struct wedr_holder_memory *m);
