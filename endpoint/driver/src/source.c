/* SPDX-License-Identifier: Apache-2.0 */
#include "source.h"

struct source {
    volatile LONG state; /* enum wedr_callback_state */
    volatile LONG status;
    volatile LONG64 calls, events, failed;
};

static struct source sources[WEDR_CALLBACK_COUNT];
static volatile LONG64 bugs;

/* Event class of each source, by enum wedr_callback. */
static const uint32_t classes_of[WEDR_CALLBACK_COUNT] = {WEDR_CLASS_PROCESS, WEDR_CLASS_MODULE,
                                                         WEDR_CLASS_REGISTRY, WEDR_CLASS_THREAD,
                                                         WEDR_CLASS_HANDLE};

void wedr_source_init(void)
{
    WEDR_IRQL_MAX(PASSIVE_LEVEL);
    WEDR_MEMSET(sources, 0, sizeof(sources));
    bugs = 0;
}

void wedr_source_registered(enum wedr_callback which, NTSTATUS status)
{
    InterlockedExchange(&sources[which].status, status);
    InterlockedExchange(&sources[which].state,
                        NT_SUCCESS(status) ? WEDR_CALLBACK_ACTIVE : WEDR_CALLBACK_FAILED);
}

void wedr_source_absent(enum wedr_callback which)
{
    InterlockedExchange(&sources[which].status, STATUS_PROCEDURE_NOT_FOUND);
    InterlockedExchange(&sources[which].state, WEDR_CALLBACK_ABSENT);
}

bool wedr_source_is_active(enum wedr_callback which)
{
    return WEDR_READ(&sources[which].state) == WEDR_CALLBACK_ACTIVE;
}

bool wedr_source_stop(enum wedr_callback which)
{
    return InterlockedCompareExchange(&sources[which].state, WEDR_CALLBACK_STOPPED,
                                      WEDR_CALLBACK_ACTIVE) == WEDR_CALLBACK_ACTIVE;
}

void wedr_source_call(enum wedr_callback which)
{
    InterlockedIncrement64(&sources[which].calls);
}

void wedr_source_count(enum wedr_callback which, bool queued)
{
    InterlockedIncrement64(queued ? &sources[which].events : &sources[which].failed);
}

void wedr_source_bug(void)
{
    InterlockedIncrement64(&bugs);
}

uint64_t wedr_source_bugs(void)
{
    return (uint64_t)WEDR_READ(&bugs);
}

static uint64_t read_counter(const volatile LONG64 *counter)
{
    return (uint64_t)WEDR_READ(counter);
}

void wedr_source_stats(struct wedr_ioctl_stats *s, uint32_t classes)
{
    for (unsigned i = 0; i < WEDR_CALLBACK_COUNT; i++) {
        struct source *from = &sources[i];
        LONG state = WEDR_READ(&from->state);

        if (state == WEDR_CALLBACK_ACTIVE && (classes & classes_of[i]) == 0) {
            state = WEDR_CALLBACK_FILTERED;
        }
        s->callback[i].state = (uint8_t)state;
        s->callback[i].status = WEDR_READ(&from->status);
        s->callback[i].calls = read_counter(&from->calls);
        s->callback[i].events = read_counter(&from->events);
        s->callback[i].failed = read_counter(&from->failed);
    }
}

#ifdef WEDR_DRIVER_CHECKED
#    ifndef WEDR_NTSIM
void wedr_checked_failed(const char *function, int line)
{
    UNREFERENCED_PARAMETER(function);
    UNREFERENCED_PARAMETER(line);
    wedr_source_bug();
}
#    endif
#endif
