/* SPDX-License-Identifier: Apache-2.0
 * endpoint/driver/src/guard.c — what the compiler's stack guard needs, and the image's entry point.
 *
 * Only in the .sys files that clang and gcc build. The Microsoft linker brings its own entry point
 * and cookie (/GS), the simulated kernel has none; neither compiles this file, and apart from nt.h
 * it is the only one with compiler extensions.
 *
 * GsDriverEntry: the entry point. Seeds the guard, then calls DriverEntry and returns its status.
 * It has no guard of its own, for the value changes under it. IRQL PASSIVE, once per load.
 *
 * __stack_chk_guard: the value that guarded functions lay between their buffers and their return
 * address. Written once, before a guarded function runs. Its lowest byte is 0, which stops a copy
 * that ends at a NUL. It is as hard to guess as the time-stamp counter at load: it makes the
 * exploit of an overrun unlikely, it is no secret to code that runs in the kernel.
 *
 * __stack_chk_fail: a guarded function found another value when it returned. The return address
 * cannot be trusted any more, so this is the one place where the driver stops the machine: bug
 * check 0xF7 with the guard and its complement, as drivers of the Microsoft compiler do. */
#include "nt.h"

#define DRIVER_OVERRAN_STACK_BUFFER 0xF7u
/* KUSER_SHARED_DATA.InterruptTime: mapped at this address in every NT kernel. */
#define INTERRUPT_TIME ((const volatile ULONGLONG *)0xFFFFF78000000008ull)

DRIVER_INITIALIZE DriverEntry;
DRIVER_INITIALIZE GsDriverEntry;
__attribute__((noreturn)) void __stack_chk_fail(void);
extern uintptr_t __stack_chk_guard;

uintptr_t __stack_chk_guard = 0x2b992ddfa23249d6ull & ~(uintptr_t)0xff;

void __stack_chk_fail(void)
{
    KeBugCheckEx(DRIVER_OVERRAN_STACK_BUFFER, 0, __stack_chk_guard, ~__stack_chk_guard, 0);
    for (;;) {
    }
}

__attribute__((no_stack_protector)) NTSTATUS NTAPI GsDriverEntry(PDRIVER_OBJECT driver,
                                                                 PUNICODE_STRING service_key)
{
    uint64_t seed = __rdtsc() ^ *INTERRUPT_TIME << 20 ^ (uintptr_t)&seed;

    /* Every bit of the seed reaches every bit of the guard. */
    seed = (seed ^ seed >> 31) * 0x9e3779b97f4a7c15ull;
    seed = (seed ^ seed >> 29) * 0xbf58476d1ce4e5b9ull;
    __stack_chk_guard = (__stack_chk_guard ^ seed ^ seed >> 32) & ~(uintptr_t)0xff;
    return DriverEntry(driver, service_key);
}
