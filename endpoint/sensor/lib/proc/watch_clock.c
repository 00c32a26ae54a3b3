/* SPDX-License-Identifier: Apache-2.0
 *
 * The connector's times are of the monotonic clock, which stands still while the machine is
 * suspended; records carry the boot clock, which does not. Their distance grows in suspend only. */
#include "watch_priv.h"

#include "wedr/plat/time.h"

#define NEAR_NS 100000 /* both clocks were read within this time: nobody else ran in between */
#define TRIES 8
#define STEP_NS 1000000 /* nobody is suspended for less */

void watch_clock_note(struct watch_clock *c, uint64_t mono_ns, uint64_t boot_ns)
{
    int64_t step = (int64_t)(boot_ns - mono_ns);
    int64_t more = step - c->step_ns;
    if (c->seen_ns == 0 || more > STEP_NS || more < -STEP_NS) {
        c->before_ns = c->seen_ns == 0 ? step : c->step_ns;
        c->before_until_ns = c->seen_ns;
        c->step_ns = step;
    }
    c->seen_ns = mono_ns;
}

void watch_clock_read(struct watch_clock *c)
{
    for (int i = 0; i < TRIES; i++) {
        uint64_t mono = wedr_time_mono_ns(), boot = wedr_time_boot_ns();
        if (wedr_time_mono_ns() - mono < NEAR_NS || (c->seen_ns == 0 && i == TRIES - 1)) {
            watch_clock_note(c, mono, boot);
            return;
        }
    }
}

uint64_t watch_clock_boot(const struct watch_clock *c, uint64_t mono_ns)
{
    return mono_ns + (uint64_t)(mono_ns <= c->before_until_ns ? c->before_ns : c->step_ns);
}
