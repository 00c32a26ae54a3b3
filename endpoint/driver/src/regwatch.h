/* SPDX-License-Identifier: Apache-2.0
 * endpoint/driver/src/regwatch.h — the registry keys whose changes start code, or switch defences
 * off, and are therefore always reported. */
#pragma once

#include "keypath.h"

/* Is the key one of them, or below one? name is a full path from \REGISTRY on, as the configuration
 * manager gives it: control sets carry their real numbers there. A path that was never resolved,
 * with CurrentControlSet in it, matches as well. IRQL <= APC. */
bool wedr_regwatch_has(const struct wedr_keyname *name);
