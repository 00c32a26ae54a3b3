/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/ntsim/driver_expect.h — whole records: a test says what each field of a record must be, and
 * no field may be left out. Sequence numbers, the count of cut strings, time, lane and sizes of the
 * header are checked along with it, for every record that a test reads. */
#pragma once

#include "driver_fixture.h"

/* ---- what a record must hold ------------------------------------------------------------------
 */

enum want_kind { WANT_NUMBER, WANT_TEXT, WANT_BYTES };
struct want {
    const char *field;
    enum want_kind kind;
    uint64_t number;        /* a signed one as its 32 bits */
    struct ntsim_text text; /* bytes, too; empty: flags alone */
    unsigned flags;         /* without WEDR_SF_UTF16, which each text that is not empty has */
};
#define WANTS_MAX 16u
struct wants {
    uint16_t type; /* WEDR_EV_* */
    uint8_t lane;
    uint16_t flags; /* WEDR_EVF_* */
    unsigned count;
    struct want want[WANTS_MAX];
};

/* Sets a field, or adds it. */
void want_number(struct wants *w, const char *field, uint64_t number);
void want_text(struct wants *w, const char *field, struct ntsim_text text, unsigned flags);
void want_bytes(struct wants *w, const char *field, const void *p, size_t len, unsigned flags);
void want_nothing(struct wants *w, const char *field, unsigned flags);

/* For DRIVER_TEST's place: the counters below begin anew, the driver is loaded with small lanes and
 * its device open. *state is the file. */
int expect_setup(void **state);
/* The same, nothing is loaded: expect_start does it later. */
int expect_setup_unloaded(void **state);
struct ntsim_file *expect_start(void);
#define EXPECT_TEST(f) cmocka_unit_test_setup_teardown(f, expect_setup, driver_teardown)
#define EXPECT_TEST_UNLOADED(f) \
    cmocka_unit_test_setup_teardown(f, expect_setup_unloaded, driver_teardown)

/* Reads one record, which must be this one. */
void expect_record(struct ntsim_file *f, const struct wants *w);
/* Reads one record of that type and lane and checks its header alone. */
void expect_some(struct ntsim_file *f, uint16_t type, uint8_t lane);
/* No record is waiting. */
void expect_none(struct ntsim_file *f);
/* A record of that lane was lost without a trace in the queue: its seq is missing from now on. */
void expect_hole(uint8_t lane);

/* Counters of a source, exactly. */
void expect_source(
    struct ntsim_file *f, unsigned source, uint64_t calls, uint64_t events, uint64_t failed);
/* Records left out by the filter, by lane, and strings cut. */
void expect_filtered(struct ntsim_file *f, uint64_t critical, uint64_t bulk);
void expect_truncated(struct ntsim_file *f, uint64_t critical, uint64_t bulk);

/* ---- text -------------------------------------------------------------------------------------
 */

/* Of ASCII; lives until the 16th call after this one. */
struct ntsim_text text_of(const char *ascii);
/* The two, one behind the other; the same life. */
struct ntsim_text text_joined(struct ntsim_text a, struct ntsim_text b);
/* bytes of unit; the same life. An odd length is handed on. */
struct ntsim_text text_filled(uint16_t unit, size_t bytes);

/* ---- the machine ------------------------------------------------------------------------------
 */

#define CREATOR_PID 600u
#define CREATOR_TID 604u
/* A process, not announced, with one thread of tid pid + 4. */
struct ntsim_thread *thread_of(struct ntsim_process *p);
