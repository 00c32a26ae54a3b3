/* SPDX-License-Identifier: Apache-2.0 */
#include "nt_direct.h"

#include "evq.h"
#include "mem.h"
#include "nt_sim.h"
#include "tags.h"
#include <string.h>

static PDRIVER_DISPATCH original;

static NTSTATUS NTAPI without_file(PDEVICE_OBJECT device, PIRP irp)
{
    IoGetCurrentIrpStackLocation(irp)->FileObject = NULL;
    return original(device, irp);
}

/* Completed, since nothing parks for nobody. */
static int32_t result_of(struct ntsim_irp *r)
{
    int32_t status = ntsim_irp_status(r);

    ntsim_irp_free(r);
    return status;
}

int32_t direct_without_file(struct ntsim_file *f, unsigned major)
{
    struct ntsim_irp *r;
    int32_t status;

    original = sim_driver.MajorFunction[major];
    sim_driver.MajorFunction[major] = without_file;
    r = ntsim_major_start(f, major, &status);
    sim_driver.MajorFunction[major] = original;
    return result_of(r);
}

int32_t direct_control_without_file(struct ntsim_file *f, uint32_t code, size_t out_len)
{
    struct ntsim_irp *r;
    int32_t status;

    original = sim_driver.MajorFunction[IRP_MJ_DEVICE_CONTROL];
    sim_driver.MajorFunction[IRP_MJ_DEVICE_CONTROL] = without_file;
    r = ntsim_ioctl_start(f, code, NULL, 0, out_len, &status);
    sim_driver.MajorFunction[IRP_MJ_DEVICE_CONTROL] = original;
    return result_of(r);
}

/* Leaves something where the variables of the next call will lie; the address sanitizer would keep
 * a clean zone above it. */
__attribute__((noinline, no_sanitize_address)) static void soil_stack(void)
{
    volatile UCHAR soil[4096];

    for (size_t i = 0; i < sizeof(soil); i++) {
        soil[i] = 0xa7;
    }
}

static NTSTATUS NTAPI soiled(PDEVICE_OBJECT device, PIRP irp)
{
    soil_stack();
    irp->IoStatus.Status = STATUS_UNSUCCESSFUL;
    irp->IoStatus.Information = 3;
    return original(device, irp);
}

void direct_soil_results(void)
{
    original = sim_driver.MajorFunction[IRP_MJ_DEVICE_CONTROL];
    sim_driver.MajorFunction[IRP_MJ_DEVICE_CONTROL] = soiled;
}

void *direct_new(size_t count, size_t size)
{
    return wedr_mem_new(count, size, WEDR_TAG_SETTINGS);
}

void direct_free(void *p)
{
    wedr_mem_free(p, WEDR_TAG_SETTINGS);
}

void direct_push(uint8_t lane, size_t len, uint64_t mark, uint32_t cuts)
{
    struct wedr_windows_module_load e;
    uint8_t *record = sim_zalloc(len);

    memset(&e, 0, sizeof(e));
    e.h.version = WEDR_WIRE_VERSION;
    e.h.type = WEDR_EV_MODULE_LOAD;
    e.h.size = (uint32_t)len;
    e.h.fixed_size = sizeof(e);
    e.h.os = WEDR_OS_WINDOWS;
    e.h.stream = lane == WEDR_LANE_BULK ? WEDR_STREAM_BULK : WEDR_STREAM_CRITICAL;
    e.image_base = mark;
    memcpy(record, &e, sizeof(e));
    wedr_evq_push(record, len, lane, cuts);
    sim_free(record);
}

uint32_t direct_lane_bytes(uint8_t lane)
{
    return wedr_evq_lane_bytes(lane);
}

void direct_lose(uint8_t lane)
{
    wedr_evq_lose(lane);
}
