/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/sensor/lib/proc/watch.h — the sensor for hosts that refuse BPF. A child process with the
 * rights to read /proc listens to the kernel's process connector (fork, exec, exit, changes of
 * identity) and to fanotify on the places that code is started from, and writes wire records into
 * two rings in shared memory. They have the layout of BPF rings and the state page that of the BPF
 * sensor's, so that core reads them with the same code and without any right. Degraded:
 * wedr_watch_blind says what it cannot see. docs/sensor.md, "Without BPF".
 *
 * Used by the holder, which is single-threaded. Nothing is pinned: an epoch lasts as long as the
 * child.
 */
#pragma once

#include "core/base/attr.h"
#include "core/util/errinfo.h"
#include "sensor/lib/sensor.h"
#include <stdbool.h>
#include <stdint.h>

struct wedr_watch;

/* Starts the child, waits until it hears the kernel and has listed what lives (a few seconds at
 * most). ring_bytes as in wedr_sensor_cfg. *ret_existing: records of the inventory. WEDR_E_PERM
 * without CAP_NET_ADMIN, WEDR_E_UNSUP where the kernel has no process connector. */
WEDR_MUST_USE int wedr_watch_open(uint32_t ring_bytes,
                                  struct wedr_watch **ret,
                                  uint32_t *ret_existing,
                                  struct wedr_errinfo *ei);
/* Ends the child; core keeps what is in the rings by its own descriptors. NULL is allowed. */
void wedr_watch_close(struct wedr_watch *w);

/* As wedr_sensor_handles and wedr_sensor_state. */
void wedr_watch_handles(const struct wedr_watch *w, struct wedr_sensor_handles *ret);
const struct wedr_sensor_state *wedr_watch_state(const struct wedr_watch *w);
uint32_t wedr_watch_pid(const struct wedr_watch *w);

/* Time in which the kernel threw events away before the child could read them: nobody knows how
 * many. */
struct wedr_watch_overrun {
    int64_t from_us, to_us; /* UTC; 0: there was none */
};
/* What happened since the last call. WEDR_E_CLOSED: the child is gone (ei says how): close, open
 * again. */
WEDR_MUST_USE int
wedr_watch_check(struct wedr_watch *w, struct wedr_watch_overrun *ret, struct wedr_errinfo *ei);

/* What this source does not see, a sentence each; NULL at the end. */
const char *const *wedr_watch_blind(void);
/* Can it work here? One sentence into ret_text. Changes nothing. */
bool wedr_watch_probe(char *ret_text, size_t cap);
