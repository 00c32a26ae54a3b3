/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/ntsim/nt_probe.h — the driver's inner modules in plain C, for tests that look at one of
 * them alone. nt_probe.c sees the NT headers and hands everything on. */
#pragma once

#include "ntsim.h"

/* ---- proctab ----------------------------------------------------------------------------------
 */

#define PROBE_PROCTAB_MAX 8192u

/* struct wedr_proc. */
struct probe_proc {
    uint64_t key;
    uint32_t pid, creator_pid, creator_tid, first_tid;
    bool existing, thread_opened;
};

int32_t probe_proctab_init(void);
void probe_proctab_fini(void);
bool probe_proctab_add(const struct probe_proc *p, bool replace);
/* *ret is left alone when the answer is false. */
bool probe_proctab_find(uint32_t pid, struct probe_proc *ret);
/* ret may be NULL, and is handed on as NULL. */
bool probe_proctab_remove(uint32_t pid, struct probe_proc *ret);
bool probe_proctab_first_thread(uint32_t pid, uint32_t tid);
bool probe_proctab_creation_thread_handle(uint32_t pid,
                                          uint32_t tid,
                                          uint32_t creator_pid,
                                          uint32_t creator_tid);
void probe_proctab_set_complete(void);
bool probe_proctab_is_complete(void);
uint32_t probe_proctab_count(void);
uint64_t probe_proctab_untracked(void);

/* ---- keypath, regwatch ------------------------------------------------------------------------
 */

/* The two pieces of a name; NTSIM_NULL becomes a NULL pointer. */
bool probe_keypath_below(struct ntsim_text prefix, struct ntsim_text root, struct ntsim_text leaf);
size_t probe_keypath_match(const char *pattern,
                           struct ntsim_text root,
                           struct ntsim_text leaf,
                           size_t from);
size_t probe_keypath_units(struct ntsim_text root, struct ntsim_text leaf);
bool probe_regwatch_has(struct ntsim_text root, struct ntsim_text leaf);

/* ---- procinfo ---------------------------------------------------------------------------------
 */

#define PROBE_SID_TEXT_MAX 183u /* units */
/* Bytes written into ret; sid has len bytes, and they lie in a block of exactly that size. */
uint16_t probe_sid_text(const void *sid, size_t len, uint16_t ret[PROBE_SID_TEXT_MAX]);
/* What is not filled stays 0xee. */
struct probe_token {
    uint32_t integrity;
    bool elevated;
    uint16_t sid_len;
};
void probe_token(struct ntsim_process *p, struct probe_token *ret);

/* ---- rec --------------------------------------------------------------------------------------
 */

#define PROBE_REC_PARTS_MAX 9u
#define PROBE_REC_PATH_MAX 8190u
#define PROBE_REC_COMMAND_MAX 65534u
#define PROBE_REC_NAME_MAX 1024u

/* One record at a time. It is filled with 0xee before it begins, so that what is not zeroed shows.
 * Texts and bytes are borrowed until the push. ref: offset of a string reference in the fixed part.
 */
void probe_rec_begin(uint16_t type, uint16_t fixed_len, uint8_t lane);
void probe_rec_set_lane(uint8_t lane);
void probe_rec_set_u16(size_t at, uint16_t value);
void probe_rec_text(size_t ref, struct ntsim_text s, size_t max);
void probe_rec_joined(size_t ref, struct ntsim_text root, struct ntsim_text leaf, size_t max);
void probe_rec_bytes(size_t ref, const void *p, size_t len, size_t whole);
void probe_rec_unreadable(size_t ref);
bool probe_rec_push(void);
uint32_t probe_rec_len(void);
uint32_t probe_rec_cuts(void);
unsigned probe_rec_parts(void);

/* ---- stage ------------------------------------------------------------------------------------
 */

#define PROBE_STAGE_SMALL 4096u
#define PROBE_STAGE_SMALL_COUNT 64u
#define PROBE_STAGE_LARGE 86016u
#define PROBE_STAGE_LARGE_COUNT 16u

uint8_t *probe_stage_claim(size_t len);
void probe_stage_release(uint8_t *place);

/* ---- handles ---- */

enum probe_type { PROBE_PROCESS, PROBE_THREAD, PROBE_OTHER_TYPE };
/* Calls the driver's callback with that type and OB_OPERATION bits for the object p (or t), all
 * rights asked for; what it returned. */
int32_t probe_fire_handle(enum probe_type type,
                          uint32_t operation,
                          struct ntsim_process *p,
                          struct ntsim_thread *t);
