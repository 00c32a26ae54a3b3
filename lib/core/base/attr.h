/* SPDX-License-Identifier: Apache-2.0 OR BSD-2-Clause
 * lib/core/base/attr.h — the compiler extensions we use, in one place. Freestanding. */
#pragma once

#if defined(__GNUC__) || defined(__clang__)
#    define WEDR_MUST_USE __attribute__((warn_unused_result))
#    define WEDR_PACKED __attribute__((packed))
#    define WEDR_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#    define WEDR_UNUSED __attribute__((unused))
/* Every kernel and C library exports them; the builtins need no header. */
#    define WEDR_MEMCPY(to, from, n) __builtin_memcpy((to), (from), (n))
#    define WEDR_MEMSET(to, byte, n) __builtin_memset((to), (byte), (n))
#else /* the Microsoft compiler: structures of lib/wire are packed by #pragma pack around them */
#    define WEDR_MUST_USE
#    define WEDR_PACKED
#    define WEDR_PRINTF(fmt, args)
#    define WEDR_UNUSED
#    include <stddef.h>
void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
#    define WEDR_MEMCPY(to, from, n) memcpy((to), (from), (n))
#    define WEDR_MEMSET(to, byte, n) memset((to), (byte), (n))
#endif

#define WEDR_ARRAY_COUNT(a) (sizeof(a) / sizeof((a)[0]))
