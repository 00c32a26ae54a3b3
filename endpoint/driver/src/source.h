/* SPDX-License-Identifier: Apache-2.0
 * endpoint/driver/src/source.h — state and counters of the five kernel callbacks, as GET_STATS
 * reports them. A source that cannot register is off and says so; the others go on. */
#pragma once

#include "nt.h"
#include "wedr/wire/ioctl.h"

/* All counters 0, all states ABSENT. IRQL PASSIVE, before any source starts. */
void wedr_source_init(void);

/* After the registration returned: ACTIVE, or FAILED with that status. */
void wedr_source_registered(enum wedr_callback which, NTSTATUS status);
/* This kernel has no such interface. */
void wedr_source_absent(enum wedr_callback which);
/* Registered, and not stopped. */
bool wedr_source_is_active(enum wedr_callback which);
/* True once per registration: the caller must unregister now. */
bool wedr_source_stop(enum wedr_callback which);

/* Counters; any thread, IRQL <= DISPATCH. */
/* The kernel called. */
void wedr_source_call(enum wedr_callback which);
/* A record that should exist: queued, or it could not be made. */
void wedr_source_count(enum wedr_callback which, bool queued);

/* An internal inconsistency that was survived; GET_STATS bugs. */
void wedr_source_bug(void);
uint64_t wedr_source_bugs(void);

/* Fills callback[]. classes: event classes that are on (a source without its class is FILTERED). */
void wedr_source_stats(struct wedr_ioctl_stats *s, uint32_t classes);
