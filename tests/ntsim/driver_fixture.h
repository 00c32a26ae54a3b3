/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/ntsim/driver_fixture.h — what the tests of the driver share: a loaded driver with its
 * device open, records read through it and decoded by the project's own decoder, processes to fire
 * events with, statistics that must add up. Whatever goes wrong here fails the calling test. */
#pragma once

#include "ntsim.h"
#include "wedr/wire/decode.h"
#include "wedr/wire/ioctl.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* ---- set-up -----------------------------------------------------------------------------------
 */

#define DRIVER_TEST_SECONDS 5u /* a test that hangs is killed after so long */
#define DRIVER_PARAMETERS NTSIM_TEXT(NTSIM_SERVICE u"\\Parameters")
#define DRIVER_BOOT_KEY NTSIM_TEXT(NTSIM_SERVICE u"\\Boot")
#define DRIVER_DEVICE NTSIM_TEXT(u"\\Device\\WazabiEDR")
#define DRIVER_LINK NTSIM_TEXT(u"\\DosDevices\\WazabiEDR")

/* For cmocka_unit_test_setup_teardown. setup: a fresh machine, nothing loaded, and System left out
 * of the inventory, so that the queue of a loaded driver is empty. teardown: closes the handle of
 * driver_open, unloads, checks that the driver holds no pool, reference or handle any more. */
int driver_setup(void **state);
int driver_teardown(void **state);
/* The seconds of the time limit of the running test from now on. */
void driver_time_limit(unsigned seconds);

#define DRIVER_TEST(f) cmocka_unit_test_setup_teardown(f, driver_setup, driver_teardown)

/* DriverEntry, which must succeed. */
void driver_load(void);
/* Opens the device, which must succeed. The file is closed by teardown, driver_close or
 * driver_unload. One at a time. */
struct ntsim_file *driver_open(void);
/* Load, then open. */
struct ntsim_file *driver_start(void);
void driver_close(void);  /* CLEANUP and CLOSE of that file; nothing when none is open */
void driver_unload(void); /* driver_close, DriverUnload, nothing left */

/* The lanes' arenas, before the load. */
void driver_set_lanes(uint32_t critical_bytes, uint32_t bulk_bytes);

/* ---- records ----------------------------------------------------------------------------------
 */

struct driver_event {
    struct wedr_event_view v; /* v.h: the header; v.rec: the bytes */
    uint8_t *bytes;
};

/* Decodes a record; bytes are copied. */
struct driver_event driver_event_of(const uint8_t *p, size_t len);
void driver_event_free(struct driver_event *e);

/* One GET_EVENT that must be answered at once. */
struct driver_event driver_read(struct ntsim_file *f);
/* The same, and checks the type (WEDR_EV_*). */
struct driver_event driver_read_type(struct ntsim_file *f, uint16_t type);
/* A completed GET_EVENT or GET_EVENTS: success and exactly one record, which is decoded; frees the
 * request. */
struct driver_event driver_take(struct ntsim_irp *r);
/* One GET_EVENT that parks; take it with driver_take or cancel it with driver_cancel. */
struct ntsim_irp *driver_park(struct ntsim_file *f);
struct ntsim_irp *driver_park_code(struct ntsim_file *f, uint32_t code);
/* A routine was due, the request ends STATUS_CANCELLED with Information 0 and is freed. */
void driver_cancel(struct ntsim_irp *r);
/* A request that was completed with that status and Information; freed. */
void driver_expect(struct ntsim_irp *r, int32_t status, uint64_t information);

/* GET_EVENTS with an output buffer of out_len bytes: decodes up to max records, returns how many
 * there were (0: the queue is empty). */
#define DRIVER_BATCH_MAX 4200u
size_t
driver_read_batch(struct ntsim_file *f, size_t out_len, struct driver_event *ret, size_t max);
/* Reads until the queue is empty; how many records. */
size_t driver_drain(struct ntsim_file *f);
/* The queue is empty and nothing is parked (looked up in the statistics: no request is made). */
void driver_expect_empty(struct ntsim_file *f);

/* Fields by name. */
uint64_t driver_uint(const struct driver_event *e, const char *field);
/* The UTF-16 text and exactly these flags (WEDR_SF_UTF16 is added for a text that is not empty). */
void driver_expect_text(const struct driver_event *e,
                        const char *field,
                        struct ntsim_text want,
                        unsigned flags);
/* Empty, with these flags exactly. */
void driver_expect_no_text(const struct driver_event *e, const char *field, unsigned flags);
void driver_expect_bytes(
    const struct driver_event *e, const char *field, const void *want, size_t len, unsigned flags);

/* ---- events -----------------------------------------------------------------------------------
 */

/* pid, its parent, start key DRIVER_KEY(pid), created at NTSIM_TIME + pid, session 1, integrity
 * 0x2000, not elevated, image DRIVER_IMAGE. Not announced. */
#define DRIVER_KEY(pid) (UINT64_C(0x7700000000000000) | (pid))
#define DRIVER_IMAGE u"\\Device\\HarddiskVolume3\\Windows\\System32\\notepad.exe"
struct ntsim_process *driver_process(uint64_t pid, uint64_t parent_pid);
/* Announces its creation by the current thread with this command line. */
void driver_fire_start(struct ntsim_process *p, struct ntsim_text command_line);

/* 64 bytes in the critical lane: the end of p, which need not have been announced. p lives on. */
#define DRIVER_SMALL 64u
void driver_fire_exit(struct ntsim_process *p);
/* 64 bytes in the bulk lane: the end of a thread. */
void driver_fire_thread_exit(uint64_t pid, uint64_t tid);
/* An image load, in the bulk lane (kernel: in the critical one), whose record has exactly `size`
 * bytes: DRIVER_IMAGE_FIXED with an empty name, more by 2 for each unit, at most 8190 bytes of
 * name. image_base is `mark`. */
#define DRIVER_IMAGE_FIXED ((size_t)sizeof(struct wedr_windows_module_load))
#define DRIVER_IMAGE_LONGEST (DRIVER_IMAGE_FIXED + 8190u)
void driver_fire_image(uint64_t pid, bool kernel, uint64_t mark, size_t size);
/* A process creation whose record has a command line of len bytes of 'c'. */
void driver_fire_start_long(struct ntsim_process *p, size_t len);

/* ---- statistics -------------------------------------------------------------------------------
 */

/* Checked: sizes, versions, reserved parts 0, bugs 0, both lanes add up. */
struct wedr_ioctl_stats driver_stats(struct ntsim_file *f);
struct wedr_ioctl_version driver_version(struct ntsim_file *f);
/* produced = delivered + queued + lost, by lane. */
void driver_expect_balance(const struct wedr_ioctl_stats *s);
uint64_t driver_lost(const struct wedr_ioctl_lane *lane); /* all reasons */

/* SET_FILTER with classes and prefixes; NTSTATUS. */
int32_t driver_set_filter(struct ntsim_file *f,
                          uint32_t classes,
                          const struct ntsim_text *paths,
                          size_t path_count,
                          const struct ntsim_text *keys,
                          size_t key_count);
/* The bytes of such a filter; how many. */
size_t driver_make_filter(uint8_t out[WEDR_FILTER_MAX],
                          uint32_t classes,
                          const struct ntsim_text *paths,
                          size_t path_count,
                          const struct ntsim_text *keys,
                          size_t key_count);
