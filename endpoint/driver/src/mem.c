/* SPDX-License-Identifier: Apache-2.0 */
#include "mem.h"

#include "kapi.h"

/* POOL_FLAG_NON_PAGED of ExAllocatePool2, which zeroes; mingw's headers lack both. */
#define POOL2_NON_PAGED 0x40ull

void *wedr_mem_new(size_t count, size_t size, ULONG tag)
{
    WEDR_IRQL_MAX(DISPATCH_LEVEL);
    void *p;

    if (count == 0 || size == 0 || count > SIZE_MAX / size) {
        return NULL;
    }
    if (wedr_kapi.allocate_pool2) {
        return wedr_kapi.allocate_pool2(POOL2_NON_PAGED, count * size, tag);
    }
    p = ExAllocatePoolWithTag(NonPagedPoolNx, count * size, tag);
    if (p) {
        WEDR_MEMSET(p, 0, count * size);
    }
    return p;
}

void wedr_mem_free(void *p, ULONG tag)
{
    WEDR_IRQL_MAX(DISPATCH_LEVEL);
    if (p) {
        ExFreePoolWithTag(p, tag);
    }
}
