/* SPDX-License-Identifier: Apache-2.0
 * endpoint/driver/src/mem.h — the driver's only allocator: non-paged, not executable, zeroed. */
#pragma once

#include "nt.h"

/* count * size bytes; NULL when the product overflows or is 0, and when there is no memory.
 * IRQL <= DISPATCH; callbacks never call it. */
void *wedr_mem_new(size_t count, size_t size, ULONG tag);
/* NULL is fine. tag is the one it was made with. IRQL <= DISPATCH. */
void wedr_mem_free(void *p, ULONG tag);
