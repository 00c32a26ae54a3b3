/* SPDX-License-Identifier: Apache-2.0
 * endpoint/driver/src/irpq.h — requests that wait for a record. Each has a cancel routine, so that
 * CancelIoEx, the end of its thread and the end of its process complete it. One queue per driver.
 *
 * Locking: every call is made under the lock given to wedr_irpq_init; the cancel routine takes it.
 * A request in the queue belongs to it; one that was taken belongs to the taker, and nobody else
 * can complete it. The queue itself completes a request only in the cancel routine. */
#pragma once

#include "nt.h"

/* Each parked request holds a system buffer of at least 128 KiB: 8 MiB of non-paged pool. */
#define WEDR_IRPQ_MAX 64u

/* lock: initialised, outlives the queue. IRQL PASSIVE. */
void wedr_irpq_init(PKSPIN_LOCK lock);

/* Marks the request pending and parks it behind the others. STATUS_PENDING: parked. Otherwise the
 * caller completes it with the returned status and still returns STATUS_PENDING from its dispatch
 * routine: STATUS_CANCELLED (cancelled already, its handle is being closed, or the queue is
 * closed), STATUS_INSUFFICIENT_RESOURCES (WEDR_IRPQ_MAX wait). */
WEDR_MUST_USE NTSTATUS wedr_irpq_park(PIRP irp);
/* The longest waiting request that is not being cancelled, of that file object or of any (NULL).
 * NULL when there is none. Its cancel routine is cleared. */
PIRP wedr_irpq_take(PFILE_OBJECT file);
/* No request of the file object is parked from now on; NULL: of any. Take what is parked. */
void wedr_irpq_close(PFILE_OBJECT file);
/* A file object was opened: its requests may be parked. */
void wedr_irpq_open(PFILE_OBJECT file);
/* A taken request was completed as cancelled by its taker. */
void wedr_irpq_count_cancelled(void);

uint32_t wedr_irpq_parked(void);
uint64_t wedr_irpq_cancelled(void);
