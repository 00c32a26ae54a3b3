/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/detect/sighting.h — one event as detection remembers it: which record it was,
 * when it happened and whose process it speaks of.
 */
#pragma once

#include "wedr/wire/event.h"
#include <stdint.h>

struct wedr_sighting {
    uint64_t epoch, seq;
    char stream[WEDR_STREAM_NAME_MAX];
    int64_t time_us;      /* UTC */
    uint64_t process_key; /* 0: none */
    uint32_t pid;         /* 0: none */
};
