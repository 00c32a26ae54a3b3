/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/ntsim/nt_rtl.c — strings, the clock, and the table of exported functions. */
#include "nt_sim.h"

static _Atomic int64_t now = NTSIM_TIME;

/* ---- strings between test and driver ------------------------------------------------------------
 */

PUNICODE_STRING sim_string_init(struct sim_string *s, struct ntsim_text t)
{
    s->block = NULL;
    if (!t.present) {
        return NULL;
    }
    if (t.units) {
        s->block = sim_paged_dup(t.units, t.len);
    }
    s->us.Length = t.len;
    s->us.MaximumLength = t.len;
    s->us.Buffer = s->block;
    return &s->us;
}

void sim_string_fini(struct sim_string *s)
{
    sim_paged_free(s->block);
    s->block = NULL;
}

struct ntsim_text sim_text_of(PCUNICODE_STRING s)
{
    return s ? NTSIM_BYTES(s->Buffer, s->Length) : NTSIM_NULL;
}

/* ---- Rtl
 * ------------------------------------------------------------------------------------------ */

VOID NTAPI RtlInitUnicodeString(PUNICODE_STRING to, PCWSTR from)
{
    SIM_ENTER(RtlInitUnicodeString);
    size_t n = 0;

    while (from && from[n] != 0) {
        n++;
    }
    to->Length = (USHORT)(n * sizeof(WCHAR));
    to->MaximumLength = from ? (USHORT)((n + 1) * sizeof(WCHAR)) : 0;
    to->Buffer = (PWSTR)(ULONG_PTR)from;
}

/* Above APC the table may be paged out. */
WCHAR NTAPI RtlUpcaseUnicodeChar(WCHAR c)
{
    SIM_ENTER(RtlUpcaseUnicodeChar);
    return sim_upcase(c);
}

BOOLEAN NTAPI RtlEqualUnicodeString(PCUNICODE_STRING a, PCUNICODE_STRING b, BOOLEAN fold)
{
    SIM_ENTER(RtlEqualUnicodeString);
    if (fold) {
        return sim_text_equal(sim_text_of(a), sim_text_of(b));
    }
    return a->Length == b->Length && memcmp(a->Buffer, b->Buffer, a->Length) == 0;
}

/* ---- the clock
 * -------------------------------------------------------------------------------------- */

void ntsim_set_time(int64_t t)
{
    atomic_store(&now, t);
}

int64_t ntsim_time(void)
{
    return atomic_load(&now);
}

void ntsim_query_system_time(PLARGE_INTEGER ret_time)
{
    ret_time->QuadPart = atomic_load(&now);
}

ULONGLONG ntsim_query_interrupt_time(void)
{
    return (ULONGLONG)(atomic_load(&now) - NTSIM_TIME);
}

VOID NTAPI KeQuerySystemTimePrecise(PLARGE_INTEGER ret_time)
{
    SIM_ENTER(KeQuerySystemTimePrecise);
    ret_time->QuadPart = atomic_load(&now);
}

/* ---- the export table
 * --------------------------------------------------------------------------------- */

#undef ExFreePool
#undef KeReleaseSpinLock
#undef KeAcquireSpinLockAtDpcLevel
#undef KeReleaseSpinLockFromDpcLevel
static void (*const exports[])(void) = {
#define CALL(name, irql, fails) (void (*)(void))(ULONG_PTR) name,
#define CALL_DONE CALL
#include "calls.def"
#undef CALL
#undef CALL_DONE
};

PVOID NTAPI MmGetSystemRoutineAddress(PUNICODE_STRING name)
{
    SIM_ENTER(MmGetSystemRoutineAddress);
    if (SIM_FAULT(MmGetSystemRoutineAddress)) {
        return NULL;
    }
    for (unsigned i = 0; i < sizeof(exports) / sizeof(exports[0]); i++) {
        if (sim_text_is_ascii(sim_text_of(name), sim_calls[i].name)) {
            return atomic_load(&sim_calls[i].hidden) ? NULL : (PVOID)(ULONG_PTR)exports[i];
        }
    }
    return NULL;
}
