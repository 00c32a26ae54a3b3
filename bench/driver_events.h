/* SPDX-License-Identifier: Apache-2.0
 *
 * bench/driver_events.h — the events that the driver's benchmark fires, with strings as long as
 * those of a usual Windows machine. */
#pragma once

#include "ntsim.h"

enum driver_kind {
    DRIVER_PROCESS_CREATE,
    DRIVER_PROCESS_EXIT,
    DRIVER_IMAGE,
    DRIVER_REGISTRY_SET,   /* a value of a watched key, 120 bytes of data */
    DRIVER_REGISTRY_OTHER, /* of a key that is not watched: makes no record */
    DRIVER_REGISTRY_QUERY, /* an operation that no driver of ours looks at: makes no record */
    DRIVER_THREAD_CREATE,
    DRIVER_THREAD_EXIT,
    DRIVER_HANDLE,       /* rights that matter, on a stranger */
    DRIVER_HANDLE_OTHER, /* a mask without them: makes no record */
    DRIVER_KINDS
};
extern const char *const driver_kind_name[DRIVER_KINDS];

/* What one producing thread needs; its own, so that producers do not meet in the simulator. */
struct driver_producer {
    struct ntsim_process *self, *child, *stranger;
    struct ntsim_thread *thread;
    struct ntsim_key *watched, *other;
};
/* Before the load. number: 0, 1, ... */
void driver_producer_init(struct driver_producer *p, unsigned number);
/* In the thread that will fire. */
void driver_producer_enter(struct driver_producer *p);
void driver_fire(struct driver_producer *p, enum driver_kind kind, uint64_t n);
/* Number n of a mix of twenty: 8 images, 4 threads created, 4 handles, 2 registry values, a process
 * created and one that ends. */
void driver_fire_mix(struct driver_producer *p, uint64_t n);
