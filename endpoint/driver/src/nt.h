/* SPDX-License-Identifier: Apache-2.0
 * endpoint/driver/src/nt.h — the one place where NT headers come in, with what mingw's DDK headers
 * lack and the compiler extensions we use. Everything else in this folder is C11 that the Microsoft
 * WDK takes as it stands. */
#pragma once

#include <intrin.h>
#if defined(__MINGW32__) || defined(__clang__)
/* mingw's wdm.h defines these two again although <intrin.h> has them. */
#    define InterlockedBitTestAndSet wedr_ddk_bit_test_and_set
#    define InterlockedBitTestAndReset wedr_ddk_bit_test_and_reset
#    include <ntifs.h>
#    undef InterlockedBitTestAndSet
#    undef InterlockedBitTestAndReset
#else
#    include <ntifs.h>
#endif

#include "core/base/attr.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(_MSC_VER) && !defined(__clang__)
#    define WEDR_NOINLINE __declspec(noinline)
#else
#    define WEDR_NOINLINE __attribute__((noinline))
#endif

/* What an interlocked function of another processor wrote, and all that it wrote before. */
#if defined(_MSC_VER) && !defined(__clang__)
#    define WEDR_READ(p) (*(p)) /* volatile: an acquire under /volatile:ms, the default for x64 */
#else
#    define WEDR_READ(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#endif

/* The highest IRQL at which the function may run; its first statement. Nothing in the shipped
 * driver; the checked build counts a breach as a bug, the simulated kernel aborts. */
#ifdef WEDR_DRIVER_CHECKED
void wedr_checked_failed(const char *function, int line);
#    define WEDR_IRQL_MAX(max)                           \
        do {                                             \
            if (KeGetCurrentIrql() > (max)) {            \
                wedr_checked_failed(__func__, __LINE__); \
            }                                            \
        } while (0)
#else
#    define WEDR_IRQL_MAX(max) ((void)(max))
#endif

/* In the import library but in no header of mingw (ntifs.h of the WDK lacks the first two too). */
NTKERNELAPI HANDLE NTAPI PsGetProcessInheritedFromUniqueProcessId(PEPROCESS process);
NTKERNELAPI ULONG NTAPI PsGetProcessSessionId(PEPROCESS process);
#if defined(__MINGW32__) || defined(__clang__)
NTKERNELAPI NTSTATUS NTAPI PsGetProcessExitStatus(PEPROCESS process);
NTSYSAPI NTSTATUS NTAPI ZwQuerySystemInformation(ULONG information_class,
                                                 PVOID buffer,
                                                 ULONG len,
                                                 PULONG ret_len);
#endif

/* What ObRegisterCallbacks wants: the address of the kernel's pointer to an object type. The WDK's
 * declaration names that address; mingw's, marked as imported, names the pointer behind it. */
#if defined(__MINGW32__) && !defined(__linux__)
#    define WEDR_PROCESS_TYPE ((POBJECT_TYPE *)&PsProcessType)
#    define WEDR_THREAD_TYPE ((POBJECT_TYPE *)&PsThreadType)
#else
#    define WEDR_PROCESS_TYPE PsProcessType
#    define WEDR_THREAD_TYPE PsThreadType
#endif

#define WEDR_SYSTEM_PROCESS_INFORMATION 5u /* SystemProcessInformation */

/* Bits 12 to 15 of IMAGE_INFO.Properties: SE_SIGNING_LEVEL, since Windows 8.1. */
#define WEDR_IMAGE_SIGNATURE_LEVEL(properties) ((properties) >> 12 & 0xfu)
