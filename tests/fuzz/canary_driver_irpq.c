/* SPDX-License-Identifier: Apache-2.0
 * tests/fuzz/canary_driver_irpq.c — the driver's queue of parked requests with one fault, to see
 * that fuzzing finds it. WEDR_FUZZ_CANARY 1: one request too many may wait. 2: a request is taken
 * although its cancel routine is about to run. */
#include "irpq.h"

#if WEDR_FUZZ_CANARY == 1
#    undef WEDR_IRPQ_MAX
#    define WEDR_IRPQ_MAX 65u
#else
static PDRIVER_CANCEL canary_set(PIRP irp, PDRIVER_CANCEL routine)
{
    PDRIVER_CANCEL old = IoSetCancelRoutine(irp, routine);

    return routine ? old : old ? old : (PDRIVER_CANCEL)canary_set;
}
#    undef IoSetCancelRoutine
#    define IoSetCancelRoutine canary_set
#endif

#include "../../endpoint/driver/src/irpq.c"
