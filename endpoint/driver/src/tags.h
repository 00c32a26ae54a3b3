/* SPDX-License-Identifier: Apache-2.0
 * endpoint/driver/src/tags.h — every pool tag of the driver. In a debugger they read "WErn" ... */
#pragma once

#define WEDR_TAG(a, b, c, d) ((ULONG)(a) | (ULONG)(b) << 8 | (ULONG)(c) << 16 | (ULONG)(d) << 24)

/* evq: descriptors and arenas */
#define WEDR_TAG_RING WEDR_TAG('W', 'E', 'r', 'n')
/* stage: places where records are put together */
#define WEDR_TAG_STAGE WEDR_TAG('W', 'E', 's', 'g')
/* kfilter: the filter in force */
#define WEDR_TAG_FILTER WEDR_TAG('W', 'E', 'f', 'l')
/* proctab: slots */
#define WEDR_TAG_PROCTAB WEDR_TAG('W', 'E', 'p', 't')
/* inventory: list of processes at load */
#define WEDR_TAG_INVENTORY WEDR_TAG('W', 'E', 'i', 'v')
/* settings: path of the Parameters key */
#define WEDR_TAG_SETTINGS WEDR_TAG('W', 'E', 's', 't')
