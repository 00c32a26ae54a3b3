/* SPDX-License-Identifier: Apache-2.0
 * endpoint/driver/src/main.c — the driver's life on one screen. The queue and the tables stand
 * before the sources that fill them, the device's name comes last; the way down is the way up
 * reversed. */
#include "boot.h"
#include "device.h"
#include "evq.h"
#include "kapi.h"
#include "kfilter.h"
#include "proctab.h"
#include "settings.h"
#include "source.h"
#include "sources.h"
#include "stage.h"

DRIVER_INITIALIZE DriverEntry;

static void start_sources(PDRIVER_OBJECT driver, const struct wedr_settings *settings)
{
    wedr_src_process_start();
    wedr_inventory_run();
    wedr_src_image_start();
    wedr_src_registry_start(driver, settings);
    wedr_src_thread_start();
    wedr_src_handle_start(settings);
}

static void stop_sources(void)
{
    wedr_src_handle_stop();
    wedr_src_thread_stop();
    wedr_src_registry_stop();
    wedr_src_image_stop();
    wedr_src_process_stop();
}

static VOID NTAPI on_unload(PDRIVER_OBJECT driver)
{
    WEDR_IRQL_MAX(PASSIVE_LEVEL);
    UNREFERENCED_PARAMETER(driver);
    wedr_device_unpublish();
    stop_sources();
    wedr_evq_close();
    wedr_device_fini();
    wedr_proctab_fini();
    wedr_stage_fini();
    wedr_evq_fini();
    wedr_kfilter_fini();
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING service_key)
{
    WEDR_IRQL_MAX(PASSIVE_LEVEL);
    struct wedr_settings settings;
    struct wedr_boot boot;
    NTSTATUS status;

    wedr_kapi_init();
    wedr_source_init();
    wedr_kfilter_init();
    wedr_settings_read(service_key, &settings);
    wedr_boot_read(service_key, &boot);
    status = wedr_evq_init(settings.critical_bytes, settings.bulk_bytes);
    if (!NT_SUCCESS(status)) {
        goto undo_filter;
    }
    status = wedr_stage_init();
    if (!NT_SUCCESS(status)) {
        goto undo_evq;
    }
    status = wedr_proctab_init();
    if (!NT_SUCCESS(status)) {
        goto undo_stage;
    }
    status = wedr_device_init(driver, &boot);
    if (!NT_SUCCESS(status)) {
        goto undo_proctab;
    }
    start_sources(driver, &settings);
    status = wedr_device_publish();
    if (!NT_SUCCESS(status)) {
        goto undo_sources;
    }
    driver->DriverUnload = on_unload;
    return STATUS_SUCCESS;

undo_sources:
    stop_sources();
    wedr_device_fini();
undo_proctab:
    wedr_proctab_fini();
undo_stage:
    wedr_stage_fini();
undo_evq:
    wedr_evq_fini();
undo_filter:
    wedr_kfilter_fini();
    return status;
}
