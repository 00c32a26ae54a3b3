/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/ntsim/tiny.h — a small driver for the simulator's own tests: correct as long as it is not
 * told to commit one of these sins. Plain C. */
#pragma once

#include <stdint.h>

/* TINY(name, rule that it breaks, when): 0 at once, in a request; 1 seen at unload; 2 seen only
 * where no address sanitizer stops the program first, at unload at the latest; 3 in DriverEntry. */
#define TINY_SINS                                            \
    TINY(LOCK_TWICE, "lock.recursion", 0)                    \
    TINY(LOCK_NOT_MINE, "lock.not_owner", 0)                 \
    TINY(LOCK_OTHER_HANDLE, "lock.handle", 0)                \
    TINY(LOCK_LOWERED, "lock.irql", 0)                       \
    TINY(LOCK_WRONG_IRQL, "lock.irql", 0)                    \
    TINY(LOCK_AT_PASSIVE, "lock.below_dispatch", 0)          \
    TINY(LOCK_KEPT, "lock.held", 0)                          \
    TINY(LOCKS_MANY, "lock.depth", 0)                        \
    TINY(CANCEL_LOCK_NOT_MINE, "cancel.lock", 0)             \
    TINY(IRQL_KEPT, "irql.changed", 0)                       \
    TINY(REGION_KEPT, "region.left", 0)                      \
    TINY(REGION_NOT_ENTERED, "region.underflow", 0)          \
    TINY(IRQL_TOO_HIGH, "irql.too_high", 0)                  \
    TINY(IRQL_CHECK, "irql.driver", 0)                       \
    TINY(POOL_FREED_TWICE, "pool.double_free", 0)            \
    TINY(POOL_FREED_STACK, "pool.double_free", 0)            \
    TINY(POOL_OTHER_TAG, "pool.wrong_tag", 0)                \
    TINY(POOL_OVERRUN, "pool.overrun", 2)                    \
    TINY(POOL_UNDERRUN, "pool.overrun", 2)                   \
    TINY(POOL_AFTER_FREE, "pool.used_after_free", 2)         \
    TINY(POOL_PAGED_HIGH, "pool.paged_at_dispatch", 0)       \
    TINY(POOL_PAGED_FREED_HIGH, "pool.paged_at_dispatch", 0) \
    TINY(POOL_EXECUTABLE, "pool.executable", 0)              \
    TINY(POOL_NOTHING, "pool.zero_size", 0)                  \
    TINY(POOL_NO_TAG, "pool.no_tag", 0)                      \
    TINY(POOL_FLAGS, "pool.flags", 0)                        \
    TINY(POOL_TYPE, "pool.flags", 0)                         \
    TINY(POOL_LEAK, "pool.leak", 1)                          \
    TINY(IRP_TWICE, "irp.double_completion", 0)              \
    TINY(IRP_UNDER_LOCK, "irp.under_lock", 0)                \
    TINY(IRP_AS_PENDING, "irp.completed_pending", 0)         \
    TINY(IRP_WITH_ROUTINE, "irp.cancel_routine", 0)          \
    TINY(IRP_TOO_MUCH, "irp.information", 0)                 \
    TINY(IRP_NOT_MARKED, "irp.not_marked", 0)                \
    TINY(IRP_MARKED, "irp.marked", 0)                        \
    TINY(IRP_FORGOTTEN, "irp.not_completed", 0)              \
    TINY(IRP_OTHER_STATUS, "irp.status", 0)                  \
    TINY(IRP_WRITTEN_AFTER, "irp.used_after_completion", 2)  \
    TINY(IRP_BUFFER_AFTER, "irp.used_after_completion", 2)   \
    TINY(IRP_OVERRUN, "irp.overrun", 2)                      \
    TINY(IRP_LEFT_AT_CLOSE, "irp.parked_at_close", 0)        \
    TINY(CREATE_PENDING, "irp.create_pending", 0)            \
    TINY(DEVICE_LEAK, "device.leak", 1)                      \
    TINY(DEVICE_TWICE, "device.unknown", 1)                  \
    TINY(LINK_LEAK, "link.leak", 1)                          \
    TINY(CALLBACK_LEAK, "callback.leak", 1)                  \
    TINY(CALLBACK_UNKNOWN, "callback.unknown", 0)            \
    TINY(CALLBACK_UNKNOWN_CM, "callback.unknown", 0)         \
    TINY(CALLBACK_UNKNOWN_OB, "callback.unknown", 0)         \
    TINY(CALLBACK_SELF, "callback.self", 0)                  \
    TINY(CALLBACK_TWICE, "callback.twice", 0)                \
    TINY(CALLBACK_VERSION, "callback.arguments", 0)          \
    TINY(CALLBACK_ALTITUDE, "callback.arguments", 0)         \
    TINY(CALLBACK_NO_ENTRY, "callback.arguments", 0)         \
    TINY(HANDLE_LEAK, "handle.leak", 1)                      \
    TINY(HANDLE_CLOSED_TWICE, "handle.invalid", 0)           \
    TINY(HANDLE_USER, "handle.user", 0)                      \
    TINY(OBJECT_LEAK, "object.leak", 1)                      \
    TINY(OBJECT_UNDERFLOW, "object.underflow", 0)            \
    TINY(OBJECT_TOKEN_UNDERFLOW, "object.underflow", 0)      \
    TINY(OBJECT_WRONG, "object.type", 0)                     \
    TINY(NAME_LEAK, "name.leak", 1)                          \
    TINY(NAME_TWICE, "name.release", 0)                      \
    TINY(NAME_DEAD_KEY, "cm.dead_object", 0)                 \
    TINY(NO_UNLOAD, "driver.no_unload", 3)

enum tiny_sin {
    TINY_GOOD,           /* completes at once: the length of the output buffer is its answer */
    TINY_PARK,           /* waits for TINY_RELEASE or cancellation */
    TINY_RELEASE,        /* completes the oldest parked request, with 4 bytes */
    TINY_RELEASE_RUDELY, /* the same without looking whether it is being cancelled */
    TINY_BUG_CHECK,
#define TINY(name, rule, when) TINY_##name,
    TINY_SINS
#undef TINY
        TINY_COMMANDS
};

#define TINY_CODE(command) (0x00222000u | (uint32_t)(command) << 2)

/* What DriverEntry, the callbacks and unload do wrong; TINY_GOOD: nothing. Set before. */
extern int tiny_sin;
extern void *tiny_key; /* body of the key that NAME_ sins ask about: the test's last one */

/* Calls that the five callbacks got, by enum ntsim_source. */
unsigned tiny_calls(unsigned source);
uint64_t tiny_last(void); /* some number out of the last call */
