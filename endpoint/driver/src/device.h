/* SPDX-License-Identifier: Apache-2.0
 * endpoint/driver/src/device.h — the device \Device\WazabiEDR, who may open it, and its requests
 * (wedr/wire/ioctl.h). One handle at a time; SYSTEM and Administrators only. */
#pragma once

#include "boot.h"
#include "nt.h"

/* Makes the device with its access list and fills the dispatch table. Nobody can open it yet. Fails
 * with the status of whatever failed, undone: no device is better than an open one. IRQL PASSIVE.
 */
NTSTATUS wedr_device_init(PDRIVER_OBJECT driver, const struct wedr_boot *boot);
/* Makes the name \DosDevices\WazabiEDR and lets requests in. */
NTSTATUS wedr_device_publish(void);
/* Takes the name away; NULL-safe, also after a failed publish. */
void wedr_device_unpublish(void);
void wedr_device_fini(void);
