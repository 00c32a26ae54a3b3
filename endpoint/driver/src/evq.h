/* SPDX-License-Identifier: Apache-2.0
 * endpoint/driver/src/evq.h — the event queue: both lanes of records and the requests that wait for
 * them, under one spin lock, so that no record can slip between "the ring is empty" and "the
 * request is parked". A request waits only while both lanes are empty.
 *
 * A record leaves the ring only when it was copied into the system buffer of a request that is
 * completed with success. Under one hold of the lock at most one record is copied in and
 * max(16 KiB, one record) out. Requests are completed with no lock held. */
#pragma once

#include "nt.h"
#include "wedr/wire/ioctl.h"

/* Allocates arenas and descriptors (about critical + bulk + 130 KiB of non-paged pool).
 * STATUS_INSUFFICIENT_RESOURCES. IRQL PASSIVE. */
NTSTATUS wedr_evq_init(uint32_t critical_bytes, uint32_t bulk_bytes);
/* No request is parked any more, and those that are parked are completed STATUS_CANCELLED. */
void wedr_evq_close(void);
/* Frees the lanes with what is in them. No producer and no request may be left. */
void wedr_evq_fini(void);

/* Producers; IRQL <= DISPATCH, any thread; they never wait for anything but the spin lock. */
/* Takes a seq for the record and copies it in; whatever is evicted or does not fit is counted.
 * record: whole, in non-paged memory, its header is completed in place (trunc_count). cuts: strings
 * of it that were cut. */
void wedr_evq_push(uint8_t *record, size_t len, uint8_t lane, uint32_t cuts);
/* A record that could not be put together: takes a seq and counts it as lost. */
void wedr_evq_lose(uint8_t lane);
/* A record that the filter left out before it had a seq. */
void wedr_evq_filtered(uint8_t lane);

/* GET_EVENT (batch false) and GET_EVENTS: completes the request now, or parks it. The output buffer
 * has at least WEDR_RECORD_MAX bytes. Returns what the dispatch routine returns; the request must
 * not be touched afterwards. IRQL <= DISPATCH. */
NTSTATUS wedr_evq_read(PIRP irp);

/* A handle: requests may be parked; no longer, and those that are parked are completed
 * STATUS_CANCELLED. Closing twice is harmless. */
void wedr_evq_open_file(PFILE_OBJECT file);
void wedr_evq_close_file(PFILE_OBJECT file);

/* Bytes of a lane's arena. */
uint32_t wedr_evq_lane_bytes(uint8_t lane);
/* Fills lanes, parked, completed and cancelled of s from one moment. */
void wedr_evq_stats(struct wedr_ioctl_stats *s);
