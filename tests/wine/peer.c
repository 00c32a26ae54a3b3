/* SPDX-License-Identifier: Apache-2.0
 * tests/wine/peer.c — a driver that does nothing: loading it makes Wine's own image load event. */
#include <intrin.h>
#define InterlockedBitTestAndSet peer_ddk_bit_test_and_set
#define InterlockedBitTestAndReset peer_ddk_bit_test_and_reset
#include <ntifs.h>

DRIVER_INITIALIZE DriverEntry;

static VOID NTAPI unload(PDRIVER_OBJECT driver)
{
    UNREFERENCED_PARAMETER(driver);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING key)
{
    UNREFERENCED_PARAMETER(key);
    driver->DriverUnload = unload;
    return STATUS_SUCCESS;
}
