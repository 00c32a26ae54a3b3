/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/ntsim/nt_direct.h — what a test cannot reach through the simulated kernel: requests that no
 * I/O manager builds, and the queue without a callback in front of it. */
#pragma once

#include "ntsim.h"

/* A request of that major function whose stack location names no file object; its status. */
int32_t direct_without_file(struct ntsim_file *f, unsigned major);
/* The same for a control code with room for out_len bytes, which must be completed at once. */
int32_t direct_control_without_file(struct ntsim_file *f, uint32_t code, size_t out_len);
/* From now on until the driver is loaded again, control requests come with something in the fields
 * of their result, and find something on the stack. */
void direct_soil_results(void);

/* The driver's allocator. */
void *direct_new(size_t count, size_t size);
void direct_free(void *p);

/* Puts a module_load record of len bytes (at least 88) with image_base `mark` into a lane, with
 * that many strings cut. May be called at DISPATCH. */
void direct_push(uint8_t lane, size_t len, uint64_t mark, uint32_t cuts);
/* Bytes of the lane's arena; GET_VERSION says that of the first alone. */
uint32_t direct_lane_bytes(uint8_t lane);
/* A record of that lane that could not be made. */
void direct_lose(uint8_t lane);
