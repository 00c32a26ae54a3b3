/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/ntsim/tiny_driver.h — between tiny_driver.c and tiny_sins.c. */
#pragma once

#include "nt_sim.h"
#include "tiny.h"

NTSTATUS tiny_complete(PIRP irp, NTSTATUS status, ULONG_PTR len);
PLARGE_INTEGER tiny_cookie(void);
NTSTATUS tiny_ob_register(USHORT version, USHORT count, PVOID *ret_handle);
NTSTATUS tiny_cm_register(PCWSTR altitude, PLARGE_INTEGER ret_cookie);
void tiny_callback_twice(void);

bool tiny_sin_of_irp(ULONG command);
NTSTATUS tiny_sin_with_irp(ULONG command, PIRP irp);
void tiny_sin_at_once(ULONG command);
