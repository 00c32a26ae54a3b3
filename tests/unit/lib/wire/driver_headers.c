/* SPDX-License-Identifier: Apache-2.0
 * The headers of lib/wire as the Windows driver's compiler sees them: packing must not depend on
 * the compiler. */
#include "wedr/wire/event.h"
#include "wedr/wire/ioctl.h"

_Static_assert(sizeof(struct wedr_ip) == 17, "packed");
_Static_assert(sizeof(struct wedr_windows_process_create) == 125, "packed");
_Static_assert(sizeof(struct wedr_windows_process_terminate) == 64, "packed");
_Static_assert(sizeof(struct wedr_windows_registry_write) == 114, "packed");
_Static_assert(sizeof(struct wedr_windows_network_connect) == 100, "packed");
_Static_assert(sizeof(struct wedr_linux_process_create) == 328, "packed");
_Static_assert(sizeof(struct wedr_linux_process_terminate) == 93, "packed");
