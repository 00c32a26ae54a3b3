/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/fuzz/fuzz_driver_support.h — what the fuzz targets of the Windows driver share: one loaded
 * driver for many inputs, the input read as a script, texts made from it, and the ledger that every
 * record and every GET_STATS is held against. Whatever does not add up aborts.
 */
#pragma once

#include "ntsim.h"
#include "wedr/wire/decode.h"
#include "wedr/wire/ioctl.h"

void fd_require(bool ok, const char *what);
#define FD_REQUIRE(x) fd_require((x), #x)

/* ---- the input --------------------------------------------------------------------------------
 */

/* Behind its end there are zeroes. */
struct fd_in {
    const uint8_t *p;
    size_t len;
};
/* Before each input; fd_begin does it. */
void fd_input_begin(bool is_heavy);
uint8_t fd_u8(struct fd_in *in);
uint16_t fd_u16(struct fd_in *in);
uint32_t fd_u32(struct fd_in *in);
uint64_t fd_u64(struct fd_in *in);
/* Up to max bytes as they are; how many is in the input too. */
struct wedr_span fd_bytes(struct fd_in *in, size_t max);

/* A text: absent, without a buffer, of odd length, empty, usual, long up to 65535 bytes, with NULs
 * or halves of surrogate pairs. It lives in slot (0 .. 7) until the slot is used again. */
struct ntsim_text fd_text(struct fd_in *in, unsigned slot);
/* One of the usual texts, by number. */
struct ntsim_text fd_usual(unsigned number);

/* ---- the driver --------------------------------------------------------------------------------
 */

/* Processes that are there from the load on, besides System (pid 4). */
#define FD_PIDS 3u
extern const uint64_t fd_pid[FD_PIDS];
extern struct ntsim_process *fd_process[FD_PIDS];
extern struct ntsim_thread *fd_thread[FD_PIDS];
/* Keys: one that is watched, one that is not, one without a name. */
#define FD_KEYS 3u
extern struct ntsim_key *fd_key[FD_KEYS];

/* Before an input: loads the driver when it is not loaded. Every so often, and at exit, it is
 * unloaded and what it left is looked at. The first byte of the input is taken: with FD_HEAVY texts
 * may be long enough to fill a lane and requests many enough to reach their bound, which costs as
 * much as a hundred other inputs. */
#define FD_HEAVY 0xe9u
void fd_begin(struct fd_in *in);
bool fd_heavy(void);
/* After an input: no hook, no fault, System is current, IRQL is passive; the rings are emptied
 * through f, the filter is the default again; everything must add up. */
void fd_end(struct ntsim_file *f);

/* A handle that stays open from input to input, for a target that needs no more. */
struct ntsim_file *fd_session(void);

/* An event without surprises; kind: any number. big: with the longest command line there is,
 * if the input is heavy. At an IRQL where that event cannot be: nothing. */
void fd_event(unsigned kind, bool big);

/* ---- the ledger
 * ---------------------------------------------------------------------------------- */

/* Every record that came out of a request: whole, valid, on the right lane, never seen before.
 * batch false: exactly one. */
void fd_records(const uint8_t *p, size_t len, bool batch);
/* The record that fd_records saw last; its bytes are still where they were. */
extern struct wedr_event_view fd_last;
/* Records in the last call of fd_records. */
extern unsigned fd_last_count;

/* GET_STATS through f, checked. ret may be NULL. */
void fd_stats(struct ntsim_file *f, struct wedr_ioctl_stats *ret);
/* Takes what is queued. */
void fd_drain(struct ntsim_file *f);

/* The bytes of a filter in mem (WEDR_FILTER_MAX of them); how many. Prefixes from the input. */
size_t fd_filter(struct fd_in *in, uint8_t *mem);
int32_t fd_set_filter(struct ntsim_file *f, const uint8_t *p, size_t len);
