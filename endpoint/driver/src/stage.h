/* SPDX-License-Identifier: Apache-2.0
 * endpoint/driver/src/stage.h — non-paged places where a record is put together before it goes into
 * the ring. The kernel's strings may be paged out, and a page fault under a spin lock ends the
 * machine: so they are copied here first, where faults are allowed, and from here into the ring.
 * A fixed number of places, claimed without a lock; who finds none counts the record as lost. */
#pragma once

#include "nt.h"

/* Nearly all records; about 1.5 MiB of non-paged pool in all. */
#define WEDR_STAGE_SMALL 4096u
#define WEDR_STAGE_SMALL_COUNT 64u
/* Any record of this driver: two paths, a whole command line and a SID. */
#define WEDR_STAGE_LARGE 86016u
#define WEDR_STAGE_LARGE_COUNT 16u

/* STATUS_INSUFFICIENT_RESOURCES. IRQL PASSIVE. */
NTSTATUS wedr_stage_init(void);
/* Nothing may be claimed any more. */
void wedr_stage_fini(void);

/* A place of at least len bytes, not zeroed; NULL when all are taken or len is above
 * WEDR_STAGE_LARGE. Until it is given back the thread must not be stopped: the caller is in a
 * critical region. IRQL <= APC. */
uint8_t *wedr_stage_claim(size_t len);
/* Gives back what claim returned. */
void wedr_stage_release(uint8_t *place);
