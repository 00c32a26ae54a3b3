/* SPDX-License-Identifier: Apache-2.0
 * endpoint/driver/src/seh.h — the one copy from memory that may not be there. Registry callbacks
 * may be given a user-mode pointer, which its process can unmap at any moment. */
#pragma once

#include "nt.h"

/* Copies len bytes; false when the source faulted or lies half in user and half in kernel space:
 * then dst holds anything. A fault at a kernel address is not survivable on NT, so only pass
 * pointers that the kernel gave. IRQL <= APC. */
WEDR_MUST_USE bool wedr_seh_copy(void *dst, const void *src, size_t len);
