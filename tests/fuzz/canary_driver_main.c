/* SPDX-License-Identifier: Apache-2.0
 * tests/fuzz/canary_driver_main.c — the driver's entry with one fault, to see that fuzzing finds
 * it: when the load fails, one module is not undone. */
#include "nt.h"
#include "stage.h"

static void canary_stage_fini(const DRIVER_OBJECT *driver)
{
    if (driver->DriverUnload) {
        wedr_stage_fini();
    }
}
#define wedr_stage_fini() canary_stage_fini(driver)

#include "../../endpoint/driver/src/main.c"
