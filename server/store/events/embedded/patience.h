/* SPDX-License-Identifier: Apache-2.0
 *
 * server/store/events/embedded/patience.h — days that a disk does not give. It may work again, and
 * what they hold would be left unread: so they are tried anew for a while, and then passed over, so
 * that a bad disk does not hold up what came after them for ever. One thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEDR_PATIENCE_MS 600000u
#define WEDR_PATIENCE_DAYS 8u /* more at once are not waited for */

struct wedr_patience {
    struct {
        int32_t day;
        uint64_t since_ms;
        bool ended; /* said in the log */
    } v[WEDR_PATIENCE_DAYS];
    size_t count;
};

/* The day could not be opened. True: it is to be tried again. */
bool wedr_patience_left(struct wedr_patience *p, int32_t day, uint64_t now_ms);
/* It could. */
void wedr_patience_forget(struct wedr_patience *p, int32_t day);
