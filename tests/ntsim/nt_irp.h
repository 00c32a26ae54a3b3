/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/ntsim/nt_irp.h — the record of a request, between nt_irp.c and nt_cancel.c. */
#pragma once

#include "nt_sim.h"

struct ntsim_irp {
    struct ntsim_irp *next; /* of the bucket, while the IRP lives */
    struct ntsim_irp *next_all, *prev_all;
    PIRP irp; /* NULL once completed */
    void *buffer;
    size_t buffer_len, out_len;
    struct ntsim_file *file;
    struct ntsim_thread *thread;
    atomic_bool done;
    bool marked; /* IoMarkIrpPending was seen at completion */
    bool in_dispatch;
    PDRIVER_CANCEL due;     /* cancel routine taken and not finished */
    const void *cancelling; /* thread that runs it */
    PDEVICE_OBJECT device;
    NTSTATUS status;
    uint64_t information;
    uint8_t *out;
    size_t out_bytes;
};

/* All records, and what is in them: under SIM_LOCK_IRP. */
extern struct ntsim_irp *sim_irps;
/* The record of an IRP that is not completed; NULL. The lock is held; irp is not looked into. */
struct ntsim_irp *sim_irp_find(const void *irp);
