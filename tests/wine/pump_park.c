/* SPDX-License-Identifier: Apache-2.0
 * tests/wine/pump_park.c — requests that wait: completed in order, cancelled in every way that
 * Wine knows, and what the shim can do in place of NT. */
#include "pump.h"

#include <stdlib.h>
#include <string.h>

#define PARK_MAX 64u /* what the driver lets wait */
#define SOON 8000u   /* ms within which something must have happened */

/* The request was completed with the image load of this pid. */
static void completed_with_image_of(struct request *r, uint64_t pid)
{
    struct wedr_event_view v;
    NTSTATUS status = request_wait(r, SOON);

    CHECK_STATUS(status, STATUS_SUCCESS);
    CHECK(wedr_event_decode((struct wedr_span){r->out, r->io->Information}, &v) == WEDR_OK,
          "decode");
    CHECK(v.h.type == WEDR_EV_MODULE_LOAD && field_number(&v, "pid") == pid, "%s of pid %llu",
          v.type->event_type, (unsigned long long)field_number(&v, "pid"));
}

static void cancelled(struct request *r)
{
    NTSTATUS status = request_wait(r, SOON);

    CHECK_STATUS(status, NT_CANCELLED);
    CHECK(r->io->Information == 0, "%u bytes", (unsigned)r->io->Information);
    request_free(r);
}

static void parked_is(uint32_t count)
{
    uint32_t got = stats_get().parked;

    CHECK(got == count, "%u requests wait", (unsigned)got);
}

static void parked_request_is_completed_by_the_next_event(void)
{
    struct request r;

    events_drain();
    request_park(&r);
    parked_is(1);
    CHECK_STATUS(request_wait(&r, 50), NT_PENDING);
    fire_images(1000, 1);
    completed_with_image_of(&r, 1000);
    request_free(&r);
    parked_is(0);
    events_none();
    check_accounting();
}

static void parked_batch_is_completed_by_the_next_event(void)
{
    struct wedr_event_view v;
    struct request r;

    events_drain();
    CHECK_STATUS(request_start(&r, device(), WEDR_IOCTL_GET_EVENTS, 4 * WEDR_RECORD_MAX),
                 NT_PENDING);
    fire_images(1004, 3);
    completed_with_image_of(&r, 1004);
    CHECK(wedr_event_decode((struct wedr_span){r.out, r.io->Information}, &v) == WEDR_OK &&
              v.h.size == r.io->Information,
          "one record was there when it was completed");
    request_free(&r);
    CHECK(queued() == 2, "the other two wait");
    events_drain();
}

static void many_parked_requests_are_completed_in_order(void)
{
    static struct request r[PARK_MAX];
    struct request extra;

    events_drain();
    for (unsigned i = 0; i < PARK_MAX; i++) {
        request_park(&r[i]);
    }
    parked_is(PARK_MAX);
    CHECK_STATUS(request_start(&extra, device(), WEDR_IOCTL_GET_EVENT, WEDR_RECORD_MAX) ==
                         NT_PENDING
                     ? request_wait(&extra, SOON)
                     : NT_NO_RESOURCES,
                 NT_NO_RESOURCES);
    request_free(&extra);
    parked_is(PARK_MAX);
    for (unsigned i = 0; i < PARK_MAX; i++) {
        fire_images(2000 + i, 1);
    }
    for (unsigned i = 0; i < PARK_MAX; i++) {
        completed_with_image_of(&r[i], 2000 + i);
        request_free(&r[i]);
    }
    parked_is(0);
    events_none();
    check_accounting();
}

static void cancel_io_ex_cancels_one_request(void)
{
    struct request r[3];
    uint64_t before = stats_get().cancelled;

    events_drain();
    for (unsigned i = 0; i < 3; i++) {
        request_park(&r[i]);
    }
    CHECK(CancelIoEx(device(), (OVERLAPPED *)r[1].io), "error %lu", (unsigned long)GetLastError());
    cancelled(&r[1]);
    parked_is(2);
    CHECK(stats_get().cancelled == before + 1, "cancelled is not counted");
    fire_images(3000, 1);
    fire_images(3001, 1);
    completed_with_image_of(&r[0], 3000);
    completed_with_image_of(&r[2], 3001);
    request_free(&r[0]);
    request_free(&r[2]);
    check_accounting();
}

static void cancel_io_ex_cancels_all_requests(void)
{
    static struct request r[PARK_MAX];
    uint64_t before = stats_get().cancelled;

    events_drain();
    for (unsigned i = 0; i < PARK_MAX; i++) {
        request_park(&r[i]);
    }
    CHECK(CancelIoEx(device(), NULL), "error %lu", (unsigned long)GetLastError());
    for (unsigned i = 0; i < PARK_MAX; i++) {
        cancelled(&r[i]);
    }
    parked_is(0);
    CHECK(stats_get().cancelled == before + PARK_MAX, "cancelled is not counted");
    fire_images(3100, 1); /* nothing eats it */
    CHECK(queued() == 1, "the record is gone");
    events_drain();
}

/* A thread that waits in the driver. */
struct waiter {
    HANDLE device;
    volatile LONG begun;
    DWORD error;
    struct request *park; /* or NULL: wait in a synchronous call */
};

static DWORD WINAPI waiter_main(void *p)
{
    static uint8_t out[WEDR_RECORD_MAX];
    struct waiter *w = p;
    DWORD len;

    if (w->park) {
        (void)request_start(w->park, w->device, WEDR_IOCTL_GET_EVENT, WEDR_RECORD_MAX);
        w->begun = 1;
        return 0; /* the request goes with the thread */
    }
    w->begun = 1;
    w->error =
        DeviceIoControl(w->device, WEDR_IOCTL_GET_EVENT, NULL, 0, out, sizeof(out), &len, NULL)
            ? 0
            : GetLastError();
    return 0;
}

static void cancel_synchronous_io_ends_the_wait(void)
{
    struct waiter w = {0};
    HANDLE thread;
    bool ended = false;

    events_drain();
    device_close();
    w.device = CreateFileA("\\\\.\\WazabiEDR", ACCESS_AGENT, 0, NULL, OPEN_EXISTING, 0, NULL);
    CHECK(w.device != INVALID_HANDLE_VALUE, "open: error %lu", (unsigned long)GetLastError());
    thread = CreateThread(NULL, 0, waiter_main, &w, 0, NULL);
    for (int i = 0; !ended && i < 100; i++) {
        Sleep(20);
        (void)CancelSynchronousIo(thread);
        ended = WaitForSingleObject(thread, 10) == WAIT_OBJECT_0;
    }
    (void)CloseHandle(thread);
    (void)CloseHandle(w.device);
    CHECK(ended, "the thread still waits");
    CHECK(w.error == ERROR_OPERATION_ABORTED, "error %lu", (unsigned long)w.error);
    parked_is(0);
}

/* Wine tells a thread of its finished requests by that thread: here it can tell nobody. */
static void end_of_the_thread_cancels_its_request(void)
{
    static struct request r;
    struct waiter w = {.device = device(), .park = &r};
    uint64_t before = stats_get().cancelled;
    HANDLE thread;

    events_drain();
    thread = CreateThread(NULL, 0, waiter_main, &w, 0, NULL);
    CHECK(WaitForSingleObject(thread, SOON) == WAIT_OBJECT_0, "the thread does not end");
    (void)CloseHandle(thread);
    for (int i = 0; stats_get().parked > 0 && i < 100; i++) {
        Sleep(10);
    }
    parked_is(0);
    CHECK(stats_get().cancelled == before + 1, "cancelled is not counted");
}

/* After a process that had a request parked: the device can be opened, and nothing waits in it. */
static void nothing_is_left_of_the_child(uint64_t cancelled_before)
{
    struct wedr_ioctl_stats s = stats_get();

    CHECK(s.parked == 0, "%u requests wait", (unsigned)s.parked);
    CHECK(s.cancelled == cancelled_before + 1, "cancelled is not counted");
    fire_images(3200, 1);
    CHECK(queued() == 1, "the record is gone");
    events_drain();
}

static void end_of_the_process_cancels_its_request(void)
{
    uint64_t before = stats_get().cancelled;
    DWORD code = 0;
    HANDLE child;

    events_drain();
    device_close();
    child = child_new("--park-and-exit");
    CHECK(WaitForSingleObject(child, 2 * SOON) == WAIT_OBJECT_0, "the child does not end");
    (void)GetExitCodeProcess(child, &code);
    (void)CloseHandle(child);
    CHECK(code == 7, "the child could not park: %lu", (unsigned long)code);
    nothing_is_left_of_the_child(before);
}

static void terminate_process_cancels_its_request(void)
{
    uint64_t before = stats_get().cancelled;
    HANDLE ready = CreateEventA(NULL, FALSE, FALSE, "wedr_child_parked"), child;
    DWORD waited;

    events_drain();
    device_close();
    child = child_new("--park-and-stay");
    waited = WaitForSingleObject(ready, 2 * SOON);
    (void)TerminateProcess(child, 9);
    (void)WaitForSingleObject(child, SOON);
    (void)CloseHandle(child);
    (void)CloseHandle(ready);
    CHECK(waited == WAIT_OBJECT_0, "the child could not park");
    nothing_is_left_of_the_child(before);
}

/* Wine sends CLOSE at once, although the request still holds the file object. NT would send CLEANUP
 * at once and CLOSE after the request is done. The driver cancels in both. */
static void close_of_the_handle_cancels_its_requests(void)
{
    struct request r[2];
    uint64_t before = stats_get().cancelled;

    events_drain();
    request_park(&r[0]);
    request_park(&r[1]);
    device_close();
    cancelled(&r[0]);
    cancelled(&r[1]);
    nothing_is_left_of_the_child(before + 1);
}

/* What NT sends when the last handle goes, and Wine never does: the shim calls the driver. */
static void cleanup_cancels_the_requests_of_that_file_and_parks_no_more(void)
{
    struct request r, late;
    NTSTATUS status;

    events_drain();
    request_park(&r);
    CHECK_STATUS(shim_cleanup(false).returned, STATUS_SUCCESS);
    cancelled(&r);
    status = request_start(&late, device(), WEDR_IOCTL_GET_EVENT, WEDR_RECORD_MAX);
    CHECK_STATUS(status == NT_PENDING ? request_wait(&late, SOON) : status, NT_CANCELLED);
    request_free(&late);
    parked_is(0);
    CHECK_STATUS(shim_cleanup(false).returned, STATUS_SUCCESS); /* twice is harmless */
    device_close();
    request_park(&r); /* a new handle parks again */
    CHECK(CancelIoEx(device(), NULL), "error %lu", (unsigned long)GetLastError());
    cancelled(&r);
}

static void cleanup_of_another_handle_disturbs_nothing(void)
{
    struct request r;

    events_drain();
    request_park(&r);
    CHECK_STATUS(shim_cleanup(true).returned, STATUS_SUCCESS);
    CHECK_STATUS(request_wait(&r, 50), NT_PENDING);
    parked_is(1);
    fire_images(3300, 1);
    completed_with_image_of(&r, 3300);
    request_free(&r);
}

/* Several threads of the kernel produce while requests of both kinds come and go: nothing is lost
 * or doubled. */
static void storm_of_events_reaches_the_readers_exactly(void)
{
    enum { THREADS = 4, EACH = 600 };
    static uint8_t raw[WEDR_RECORD_MAX];
    static struct request r[PARK_MAX];
    struct wedr_event_view v;
    unsigned got = 0;
    size_t len;

    events_drain();
    for (unsigned i = 0; i < PARK_MAX; i++) {
        request_park(&r[i]);
    }
    storm_begin(THREADS, EACH, 3400);
    for (unsigned i = 0; i < PARK_MAX; i++) {
        completed_with_image_of(&r[i], 3400);
        request_free(&r[i]);
        got++;
    }
    while (got < THREADS * EACH) {
        CHECK_STATUS(control(device(), got % 3 == 0 ? WEDR_IOCTL_GET_EVENT : WEDR_IOCTL_GET_EVENTS,
                             NULL, 0, raw, sizeof(raw), &len),
                     STATUS_SUCCESS);
        for (size_t at = 0; at < len; at += v.h.size) {
            CHECK(wedr_event_decode((struct wedr_span){raw + at, len - at}, &v) == WEDR_OK,
                  "decode");
            got++;
        }
    }
    storm_end();
    events_none();
    check_accounting();
}

const struct test park_tests[] = {
    {"parked_request_is_completed_by_the_next_event",
     parked_request_is_completed_by_the_next_event},
    {"parked_batch_is_completed_by_the_next_event", parked_batch_is_completed_by_the_next_event},
    {"many_parked_requests_are_completed_in_order", many_parked_requests_are_completed_in_order},
    {"cancel_io_ex_cancels_one_request", cancel_io_ex_cancels_one_request},
    {"cancel_io_ex_cancels_all_requests", cancel_io_ex_cancels_all_requests},
    {"cancel_synchronous_io_ends_the_wait", cancel_synchronous_io_ends_the_wait},
    {"end_of_the_thread_cancels_its_request", end_of_the_thread_cancels_its_request},
    {"end_of_the_process_cancels_its_request", end_of_the_process_cancels_its_request},
    {"terminate_process_cancels_its_request", terminate_process_cancels_its_request},
    {"close_of_the_handle_cancels_its_requests", close_of_the_handle_cancels_its_requests},
    {"cleanup_cancels_the_requests_of_that_file_and_parks_no_more",
     cleanup_cancels_the_requests_of_that_file_and_parks_no_more},
    {"cleanup_of_another_handle_disturbs_nothing", cleanup_of_another_handle_disturbs_nothing},
    {"storm_of_events_reaches_the_readers_exactly", storm_of_events_reaches_the_readers_exactly},
    {NULL, NULL},
};
