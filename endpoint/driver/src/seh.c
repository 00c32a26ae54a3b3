/* SPDX-License-Identifier: Apache-2.0
 * Compiled with structured exceptions (clang -fms-extensions or the Microsoft compiler) in every
 * build. Only faults inside a called function are caught for certain, hence copy_out. */
#include "seh.h"

/* User space ends here on x64, whatever the paging depth of today's processes. */
#define USER_END 0x0000800000000000ull

WEDR_NOINLINE static void copy_out(volatile uint8_t *dst, const volatile uint8_t *src, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        dst[i] = src[i];
    }
}

bool wedr_seh_copy(void *dst, const void *src, size_t len)
{
    WEDR_IRQL_MAX(APC_LEVEL);
    uintptr_t first = (uintptr_t)src;
    NTSTATUS code = STATUS_SUCCESS;

    if (len == 0) {
        return true;
    }
    if (first + len < first || (first < USER_END && first + len > USER_END)) {
        return false;
    }
    __try {
        copy_out((volatile uint8_t *)dst, (const volatile uint8_t *)src, len);
    } __except (code = GetExceptionCode(), EXCEPTION_EXECUTE_HANDLER) {
        return false;
    }
    return NT_SUCCESS(code);
}
