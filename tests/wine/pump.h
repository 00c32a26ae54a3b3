/* SPDX-License-Identifier: Apache-2.0
 * tests/wine/pump.h — the test program: talks to the driver as the agent does, decodes with the
 * agent's own decoder, and tells the shim what the kernel is to do. */
#pragma once

#include "core/base/err.h"
#include "shim.h"
#include "wedr/wire/decode.h"
#include "wedr/wire/ioctl.h"
#include <stdbool.h>
#include <windows.h>
#include <winternl.h>

#ifndef STATUS_SUCCESS
#    define STATUS_SUCCESS ((NTSTATUS)0)
#endif
#define NT_PENDING ((NTSTATUS)0x103)
#define NT_BUFFER_OVERFLOW ((NTSTATUS)0x80000005)
#define NT_INVALID_REQUEST ((NTSTATUS)0xc0000010)
#define NT_ACCESS_DENIED ((NTSTATUS)0xc0000022)
#define NT_BUFFER_TOO_SMALL ((NTSTATUS)0xc0000023)
#define NT_NO_RESOURCES ((NTSTATUS)0xc000009a)
#define NT_CANCELLED ((NTSTATUS)0xc0000120)
#define NT_INVALID_PARAMETER ((NTSTATUS)0xc000000d)
#define NT_NOT_FOUND ((NTSTATUS)0xc0000225)
#define NT_NAME_NOT_FOUND ((NTSTATUS)0xc0000034)

/* ---- verdicts ---- */

/* Ends the running test when the condition does not hold. */
#define CHECK(condition, ...)                             \
    do {                                                  \
        if (!(condition)) {                               \
            test_failed(__FILE__, __LINE__, __VA_ARGS__); \
        }                                                 \
    } while (0)
#define CHECK_STATUS(got, wanted) CHECK((got) == (wanted), "status %08lx", (unsigned long)(got))

void __attribute__((noreturn, format(gnu_printf, 3, 4)))
test_failed(const char *file, int line, const char *format, ...);

struct test {
    const char *name;
    void (*run)(void);
};
/* Each group ends with a NULL name. */
extern const struct test io_tests[], park_tests[], event_tests[], registry_tests[], life_tests[];

/* ---- services and processes ---- */

enum service { THE_SHIM, THE_DRIVER, THE_PEER, SERVICES };
/* 0 or the Win32 error. */
DWORD service_start(enum service which);
DWORD service_stop(enum service which);
void services_install(void);
void services_stop(void);
/* Stops and starts the driver; the device must be closed. */
void driver_reload(void);

/* A process of ours that never gets to run: its pid and first tid are real. Ended after the test.
 */
struct kid {
    DWORD pid, tid;
};
struct kid kid_new(void);
/* This program again with another word on its command line; the caller closes the handle. */
HANDLE child_new(const char *mode);

/* ---- the device ---- */

#define ACCESS_AGENT (GENERIC_READ | GENERIC_WRITE)
/* Overlapped. INVALID_HANDLE_VALUE and the last error when it fails. */
HANDLE device_try_open(DWORD access);
/* The one handle of the test, opened when it is not; closed after the test. */
HANDLE device(void);
void device_close(void);

/* A request on its way; buffer of len bytes. What the kernel writes into lies on the heap, for a
 * test that fails leaves its stack at once. */
struct request {
    IO_STATUS_BLOCK *io;
    HANDLE event;
    uint8_t *out;
    size_t len;
};
/* What the call returned. With NT_PENDING the request is under way. */
NTSTATUS request_start(struct request *r, HANDLE h, uint32_t code, size_t len);
/* Its final status, or NT_PENDING when it has none after so many milliseconds. */
NTSTATUS request_wait(struct request *r, DWORD ms);
void request_free(struct request *r);
/* Starts a GET_EVENT that must be parked. */
void request_park(struct request *r);

/* Synchronous; the bytes given back in *ret_len (may be NULL). */
NTSTATUS control(HANDLE h,
                 uint32_t code,
                 const void *in,
                 size_t in_len,
                 void *out,
                 size_t out_len,
                 size_t *ret_len);

/* Through the agent's decoders. */
struct wedr_ioctl_stats stats_get(void);
struct wedr_ioctl_version version_get(void);
/* Records wait in both lanes together. */
uint32_t queued(void);
/* produced = delivered + queued + lost in both lanes. */
void check_accounting(void);

/* ---- records ---- */

/* Takes the next record; the view is good until the next call. There must be one. */
struct wedr_event_view event_next(void);
/* Takes all that wait and forgets them. */
void events_drain(void);
/* Nothing waits. */
void events_none(void);

/* What a field must hold: text, bytes, or else a number. */
struct field {
    const char *name;
    uint64_t number;
    const wchar_t *text;
    const void *bytes;
    size_t len;
    uint16_t flags; /* WEDR_SF_* besides UTF16 */
};
#define HAS_NUMBER(n, v)                     \
    {                                        \
        .name = (n), .number = (uint64_t)(v) \
    }
#define HAS_TEXT(n, v)           \
    {                            \
        .name = (n), .text = (v) \
    }
#define HAS_UNREADABLE(n)                                     \
    {                                                         \
        .name = (n), .text = L"", .flags = WEDR_SF_UNREADABLE \
    }
#define HAS_END      \
    {                \
        .name = NULL \
    }

/* The record is of that type and lane, and every field of it holds what is listed, or nothing. */
void event_is(const struct wedr_event_view *v,
              uint16_t type,
              uint8_t lane,
              const struct field *fields);
/* SET_FILTER with these lists, which end with NULL (or are NULL). */
NTSTATUS filter_set(uint32_t classes, const wchar_t *const *paths, const wchar_t *const *keys);

/* Takes the next record, which is that. */
void event_next_is(uint16_t type, uint8_t lane, const struct field *fields);
uint64_t field_number(const struct wedr_event_view *v, const char *name);
/* ASCII of a text field; static storage. */
const char *field_text(const struct wedr_event_view *v, const char *name);

/* ---- the shim ---- */

struct shim_state shim_now(void);
void shim_set(const struct shim_setup *s);
void shim_know(const struct shim_process *p);
/* A process with these values: key, session 3, a SID, integrity 0x2000, not elevated, that image.
 */
struct shim_process known(DWORD pid, uint64_t key, const wchar_t *image);

/* Begins a command; everything 0, no text. Borrowed until the next call. */
struct shim_fire *shot_new(enum shim_event event);
void shot_text(unsigned i, const wchar_t *text);
void shot_bytes(unsigned i, const void *bytes, size_t len);
/* Carries it out: at least one callback was called. */
struct shim_fired shot_fire(void);
struct shim_fired shim_cleanup(bool stranger);
/* Real processes are watched and their start and end fired. */
void shim_polling(bool on);
/* Image loads from several threads at once, while the test goes on; and the end of it. */
void storm_begin(uint32_t threads, uint32_t each, DWORD pid);
void storm_end(void);
/* An image load of a user process: the cheapest event, one record in the bulk lane. */
void fire_images(DWORD pid, uint32_t count);
