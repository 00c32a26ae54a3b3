/* SPDX-License-Identifier: Apache-2.0
 * tests/fuzz/fuzz_driver_ioctl.c — the input is a script over the device of the Windows driver:
 * handles are opened, cleaned up and closed; requests of any code and length are issued, parked,
 * cancelled (in one step or in two) and completed by events; a hook lets something happen in the
 * middle of a kernel call. After each step the counters must add up, every completed request must
 * be what the interface promises, and at the end nothing waits. */
#include "fuzz_driver_support.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define STEPS_MAX 24u
#define FILES 2u
#define REQUESTS 80u
#define PARKED_MAX 64u

static struct {
    struct ntsim_file *files[FILES];
    bool cleaned[FILES];
    struct {
        struct ntsim_irp *irp;
        size_t out_len;
        uint32_t code;
        unsigned file;
        bool due; /* a two-phase cancel waits for its end */
    } requests[REQUESTS];
    struct { /* what the hook does, once */
        const char *point;
        uint8_t action, argument;
    } hook;
    bool closing; /* CLOSE comes when nothing of the handle is under way */
    uint8_t bytes[WEDR_FILTER_MAX + 64];
} box;

/* ---- completed requests
 * --------------------------------------------------------------------------- */

static bool reads(uint32_t code)
{
    return code == WEDR_IOCTL_GET_EVENT || code == WEDR_IOCTL_GET_EVENTS;
}

static void check_read(struct ntsim_irp *r, uint32_t code, size_t out_len)
{
    int32_t status = ntsim_irp_status(r);
    uint64_t information = ntsim_irp_information(r);
    size_t len;
    const uint8_t *p = ntsim_irp_output(r, &len);
    uint32_t needed;

    if (out_len < WEDR_RECORD_MAX) {
        FD_REQUIRE(status == NTSIM_BUFFER_OVERFLOW);
        FD_REQUIRE(information == (out_len < 4 ? 0 : 4));
        if (information == 4 && len == 4) {
            memcpy(&needed, p, sizeof(needed));
            FD_REQUIRE(needed == WEDR_RECORD_MAX);
        }
        return;
    }
    if (status == NTSIM_SUCCESS) {
        FD_REQUIRE(len == information && len <= out_len);
        fd_records(p, len, code == WEDR_IOCTL_GET_EVENTS);
        return;
    }
    FD_REQUIRE(information == 0);
    FD_REQUIRE(status == NTSIM_CANCELLED || status == NTSIM_INSUFFICIENT_RESOURCES);
}

static void check_other(struct ntsim_irp *r, uint32_t code, size_t out_len)
{
    int32_t status = ntsim_irp_status(r);
    uint64_t information = ntsim_irp_information(r);

    switch (code) {
    case WEDR_IOCTL_GET_STATS:
    case WEDR_IOCTL_GET_VERSION: {
        size_t whole = code == WEDR_IOCTL_GET_STATS ? sizeof(struct wedr_ioctl_stats)
                                                    : sizeof(struct wedr_ioctl_version);

        FD_REQUIRE(status == (out_len < 16 ? NTSIM_BUFFER_TOO_SMALL : NTSIM_SUCCESS));
        FD_REQUIRE(information == (out_len < 16 ? 0 : out_len < whole ? out_len : whole));
        return;
    }
    case WEDR_IOCTL_SET_FILTER:
        FD_REQUIRE(information == 0);
        FD_REQUIRE(status == NTSIM_SUCCESS || status == NTSIM_INVALID_PARAMETER);
        return;
    default:
        FD_REQUIRE(status == NTSIM_INVALID_DEVICE_REQUEST && information == 0);
        return;
    }
}

static void check_done(struct ntsim_irp *r, uint32_t code, size_t out_len)
{
    if (reads(code)) {
        check_read(r, code, out_len);
    } else {
        check_other(r, code, out_len);
    }
    ntsim_irp_free(r);
}

/* Takes back what was completed. */
static void reap(void)
{
    for (unsigned i = 0; i < REQUESTS; i++) {
        if (box.requests[i].irp && !box.requests[i].due && ntsim_irp_done(box.requests[i].irp)) {
            struct ntsim_irp *r = box.requests[i].irp;

            box.requests[i].irp = NULL;
            check_done(r, box.requests[i].code, box.requests[i].out_len);
        }
    }
}

static void finish_due(unsigned i)
{
    if (box.requests[i].irp && box.requests[i].due) {
        box.requests[i].due = false;
        ntsim_cancel_finish(box.requests[i].irp);
    }
}

static void finish_all(void)
{
    for (unsigned i = 0; i < REQUESTS; i++) {
        finish_due(i);
    }
}

/* ---- requests
 * -------------------------------------------------------------------------------------- */

static size_t out_length(struct fd_in *in)
{
    static const uint32_t lengths[] = {0,
                                       1,
                                       3,
                                       4,
                                       5,
                                       15,
                                       16,
                                       17,
                                       63,
                                       64,
                                       65,
                                       607,
                                       608,
                                       609,
                                       4096,
                                       WEDR_RECORD_MAX - 1,
                                       WEDR_RECORD_MAX,
                                       WEDR_RECORD_MAX,
                                       WEDR_RECORD_MAX,
                                       WEDR_RECORD_MAX + 1,
                                       WEDR_RECORD_MAX + 16384,
                                       2 * WEDR_RECORD_MAX,
                                       300u << 10};
    uint8_t which = fd_u8(in);

    return which == 255 ? fd_u16(in) : lengths[which % WEDR_ARRAY_COUNT(lengths)];
}

static void issue(unsigned file, uint32_t code, struct wedr_span input, size_t out_len)
{
    unsigned slot = 0;
    struct ntsim_irp *r;
    int32_t status;

    while (slot < REQUESTS && box.requests[slot].irp) {
        slot++;
    }
    if (!box.files[file] || slot == REQUESTS) {
        return;
    }
    r = ntsim_ioctl_start(box.files[file], code, input.p, input.len, out_len, &status);
    FD_REQUIRE(reads(code) || status != NTSIM_PENDING);
    FD_REQUIRE(ntsim_irp_done(r) || status == NTSIM_PENDING);
    box.requests[slot].irp = r;
    box.requests[slot].code = code;
    box.requests[slot].out_len = out_len;
    box.requests[slot].file = file;
    box.requests[slot].due = false;
}

static uint32_t any_code(struct fd_in *in)
{
    static const uint32_t codes[] = {WEDR_IOCTL_GET_EVENT, WEDR_IOCTL_GET_EVENTS,
                                     WEDR_IOCTL_GET_STATS, WEDR_IOCTL_GET_VERSION,
                                     WEDR_IOCTL_SET_FILTER};
    uint8_t how = fd_u8(in);

    return how < 128 ? codes[how % WEDR_ARRAY_COUNT(codes)] ^ (1u << fd_u8(in) % 32) : fd_u32(in);
}

static unsigned chosen(uint8_t n)
{
    unsigned i = n % REQUESTS;

    /* Those in use lie in front. */
    while (i > 0 && !box.requests[i].irp) {
        i--;
    }
    return i;
}

static void cancel(uint8_t n, bool two_steps)
{
    unsigned i = chosen(n);

    if (!box.requests[i].irp || box.requests[i].due) {
        return;
    }
    if (two_steps) {
        box.requests[i].due = ntsim_cancel_begin(box.requests[i].irp);
    } else {
        /* Without a routine it is being completed by somebody just now. */
        FD_REQUIRE(!ntsim_cancel(box.requests[i].irp) || ntsim_irp_done(box.requests[i].irp));
    }
}

/* ---- handles
 * ---------------------------------------------------------------------------------------- */

static bool any_open(void)
{
    return box.files[0] || box.files[1];
}

static void open_file(uint8_t how)
{
    unsigned at = box.files[0] ? 1 : 0;
    bool owned = any_open();
    struct ntsim_file *f;
    int32_t status;

    if (box.files[at]) {
        return;
    }
    switch (how % 4) {
    case 0:
        f = ntsim_open_name(NTSIM_TEXT(u"\\Device\\WazabiEDR\\tail"), &status);
        break;
    case 1:
        f = ntsim_open(&status);
        break;
    default:
        f = ntsim_open_shared(&status);
        break;
    }
    FD_REQUIRE(!owned || !f);
    FD_REQUIRE((f != NULL) == (status >= 0));
    FD_REQUIRE(owned || f);
    box.files[at] = f;
    box.cleaned[at] = false;
}

static void cleanup_file(unsigned at)
{
    if (box.files[at] && !box.cleaned[at]) {
        box.cleaned[at] = true;
        FD_REQUIRE(ntsim_cleanup(box.files[at]) == NTSIM_SUCCESS);
    }
}

static void close_file(unsigned at)
{
    struct ntsim_file *f = box.files[at];

    if (f) {
        box.closing = true; /* before: a cancel that a hook began while others finish would stay */
        finish_all();
        box.files[at] = NULL;
        FD_REQUIRE(ntsim_close(f) == NTSIM_SUCCESS);
        box.closing = false;
    }
}

static void cancel_many(uint8_t how)
{
    switch (how % 3) {
    case 0:
        if (any_open()) {
            (void)ntsim_cancel_file(box.files[0] ? box.files[0] : box.files[1]);
        }
        return;
    case 1:
        (void)ntsim_cancel_thread(fd_thread[how / 3 % FD_PIDS]);
        return;
    default:
        (void)ntsim_cancel_process(fd_process[how / 3 % FD_PIDS]);
        return;
    }
}

/* ---- what another processor does meanwhile
 * ------------------------------------------------------------ */

static void on_hook(void *arg)
{
    (void)arg;
    ntsim_hook(box.hook.point, NULL, NULL);
    box.hook.point = NULL;
    switch (box.hook.action % 7) {
    case 0:
        fd_event(box.hook.argument, (box.hook.argument & 64) != 0);
        return;
    case 1:
        cancel(box.hook.argument, !box.closing);
        return;
    case 2:
        finish_all();
        return;
    case 3:
        if (ntsim_irql() == 0) {
            cleanup_file(box.hook.argument % FILES);
        }
        return;
    case 4:
        for (unsigned i = 0; i < 3; i++) {
            fd_event(box.hook.argument + i, false);
        }
        return;
    case 5: /* also requests that are about to be parked */
        cancel_many(box.hook.argument);
        return;
    default:
        cancel(box.hook.argument, false);
        return;
    }
}

static void set_hook(struct fd_in *in)
{
    static const char *const points[] = {"KeAcquireInStackQueuedSpinLock",
                                         "KeReleaseInStackQueuedSpinLock.done",
                                         "IofCompleteRequest",
                                         "IofCompleteRequest.done",
                                         "ExAllocatePool2",
                                         "ExFreePoolWithTag"};

    if (box.hook.point) {
        ntsim_hook(box.hook.point, NULL, NULL);
    }
    box.hook.point = points[fd_u8(in) % WEDR_ARRAY_COUNT(points)];
    box.hook.action = fd_u8(in);
    box.hook.argument = fd_u8(in);
    ntsim_hook(box.hook.point, on_hook, NULL);
}

static void clear_hook(void)
{
    if (box.hook.point) {
        ntsim_hook(box.hook.point, NULL, NULL);
        box.hook.point = NULL;
    }
}

/* ---- the script
 * ------------------------------------------------------------------------------------------ */

static void step_major(struct fd_in *in)
{
    unsigned major = fd_u8(in) % 0x1c;
    unsigned at = box.files[0] ? 0 : 1;
    struct ntsim_irp *r;
    int32_t status;

    /* CREATE, CLOSE, DEVICE_CONTROL and CLEANUP have steps of their own. */
    if (!box.files[at] || major == 0 || major == 2 || major == 0xe || major == 0x12) {
        return;
    }
    r = ntsim_major_start(box.files[at], major, &status);
    FD_REQUIRE(status == NTSIM_INVALID_DEVICE_REQUEST && ntsim_irp_done(r));
    ntsim_irp_free(r);
}

static void step_filter(struct fd_in *in, unsigned file)
{
    struct wedr_span s;

    if (fd_u8(in) % 4 != 0) {
        s = wedr_span(box.bytes, fd_filter(in, box.bytes));
        s.len -= fd_u8(in) == 255 ? 1 : 0;
    } else {
        s = fd_bytes(in, 255);
    }
    issue(file, WEDR_IOCTL_SET_FILTER, s, out_length(in) % 4096);
}

static void step_request(struct fd_in *in, unsigned kind)
{
    unsigned file = box.files[0] ? 0 : 1;
    size_t out_len;
    uint32_t code;

    switch (kind) {
    case 0:
    case 1:
        issue(file, WEDR_IOCTL_GET_EVENT, wedr_span(NULL, 0), out_length(in));
        return;
    case 2:
        issue(file, WEDR_IOCTL_GET_EVENTS, wedr_span(NULL, 0), out_length(in));
        return;
    case 3:
        issue(file, WEDR_IOCTL_GET_STATS, fd_bytes(in, 16), out_length(in));
        return;
    case 4:
        issue(file, WEDR_IOCTL_GET_VERSION, fd_bytes(in, 16), out_length(in));
        return;
    case 5:
        step_filter(in, file);
        return;
    case 6:
        code = any_code(in);
        out_len = out_length(in);
        issue(file, code, fd_bytes(in, 255), out_len);
        return;
    default: /* many, up to the bound and over it */
        for (unsigned n = fd_u8(in) % (fd_heavy() ? REQUESTS + 1 : 4); n > 0; n--) {
            issue(file, WEDR_IOCTL_GET_EVENT, wedr_span(NULL, 0), WEDR_RECORD_MAX);
        }
        return;
    }
}

static void step_events(struct fd_in *in)
{
    uint8_t kind = fd_u8(in), count = fd_u8(in);

    for (unsigned n = 0; n <= count % (fd_heavy() ? 16u : 4u); n++) {
        fd_event(kind, (kind & 64) != 0);
    }
}

static void step(struct fd_in *in)
{
    uint8_t op = fd_u8(in);

    switch (op % 20) {
    case 0:
        open_file(fd_u8(in));
        return;
    case 1:
        cleanup_file(fd_u8(in) % FILES);
        return;
    case 2:
        close_file(fd_u8(in) % FILES);
        return;
    case 3:
        cancel(fd_u8(in), false);
        return;
    case 4:
        cancel(fd_u8(in), true);
        return;
    case 5:
        finish_due(chosen(fd_u8(in)));
        return;
    case 6:
        cancel_many(fd_u8(in));
        return;
    case 7:
        ntsim_set_current(fd_thread[fd_u8(in) % FD_PIDS]);
        return;
    case 8:
        set_hook(in);
        return;
    case 9:
        step_major(in);
        return;
    case 10:
    case 11:
        step_events(in);
        return;
    default:
        step_request(in, op % 20 - 12);
        return;
    }
}

/* After each step, through the open handle. */
static void check(void)
{
    unsigned at = box.files[0] ? 0 : 1;
    struct wedr_ioctl_stats s;

    clear_hook();
    reap();
    FD_REQUIRE(ntsim_parked() <= PARKED_MAX);
    if (box.files[at] && !box.cleaned[at]) {
        fd_stats(box.files[at], &s);
        /* A request waits only while nothing is there for it. */
        FD_REQUIRE(s.parked == 0 || s.parked <= PARKED_MAX);
    }
}

static void finish(void)
{
    struct ntsim_file *f;
    int32_t status;

    clear_hook();
    close_file(0);
    close_file(1);
    reap();
    for (unsigned i = 0; i < REQUESTS; i++) {
        FD_REQUIRE(box.requests[i].irp == NULL);
    }
    FD_REQUIRE(ntsim_parked() == 0);
    f = ntsim_open(&status);
    FD_REQUIRE(f != NULL);
    fd_end(f);
    ntsim_close_handle(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fd_in in = {data, size};

    fd_begin(&in);
    open_file(1);
    for (unsigned n = 0; n < STEPS_MAX && in.len > 0; n++) {
        bool hooked = box.hook.point != NULL;

        step(&in);
        if (hooked || !box.hook.point) {
            check(); /* a hook that was just set stays for the next step */
        }
    }
    finish();
    return 0;
}
