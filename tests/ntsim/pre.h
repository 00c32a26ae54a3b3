/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/ntsim/pre.h — included before everything else in each file that sees NT headers natively:
 * bends the few places of mingw's headers that would touch the processor or a fixed address, so
 * that they end in the simulator. */
#pragma once

#define _byteswap_ulong ntsim_unused_byteswap /* another prototype than <intrin.h> has */
#include <stdlib.h>
#undef _byteswap_ulong
#include <intrin.h>

unsigned long long ntsim_readcr8(void);
void ntsim_writecr8(unsigned long long irql);
unsigned long long ntsim_readgsqword(unsigned offset);
#define __readcr8 ntsim_readcr8
#define __writecr8 ntsim_writecr8
#define __readgsqword ntsim_readgsqword

#define InterlockedBitTestAndSet ntsim_ddk_bit_test_and_set
#define InterlockedBitTestAndReset ntsim_ddk_bit_test_and_reset
#include <ntifs.h>
#undef InterlockedBitTestAndSet
#undef InterlockedBitTestAndReset

/* The page that kernel and user mode share is not there. */
#undef KeQuerySystemTime
#undef KeQueryInterruptTime
#undef KeQueryTickCount
void ntsim_query_system_time(PLARGE_INTEGER ret_time);
ULONGLONG ntsim_query_interrupt_time(void);
#define KeQuerySystemTime(ret_time) ntsim_query_system_time(ret_time)
#define KeQueryInterruptTime() ntsim_query_interrupt_time()

/* Full barriers on Windows; mingw's versions are only acquire operations in the eyes of the thread
 * sanitizer. */
#undef InterlockedExchange
#undef InterlockedExchange64
#undef InterlockedExchangePointer
#define InterlockedExchange(to, value) __atomic_exchange_n((to), (value), __ATOMIC_SEQ_CST)
#define InterlockedExchange64 InterlockedExchange
#define InterlockedExchangePointer InterlockedExchange
