/* SPDX-License-Identifier: Apache-2.0
 * endpoint/driver/src/kfilter.h — what the agent asked to leave out and to watch besides
 * (SET_FILTER). The filter in force is immutable and counted by reference: callbacks read it while
 * it is replaced. Until the first SET_FILTER all classes are on and there are no prefixes. */
#pragma once

#include "keypath.h"
#include "nt.h"
#include "wedr/wire/ioctl.h"

/* IRQL PASSIVE. */
void wedr_kfilter_init(void);
/* No callback and no request may be left. IRQL PASSIVE. */
void wedr_kfilter_fini(void);

/* Replaces the whole filter or changes nothing: STATUS_INVALID_PARAMETER (see wedr_filter_check),
 * STATUS_INSUFFICIENT_RESOURCES. in is the system buffer of a request. IRQL <= APC. */
NTSTATUS wedr_kfilter_set(const void *in, size_t len);

/* Classes that are on; one atomic read. */
uint32_t wedr_kfilter_classes(void);
/* Successful calls of wedr_kfilter_set since the load. */
uint32_t wedr_kfilter_generation(void);

/* True when an image load of this path is to be left out: a prefix of it is listed, up to the end
 * or a backslash, without regard to case. IRQL <= APC. */
bool wedr_kfilter_skips_path(PCUNICODE_STRING path);
/* True when the key lies at or below a listed registry prefix. IRQL <= APC. */
bool wedr_kfilter_watches_key(const struct wedr_keyname *key);
