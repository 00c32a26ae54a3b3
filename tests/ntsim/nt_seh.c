/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/ntsim/nt_seh.c — instead of the driver's seh.c, which needs structured exceptions. What is
 * user memory is known from the operation that is being reported; only its first bytes are there.
 */
#include "nt_sim.h"
#include "seh.h"

bool wedr_seh_copy(void *dst, const void *src, size_t len)
{
    const uint8_t *from = src;

    sim_enter(SIM_CALL_wedr_seh_copy);
    if (sim_fault(SIM_CALL_wedr_seh_copy)) {
        return false;
    }
    for (const struct sim_user *u = sim_self.user; u; u = u->next) {
        if (from >= u->base && from < u->base + u->size) {
            size_t there = from < u->base + u->len ? (size_t)(u->base + u->len - from) : 0;

            memcpy(dst, src, len < there ? len : there);
            return len <= there;
        }
    }
    memcpy(dst, src, len);
    return true;
}
