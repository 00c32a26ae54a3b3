/* SPDX-License-Identifier: Apache-2.0
 * tests/fuzz/fuzz_driver_callback.c — the input is what the kernel passes to the callbacks of the
 * Windows driver: names of any bytes and lengths, ids nobody has, processes whose look-ups fail,
 * SIDs, masks, operations and classes without limit, registry data that is gone, deletions whose
 * second half never comes or came without the first. Every record that comes out must be valid, on
 * its lane, and say what was passed. */
#include "core/base/endian.h"
#include "fuzz_driver_support.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define STEPS_MAX 16u
#define HELD 80u /* deletions and renames under way: more than the driver has places for */
#define BORN 6u

static struct {
    struct {
        struct ntsim_registry r;
        struct ntsim_key *key;
        bool used;
    } held[HELD];
    struct {
        struct ntsim_process *p;
        struct ntsim_thread *t;
    } born[BORN];
    struct ntsim_key *key; /* of this step */
    struct ntsim_text key_name;
    struct ntsim_irp *waiting; /* a GET_EVENT */
    bool collected;            /* its record was looked at */
    bool faulty;               /* some look-up was told to fail */
    uint8_t sid[68], data[256], filter[WEDR_FILTER_MAX + 64];
} box;

/* ---- what must come out -------------------------------------------------------------------------
 */

/* The text that a record carries of t: whole units, at most max bytes, no half pair at the cut,
 * each NUL as its sign. */
static void check_text(struct wedr_str_ref ref, struct ntsim_text t, size_t max)
{
    const uint8_t *p = fd_last.rec.p + ref.offset;
    size_t len = t.units ? t.len & ~(size_t)1 : 0;

    if (len > max) {
        len = max;
        len -= (t.units[len / 2 - 1] & 0xfc00) == 0xd800 ? 2 : 0;
    }
    FD_REQUIRE(ref.len == len);
    FD_REQUIRE((ref.flags & WEDR_SF_CUT) == (t.units && len < t.len ? WEDR_SF_CUT : 0));
    for (size_t i = 0; i < len / 2; i++) {
        uint16_t want = t.units[i] == 0 ? 0x2400 : t.units[i];

        FD_REQUIRE(wedr_le16(p + i * 2) == want);
    }
}

/* What waited for a record got it: once. */
static void collect(void)
{
    const uint8_t *p;
    size_t len;

    if (box.waiting && !box.collected && ntsim_irp_done(box.waiting)) {
        FD_REQUIRE(ntsim_irp_status(box.waiting) == NTSIM_SUCCESS);
        p = ntsim_irp_output(box.waiting, &len);
        fd_records(p, len, false);
        box.collected = true;
    }
}

/* The first record since wait_for_one came, it is the last one that was seen, and of that type. Its
 * bytes are there until let_go. */
static bool caught(uint16_t type)
{
    collect();
    return box.waiting && box.collected && fd_last.h.type == type;
}

static void let_go(void)
{
    collect();
    if (box.waiting && box.collected) {
        ntsim_irp_free(box.waiting);
        box.waiting = NULL;
    }
}

/* From now on the next record ends in a parked request: only when the queue is empty. */
static void wait_for_one(void)
{
    int32_t status;

    if (!box.waiting) {
        fd_drain(fd_session());
        box.waiting = ntsim_ioctl_start(fd_session(), WEDR_IOCTL_GET_EVENT, NULL, 0,
                                        WEDR_RECORD_MAX, &status);
        box.collected = false;
        FD_REQUIRE(status == NTSIM_PENDING);
    }
}

static void stop_waiting(void)
{
    let_go();
    if (box.waiting) {
        FD_REQUIRE(ntsim_cancel(box.waiting));
        FD_REQUIRE(ntsim_irp_status(box.waiting) == NTSIM_CANCELLED);
        ntsim_irp_free(box.waiting);
        box.waiting = NULL;
    }
}

/* ---- processes
 * ------------------------------------------------------------------------------------ */

/* NT keeps ids below 2^32. */
static uint32_t any_id(struct fd_in *in)
{
    static const uint32_t ids[] = {0,    4,          500,        1000,       1004, 2000,
                                   2004, 0xfffffffc, 0xfffffffe, 0x7fffffff, 3};
    uint8_t n = fd_u8(in);

    return n < 240 ? ids[n % WEDR_ARRAY_COUNT(ids)] : fd_u32(in);
}

/* Those who stay until the end must not be forgotten. */
static bool is_reserved(uint64_t pid)
{
    return pid == 4 || pid == fd_pid[0] || pid == fd_pid[1] || pid == fd_pid[2];
}

static struct ntsim_process *any_process(struct fd_in *in)
{
    uint8_t n = fd_u8(in);

    if (n % 16 < BORN && box.born[n % 16].p) {
        return box.born[n % 16].p;
    }
    return n % 5 == 4 ? ntsim_system() : fd_process[n % FD_PIDS];
}

static struct ntsim_thread *any_thread(struct fd_in *in)
{
    uint8_t n = fd_u8(in);

    return n % 16 < BORN && box.born[n % 16].t ? box.born[n % 16].t : fd_thread[n % FD_PIDS];
}

/* A SID has at least its head; the number of its parts is true or far too large. */
static size_t any_sid(struct fd_in *in)
{
    struct wedr_span s = fd_bytes(in, 60);

    memset(box.sid, 0, sizeof(box.sid));
    box.sid[0] = 1;
    if (s.len > 0) {
        memcpy(box.sid, s.p, s.len);
    }
    return box.sid[1] <= 15 ? 8u + 4u * box.sid[1] : sizeof(box.sid);
}

static void fill_spec(struct fd_in *in, struct ntsim_process_spec *spec)
{
    uint8_t flags = fd_u8(in);

    memset(spec, 0, sizeof(*spec));
    spec->pid = any_id(in);
    spec->parent_pid = any_id(in);
    spec->create_time = flags & 1 ? NTSIM_TIME : (int64_t)fd_u64(in);
    spec->start_key = fd_u32(in);
    spec->session = flags & 2 ? fd_u32(in) : 1;
    spec->image = fd_text(in, 0);
    if (!spec->image.units) {
        spec->image = NTSIM_NULL; /* the kernel finds a text or none */
    }
    if (flags & 4) {
        spec->sid_len = any_sid(in);
        spec->sid = box.sid;
    }
    spec->by_pointer = (flags & 8) != 0;
    /* Values in the pointer itself are small; a pointer may lead to anything. */
    spec->integrity = spec->by_pointer ? fd_u32(in) : fd_u16(in);
    spec->elevated = (flags & 16) != 0;
    spec->exit_status = (int32_t)fd_u32(in);
    spec->fail = flags & 32 ? fd_u8(in) : 0;
}

static void check_created(const struct ntsim_create *c, const struct ntsim_process_spec *spec)
{
    struct wedr_windows_process_create e;

    if (!caught(WEDR_EV_PROCESS_CREATE)) {
        return;
    }
    memcpy(&e, fd_last.rec.p, sizeof(e));
    FD_REQUIRE(e.pid == (uint32_t)spec->pid);
    check_text(e.command_line, c->command_line, 65534);
    if (!box.faulty && spec->image.len > 0 &&
        (spec->fail & (NTSIM_FAIL_IMAGE | NTSIM_FAIL_IMAGE_EMPTY)) == 0) {
        check_text(e.image_path, spec->image, 8190);
    }
    let_go();
}

static void step_create(struct fd_in *in)
{
    struct ntsim_create c = {0};
    struct ntsim_process_spec spec;
    unsigned slot = fd_u8(in) % BORN;
    uint8_t flags = fd_u8(in);

    fill_spec(in, &spec);
    if (box.born[slot].p || is_reserved(spec.pid) || ntsim_process_find(spec.pid)) {
        return;
    }
    box.born[slot].p = ntsim_process_new(&spec);
    box.born[slot].t = ntsim_thread_new(box.born[slot].p, any_id(in));
    if (flags & 1) {
        return; /* not announced */
    }
    c.process = box.born[slot].p;
    c.parent_pid = flags & 2 ? any_id(in) : 0;
    c.creating_pid = flags & 4 ? any_id(in) : 0;
    c.creating_tid = flags & 4 ? any_id(in) : 0;
    c.image = fd_text(in, 1);
    c.command_line = fd_text(in, 2);
    c.file_open_name_available = (flags & 8) != 0;
    c.no_file_object = (flags & 16) != 0;
    FD_REQUIRE(ntsim_fire_process_create(&c) == NTSIM_SUCCESS);
    check_created(&c, &spec);
}

static void end_born(unsigned slot, bool announced)
{
    struct ntsim_process *p = box.born[slot].p;

    if (p) {
        if (announced) {
            ntsim_fire_process_exit(p);
        }
        if (ntsim_current() == box.born[slot].t) {
            ntsim_set_current(NULL);
        }
        box.born[slot].p = NULL;
        box.born[slot].t = NULL;
        ntsim_process_free(p);
    }
}

static void step_exit(struct fd_in *in)
{
    uint8_t how = fd_u8(in);

    if (how % 3 == 0) {
        end_born(how / 3 % BORN, true);
    } else if (how % 3 == 1) {
        struct ntsim_process *p = any_process(in);
        uint32_t pid = any_id(in);

        if (!is_reserved(pid)) {
            ntsim_fire_process_exit_as(p, pid);
        }
    } else if (box.born[how / 3 % BORN].p) {
        ntsim_process_fail(box.born[how / 3 % BORN].p, fd_u8(in));
    }
}

/* ---- images, threads, handles
 * ------------------------------------------------------------------------ */

static void step_image(struct fd_in *in)
{
    const struct ntsim_image i = {.name = fd_text(in, 0),
                                  .pid = any_id(in),
                                  .properties = fd_u32(in),
                                  .base = fd_u64(in),
                                  .size = fd_u64(in)};
    struct wedr_windows_module_load e;

    ntsim_fire_image(&i);
    if (caught(WEDR_EV_MODULE_LOAD)) {
        memcpy(&e, fd_last.rec.p, sizeof(e));
        FD_REQUIRE(e.image_base == i.base && e.image_size == i.size);
        FD_REQUIRE(e.signature_level == (i.properties >> 12 & 15));
        FD_REQUIRE((e.pid == 0) ==
                   ((uint32_t)i.pid == 0 || (i.properties & NTSIM_IMAGE_KERNEL) != 0));
        FD_REQUIRE(i.name.present || (e.image_path.flags & WEDR_SF_UNREADABLE) != 0);
        check_text(e.image_path, i.name, 8190);
    }
    let_go();
}

static void step_thread(struct fd_in *in)
{
    uint8_t flags = fd_u8(in);
    uint32_t pid = any_id(in), tid = any_id(in);
    struct wedr_windows_thread_create e;

    ntsim_set_irql(flags & 2 ? 1 : 0);
    ntsim_fire_thread(pid, tid, (flags & 1) != 0);
    ntsim_set_irql(0);
    if (caught(WEDR_EV_THREAD_CREATE)) {
        memcpy(&e, fd_last.rec.p, sizeof(e));
        FD_REQUIRE(e.pid == pid && e.tid == tid);
    }
    let_go();
}

static void step_handle(struct fd_in *in)
{
    uint8_t flags = fd_u8(in);
    struct ntsim_handle h = {.duplicate = (flags & 1) != 0, .kernel_handle = (flags & 14) == 14};
    struct wedr_windows_process_handle_access e;

    if (flags & 16) {
        h.thread = any_thread(in);
    } else {
        h.process = any_process(in);
    }
    h.access = fd_u32(in);
    h.reduced_access = flags & 32 ? fd_u32(in) : 0;
    h.source = any_process(in);
    h.target = any_process(in);
    ntsim_set_irql(flags & 64 ? 1 : 0);
    FD_REQUIRE(ntsim_fire_handle(&h) == (h.reduced_access ? h.reduced_access : h.access));
    ntsim_set_irql(0);
    if (caught(WEDR_EV_PROCESS_HANDLE_ACCESS)) {
        memcpy(&e, fd_last.rec.p, sizeof(e));
        FD_REQUIRE(!h.kernel_handle && e.original_desired_access == h.access);
        FD_REQUIRE((e.op == WEDR_HANDLE_OP_DUPLICATE) == h.duplicate);
    }
    let_go();
}

/* ---- registry
 * ----------------------------------------------------------------------------------------- */

/* A key of any name, for one step. */
static void name_key(struct fd_in *in)
{
    struct ntsim_text name = fd_text(in, 3);

    box.key_name = name.units ? name : NTSIM_NULL;
    box.key = ntsim_key_new(box.key_name);
}

static void forget_key(void)
{
    if (box.key) {
        ntsim_key_free(box.key);
        box.key = NULL;
    }
}

static struct ntsim_key *any_key(struct fd_in *in, bool for_one_step)
{
    uint8_t n = fd_u8(in) % 8;

    if (n > 4 && for_one_step) {
        name_key(in);
        return box.key;
    }
    return n < FD_KEYS ? fd_key[n] : n == 4 ? NULL : fd_key[0];
}

static void fill_registry(struct fd_in *in, struct ntsim_registry *r, bool for_one_step)
{
    uint8_t flags = fd_u8(in);
    struct wedr_span s;

    memset(r, 0, sizeof(*r));
    r->op = (enum ntsim_reg)(fd_u8(in) % NTSIM_REG_OPS);
    r->key = any_key(in, for_one_step);
    r->name = fd_text(in, 0);
    r->file = fd_text(in, 1);
    r->remaining = flags & 1 ? fd_text(in, 2) : NTSIM_NULL;
    r->result = flags & 2 ? fd_key[0] : fd_key[1];
    r->type = fd_u32(in);
    if (flags & 4) {
        s = fd_bytes(in, sizeof(box.data));
        if (s.len > 0) {
            memcpy(box.data, s.p, s.len);
        }
        r->data = box.data;
        r->data_len = s.len;
        r->data_size = flags & 8 ? fd_u32(in) : (uint32_t)s.len;
        r->data_gone = (flags & 16) != 0;
        /* The simulator looks for what is claimed behind the block: not behind all memory. */
        r->data_size &= 0x0fffffff;
    } else if (flags & 8) {
        r->data_size = fd_u16(in);
    }
    r->disposition = fd_u8(in) % 3;
    r->no_disposition = (flags & 32) != 0;
    r->old_layout = (flags & 64) != 0;
    r->no_pre_information = (flags & 128) != 0;
    r->access = r->type;
    r->flags = r->type;
}

static int32_t any_status(struct fd_in *in)
{
    uint8_t n = fd_u8(in);

    return n % 3 != 2 ? 0 : n % 2 == 0 ? NTSIM_ACCESS_DENIED : (int32_t)fd_u32(in);
}

static void check_registry(const struct ntsim_registry *r, int32_t status)
{
    struct wedr_windows_registry_write e;

    if (caught(WEDR_EV_REGISTRY_WRITE)) {
        memcpy(&e, fd_last.rec.p, sizeof(e));
        FD_REQUIRE(e.status == status || e.status == NTSIM_PENDING);
        if (e.op == WEDR_REGISTRY_OP_SET_VALUE) {
            FD_REQUIRE(e.value_type == r->type && e.data_size == r->data_size);
            check_text(e.value_name, r->name, 8190);
            if (box.key) {
                check_text(e.key_path, box.key_name, 8190);
            }
            FD_REQUIRE(e.data_preview.len <= 256 && e.data_preview.len <= r->data_size);
        }
    }
    let_go();
}

static void step_registry(struct fd_in *in)
{
    struct ntsim_registry r;
    int32_t status;

    fill_registry(in, &r, true);
    status = any_status(in);
    /* The others must keep their names. */
    if (r.key && !box.key && (r.op == NTSIM_REG_DELETE_KEY || r.op == NTSIM_REG_RENAME)) {
        name_key(in);
        r.key = box.key;
    }
    FD_REQUIRE(ntsim_fire_registry(&r, status) == NTSIM_SUCCESS);
    check_registry(&r, status);
    forget_key();
}

/* The first half; the second comes in some later step, or at the end. */
static void hold(struct ntsim_registry *r)
{
    for (unsigned i = 0; i < HELD; i++) {
        if (!box.held[i].used) {
            FD_REQUIRE(ntsim_fire_registry_pre(r) == NTSIM_SUCCESS);
            box.held[i].r = *r;
            /* The texts are in use again by then. */
            box.held[i].r.name = fd_usual(i);
            box.held[i].r.file = NTSIM_NULL;
            box.held[i].r.remaining = NTSIM_NULL;
            box.held[i].used = true;
            return;
        }
    }
}

static void let_happen(unsigned i, int32_t status)
{
    if (box.held[i].used) {
        box.held[i].used = false;
        FD_REQUIRE(ntsim_fire_registry_post(&box.held[i].r, status) == NTSIM_SUCCESS);
        let_go();
    }
}

static void step_halves(struct fd_in *in)
{
    struct ntsim_registry r;
    uint8_t how = fd_u8(in);
    unsigned count;

    switch (how % 4) {
    case 0:
        let_happen(fd_u8(in) % HELD, any_status(in));
        return;
    case 1: /* a second half that has no first, its context whatever it is */
        fill_registry(in, &r, false);
        r.context = (void *)(uintptr_t)(how & 4 ? fd_u64(in) : 0);
        FD_REQUIRE(ntsim_fire_registry_post(&r, any_status(in)) == NTSIM_SUCCESS);
        break;
    case 2:
        fill_registry(in, &r, false);
        hold(&r);
        break;
    default:
        memset(&r, 0, sizeof(r));
        r.op = how & 4 ? NTSIM_REG_RENAME : NTSIM_REG_DELETE_KEY;
        r.key = fd_key[0];
        for (count = fd_u8(in) % HELD; count > 0; count--) {
            hold(&r);
        }
        break;
    }
}

/* A class of any number; what the driver knows needs its structure, all else may be junk. */
static void step_raw(struct fd_in *in)
{
    uint64_t class = fd_u8(in) & 1 ? fd_u64(in) : fd_u8(in);
    uint64_t junk[8];

    for (unsigned op = 0; op < NTSIM_REG_OPS; op++) {
        if ((uint32_t) class == ntsim_registry_class((enum ntsim_reg)op, false) ||
            (uint32_t) class == ntsim_registry_class((enum ntsim_reg)op, true)) {
            FD_REQUIRE(ntsim_fire_registry_raw(class, NULL) == NTSIM_SUCCESS);
            return;
        }
    }
    memset(junk, fd_u8(in), sizeof(junk));
    FD_REQUIRE(ntsim_fire_registry_raw(class, junk) == NTSIM_SUCCESS);
}

/* ---- the rest
 * -------------------------------------------------------------------------------------------- */

static void step_fault(struct fd_in *in)
{
    static const char *const functions[] = {
        "CmCallbackGetKeyObjectIDEx", "PsLookupProcessByProcessId", "SeLocateProcessImageName",
        "SeQueryInformationToken", "ExAllocatePool2"};
    unsigned which = fd_u8(in) % WEDR_ARRAY_COUNT(functions);

    box.faulty = true;
    ntsim_fail(functions[which], fd_u8(in) % 4, 1, NTSIM_INSUFFICIENT_RESOURCES);
}

static void step(struct fd_in *in)
{
    uint8_t op = fd_u8(in);

    switch (op % 16) {
    case 0:
    case 1:
        step_create(in);
        return;
    case 2:
        step_exit(in);
        return;
    case 3:
    case 4:
        step_image(in);
        return;
    case 5:
        step_thread(in);
        return;
    case 6:
    case 7:
        step_handle(in);
        return;
    case 8:
    case 9:
        step_registry(in);
        return;
    case 10:
        step_halves(in);
        return;
    case 11:
        step_raw(in);
        return;
    case 12:
        (void)fd_set_filter(fd_session(), box.filter, fd_filter(in, box.filter));
        return;
    case 13:
        step_fault(in);
        return;
    case 14:
        ntsim_set_current(fd_u8(in) % 4 == 0 ? NULL : any_thread(in));
        return;
    default:
        wait_for_one();
        return;
    }
}

static void finish(void)
{
    ntsim_faults_clear();
    box.faulty = false;
    for (unsigned i = 0; i < HELD; i++) {
        let_happen(i, 0);
    }
    ntsim_set_current(NULL);
    for (unsigned i = 0; i < BORN; i++) {
        end_born(i, true);
        let_go();
    }
    stop_waiting();
    fd_end(fd_session());
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fd_in in = {data, size};

    fd_begin(&in);
    for (unsigned n = 0; n < STEPS_MAX && in.len > 0; n++) {
        step(&in);
        let_go();
    }
    finish();
    return 0;
}
