/* SPDX-License-Identifier: Apache-2.0
 * tests/wine/pump_event.c — process, thread, image and handle callbacks: what the kernel says
 * arrives, decoded, with every field as it was said. The registry has its own file. */
#include "pump.h"

#include <stdlib.h>
#include <string.h>

#define CHILD_KEY 0x1234567800000001ull
#define PARENT_KEY 0x1234567800000002ull
#define OTHER_KEY 0x1234567800000003ull
#define CHILD_IMAGE L"\\Device\\HarddiskVolume3\\Program Files\\Tool\\child.exe"
#define PARENT_IMAGE L"\\Device\\HarddiskVolume3\\Windows\\explorer.exe"
#define USER_SID L"S-1-5-21-1-2-3-1001"
#define UNKNOWN_INTEGRITY 0xffffffffu

/* Two real processes that the driver has not heard of, and what the kernel says about them. */
struct family {
    struct kid parent, child;
};

static struct family family_new(void)
{
    struct family f = {kid_new(), kid_new()};
    struct shim_process parent = known(f.parent.pid, PARENT_KEY, PARENT_IMAGE);
    struct shim_process child = known(f.child.pid, CHILD_KEY, CHILD_IMAGE);

    parent.create_time = 132000000000000000ll;
    child.create_time = 132000000010000000ll;
    shim_know(&parent);
    shim_know(&child);
    return f;
}

static struct shim_fire *shot_create(const struct family *f)
{
    struct shim_fire *s = shot_new(SHIM_EV_PROCESS_CREATE);

    s->pid = f->child.pid;
    s->parent_pid = f->parent.pid;
    s->creating_pid = f->parent.pid;
    s->creating_tid = f->parent.tid;
    s->context_pid = f->parent.pid;
    s->context_tid = f->parent.tid;
    shot_text(0, L"\\??\\C:\\Program Files\\Tool\\child.exe");
    shot_text(1, L"\"C:\\Program Files\\Tool\\child.exe\" --flag \x00e9\x20ac");
    return s;
}

static void fire_create(const struct family *f)
{
    (void)shot_create(f);
    (void)shot_fire();
}

static void fire_exit(DWORD pid)
{
    struct shim_fire *s = shot_new(SHIM_EV_PROCESS_EXIT);

    s->pid = s->context_pid = pid;
    (void)shot_fire();
}

static void process_start_arrives_with_every_field(void)
{
    struct family f = family_new();
    const struct field wanted[] = {
        HAS_NUMBER("pid", f.child.pid),
        HAS_NUMBER("parent_pid", f.parent.pid),
        HAS_NUMBER("creating_pid", f.parent.pid),
        HAS_NUMBER("process_key", CHILD_KEY),
        HAS_NUMBER("parent_key", PARENT_KEY),
        HAS_TEXT("image_path", CHILD_IMAGE),
        HAS_TEXT("command_line", L"\"C:\\Program Files\\Tool\\child.exe\" --flag \x00e9\x20ac"),
        HAS_TEXT("parent_image_path", PARENT_IMAGE),
        HAS_TEXT("user_sid", USER_SID),
        HAS_NUMBER("integrity_level", 0x2000),
        HAS_NUMBER("session_id", 3),
        HAS_END,
    };
    struct wedr_event_view v;
    FILETIME now;
    int64_t ticks;

    events_drain();
    fire_create(&f);
    v = event_next();
    event_is(&v, WEDR_EV_PROCESS_CREATE, WEDR_LANE_CRITICAL, wanted);
    CHECK(v.h.flags == 0, "flags %x", v.h.flags);
    GetSystemTimeAsFileTime(&now);
    ticks = ((int64_t)now.dwHighDateTime << 32 | now.dwLowDateTime) - v.h.time;
    CHECK(ticks >= -10000000 && ticks < 100000000, "made %lld ticks ago", (long long)ticks);
    events_none();
}

/* PROC_THREAD_ATTRIBUTE_PARENT_PROCESS: the parent is not who asked. */
static void process_started_in_the_name_of_another_names_both(void)
{
    struct family f = family_new();
    struct kid creator = kid_new();
    struct shim_process p = known(f.child.pid, CHILD_KEY, CHILD_IMAGE);
    struct wedr_event_view v;
    struct shim_fire *s;

    p.create_time = 132000000010000000ll;
    p.elevated = 1;
    p.integrity = 0x3000;
    p.pool_form = 1; /* the other form in which kernels answer */
    shim_know(&p);
    events_drain();
    s = shot_create(&f);
    s->creating_pid = s->context_pid = creator.pid;
    s->creating_tid = s->context_tid = creator.tid;
    (void)shot_fire();
    v = event_next();
    CHECK(field_number(&v, "parent_pid") == f.parent.pid, "parent");
    CHECK(field_number(&v, "creating_pid") == creator.pid, "creator");
    CHECK(field_number(&v, "parent_key") == PARENT_KEY, "key of the parent");
    CHECK(field_number(&v, "integrity_level") == 0x3000, "integrity");
    CHECK(field_number(&v, "elevated") == 1, "elevation");
}

static void what_cannot_be_known_of_a_process_is_flagged(void)
{
    struct family f = family_new();
    struct shim_process p = known(f.child.pid, CHILD_KEY, CHILD_IMAGE);
    const struct field wanted[] = {
        HAS_NUMBER("pid", f.child.pid),
        HAS_NUMBER("parent_pid", 0xfff0),
        HAS_NUMBER("creating_pid", f.parent.pid),
        HAS_NUMBER("process_key", CHILD_KEY),
        HAS_TEXT("image_path", CHILD_IMAGE),
        HAS_UNREADABLE("parent_image_path"),
        HAS_UNREADABLE("user_sid"),
        HAS_NUMBER("integrity_level", UNKNOWN_INTEGRITY),
        HAS_NUMBER("session_id", 3),
        HAS_END,
    };
    struct shim_fire *s;

    p.no_token = 1;
    shim_know(&p);
    events_drain();
    s = shot_create(&f);
    s->parent_pid = 0xfff0; /* no such process */
    s->text[1].len = SHIM_NONE;
    (void)shot_fire();
    event_next_is(WEDR_EV_PROCESS_CREATE, WEDR_LANE_CRITICAL, wanted);
}

/* A parent that is younger than its child is another process with the number of the parent. */
static void reused_pid_of_the_parent_is_not_taken_for_the_parent(void)
{
    struct family f = family_new();
    struct shim_process young = known(f.parent.pid, PARENT_KEY, PARENT_IMAGE);
    struct wedr_event_view v;

    young.create_time = 132000000020000000ll;
    shim_know(&young);
    events_drain();
    fire_create(&f);
    v = event_next();
    CHECK(field_number(&v, "parent_pid") == f.parent.pid, "parent");
    CHECK(field_number(&v, "parent_key") == 0, "key of a stranger");
    CHECK(field_text(&v, "parent_image_path")[0] == 0, "image of a stranger");
}

static void longest_command_line_is_whole(void)
{
    enum { UNITS = 32766 };
    static wchar_t line[UNITS];
    struct family f = family_new();
    struct wedr_event_view v;
    struct wedr_span s;
    uint16_t flags;

    for (unsigned i = 0; i < UNITS; i++) {
        line[i] = (wchar_t)(L'a' + i % 26);
    }
    events_drain();
    (void)shot_create(&f);
    shot_bytes(1, line, sizeof(line));
    (void)shot_fire();
    v = event_next();
    s = wedr_event_str(&v, wedr_event_field(&v, "command_line"), &flags);
    CHECK(s.len == sizeof(line) && memcmp(s.p, line, sizeof(line)) == 0, "%u", (unsigned)s.len);
    CHECK(flags == WEDR_SF_UTF16, "flags %x", flags);
    CHECK(stats_get().lane[0].truncated == v.h.trunc_count, "cut counter");
}

static void process_end_carries_the_exit_status(void)
{
    struct family f = family_new();
    struct shim_process p = known(f.child.pid, CHILD_KEY, CHILD_IMAGE);
    const struct field wanted[] = {
        HAS_NUMBER("pid", f.child.pid),
        HAS_NUMBER("exit_code", (int64_t)(int32_t)0xc0000005),
        HAS_NUMBER("process_key", CHILD_KEY),
        HAS_END,
    };
    uint32_t processes;

    fire_create(&f);
    events_drain();
    processes = stats_get().processes;
    p.exit_status = (int32_t)0xc0000005;
    shim_know(&p);
    fire_exit(f.child.pid);
    event_next_is(WEDR_EV_PROCESS_TERMINATE, WEDR_LANE_CRITICAL, wanted);
    CHECK(stats_get().processes == processes - 1, "it is still in the table");
}

static void image_load_of_a_process_is_bulk(void)
{
    struct family f = family_new();
    const struct field wanted[] = {
        HAS_NUMBER("pid", f.child.pid),
        HAS_NUMBER("process_key", CHILD_KEY),
        HAS_NUMBER("image_base", 0x7ffb12340000ull),
        HAS_NUMBER("image_size", 0x1f8000),
        HAS_TEXT("image_path", L"\\Device\\HarddiskVolume3\\Windows\\System32\\ntdll.dll"),
        HAS_NUMBER("signature_level", 12),
        HAS_END,
    };
    struct shim_fire *s;

    fire_create(&f);
    events_drain();
    s = shot_new(SHIM_EV_IMAGE);
    s->pid = s->context_pid = f.child.pid;
    s->base = 0x7ffb12340000ull;
    s->size = 0x1f8000;
    s->properties = 12u << 12 | 3u;
    shot_text(0, L"\\Device\\HarddiskVolume3\\Windows\\System32\\ntdll.dll");
    (void)shot_fire();
    event_next_is(WEDR_EV_MODULE_LOAD, WEDR_LANE_BULK, wanted);
}

static void image_load_of_the_kernel_is_critical(void)
{
    const struct field named[] = {
        HAS_NUMBER("image_base", 0xfffff80712340000ull),
        HAS_NUMBER("image_size", 0x9000),
        HAS_TEXT("image_path", L"\\SystemRoot\\System32\\drivers\\rootkit.sys"),
        HAS_END,
    };
    const struct field nameless[] = {
        HAS_NUMBER("image_base", 0xfffff80712340000ull),
        HAS_NUMBER("image_size", 0x9000),
        HAS_UNREADABLE("image_path"),
        HAS_END,
    };
    struct shim_fire *s;

    events_drain();
    for (int i = 0; i < 2; i++) {
        s = shot_new(SHIM_EV_IMAGE);
        s->context_pid = 4;
        s->base = 0xfffff80712340000ull;
        s->size = 0x9000;
        s->properties = 1u << 8; /* SystemModeImage */
        if (i == 0) {
            shot_text(0, L"\\SystemRoot\\System32\\drivers\\rootkit.sys");
        }
        (void)shot_fire();
        event_next_is(WEDR_EV_MODULE_LOAD, WEDR_LANE_CRITICAL, i == 0 ? named : nameless);
    }
}

/* The one callback that Wine itself makes. */
static void driver_that_is_really_loaded_is_seen(void)
{
    struct wedr_event_view v;

    events_drain();
    CHECK(service_start(THE_PEER) == 0, "the peer does not start");
    v = event_next();
    CHECK(service_stop(THE_PEER) == 0, "the peer does not stop");
    CHECK(v.h.type == WEDR_EV_MODULE_LOAD && v.h.stream == WEDR_LANE_CRITICAL, "%s",
          v.type->event_type);
    CHECK(strstr(field_text(&v, "image_path"), "wedrpeer.sys"), "%s", field_text(&v, "image_path"));
    CHECK(field_number(&v, "pid") == 0 && field_number(&v, "image_size") > 0, "pid or size");
    events_drain();
}

static void fire_thread(enum shim_event event, DWORD pid, DWORD tid, DWORD by)
{
    struct shim_fire *s = shot_new(event);

    s->pid = pid;
    s->tid = tid;
    s->context_pid = by;
    (void)shot_fire();
}

static void first_thread_of_a_process_is_no_injection(void)
{
    struct family f = family_new();
    struct field wanted[] = {
        HAS_NUMBER("pid", f.child.pid),
        HAS_NUMBER("tid", f.child.tid),
        HAS_NUMBER("creating_pid", f.parent.pid),
        HAS_NUMBER("process_key", CHILD_KEY),
        HAS_NUMBER("creating_key", PARENT_KEY),
        HAS_NUMBER("first_thread", 1),
        HAS_END,
    };
    struct family whole = {f.parent, f.parent};

    fire_create(&whole); /* so that the parent is known, too */
    fire_create(&f);
    events_drain();
    fire_thread(SHIM_EV_THREAD_CREATE, f.child.pid, f.child.tid, f.parent.pid);
    event_next_is(WEDR_EV_THREAD_CREATE, WEDR_LANE_BULK, wanted);
    /* The second one that another process makes is. */
    fire_thread(SHIM_EV_THREAD_CREATE, f.child.pid, 0x9990, f.parent.pid);
    wanted[1].number = 0x9990;
    wanted[5].number = 0;
    event_next_is(WEDR_EV_THREAD_CREATE, WEDR_LANE_CRITICAL, wanted);
    /* One that it makes itself is not. */
    fire_thread(SHIM_EV_THREAD_CREATE, f.child.pid, 0x9994, f.child.pid);
    wanted[1].number = 0x9994;
    wanted[2].number = f.child.pid;
    wanted[4].number = CHILD_KEY;
    event_next_is(WEDR_EV_THREAD_CREATE, WEDR_LANE_BULK, wanted);
}

static void thread_end_arrives(void)
{
    struct family f = family_new();
    const struct field wanted[] = {
        HAS_NUMBER("pid", f.child.pid),
        HAS_NUMBER("tid", f.child.tid),
        HAS_NUMBER("process_key", CHILD_KEY),
        HAS_END,
    };

    fire_create(&f);
    events_drain();
    fire_thread(SHIM_EV_THREAD_EXIT, f.child.pid, f.child.tid, f.child.pid);
    event_next_is(WEDR_EV_THREAD_EXIT, WEDR_LANE_BULK, wanted);
}

#define VM_WRITE_AND_MORE 0x143au

/* A handle to the child, asked for by the thread of a process. */
static struct shim_fire *shot_handle(const struct family *f, struct kid by)
{
    struct shim_fire *s = shot_new(SHIM_EV_HANDLE_CREATE);

    s->pid = f->child.pid;
    s->tid = f->child.tid;
    s->context_pid = by.pid;
    s->context_tid = by.tid;
    s->access = s->original_access = VM_WRITE_AND_MORE;
    return s;
}

static void handle_to_a_process_arrives_with_both_masks(void)
{
    struct family f = family_new();
    struct kid other = kid_new();
    struct family lone = {f.parent, other};
    struct shim_process p = known(other.pid, OTHER_KEY, PARENT_IMAGE);
    const struct field wanted[] = {
        HAS_NUMBER("source_pid", other.pid),
        HAS_NUMBER("target_pid", f.child.pid),
        HAS_NUMBER("source_key", OTHER_KEY),
        HAS_NUMBER("target_key", CHILD_KEY),
        HAS_NUMBER("op", WEDR_HANDLE_OP_OPEN),
        HAS_NUMBER("desired_access", 0x1000),
        HAS_NUMBER("original_desired_access", VM_WRITE_AND_MORE),
        HAS_END,
    };
    struct shim_fire *s;

    shim_know(&p);
    fire_create(&f);
    fire_create(&lone);
    events_drain();
    s = shot_handle(&f, other);
    s->access = 0x1000; /* another driver has taken the rest away */
    CHECK(shot_fire().access == 0x1000, "the mask was changed");
    event_next_is(WEDR_EV_PROCESS_HANDLE_ACCESS, WEDR_LANE_CRITICAL, wanted);
}

static void handle_to_a_thread_arrives(void)
{
    struct family f = family_new();
    struct kid other = kid_new();
    const struct field wanted[] = {
        HAS_NUMBER("source_pid", other.pid),         HAS_NUMBER("target_pid", f.child.pid),
        HAS_NUMBER("target_tid", f.child.tid),       HAS_NUMBER("target_key", CHILD_KEY),
        HAS_NUMBER("op", WEDR_HANDLE_OP_OPEN),       HAS_NUMBER("desired_access", 0x1f),
        HAS_NUMBER("original_desired_access", 0x1f), HAS_END,
    };
    struct shim_fire *s;

    fire_create(&f);
    events_drain();
    s = shot_handle(&f, other);
    s->flags = SHIM_F_THREAD_OBJECT;
    s->access = s->original_access = 0x1f;
    (void)shot_fire();
    event_next_is(WEDR_EV_PROCESS_HANDLE_ACCESS, WEDR_LANE_CRITICAL, wanted);
}

static void duplicated_handle_names_both_processes(void)
{
    struct family f = family_new();
    struct kid other = kid_new();
    const struct field wanted[] = {
        HAS_NUMBER("source_pid", other.pid),
        HAS_NUMBER("target_pid", f.child.pid),
        HAS_NUMBER("target_key", CHILD_KEY),
        HAS_NUMBER("op", WEDR_HANDLE_OP_DUPLICATE),
        HAS_NUMBER("desired_access", VM_WRITE_AND_MORE),
        HAS_NUMBER("original_desired_access", VM_WRITE_AND_MORE),
        HAS_NUMBER("duplicate_source_pid", f.parent.pid),
        HAS_NUMBER("duplicate_target_pid", other.pid),
        HAS_END,
    };
    struct shim_fire *s;

    fire_create(&f);
    events_drain();
    s = shot_handle(&f, other);
    s->event = SHIM_EV_HANDLE_DUPLICATE;
    s->source_pid = f.parent.pid;
    s->target_pid = other.pid;
    (void)shot_fire();
    event_next_is(WEDR_EV_PROCESS_HANDLE_ACCESS, WEDR_LANE_CRITICAL, wanted);
}

static void harmless_handles_are_left_out(void)
{
    struct family f = family_new();
    struct kid other = kid_new();
    uint64_t calls;
    struct shim_fire *s;

    fire_create(&f);
    events_drain();
    calls = stats_get().callback[WEDR_CALLBACK_HANDLE].calls;
    s = shot_handle(&f, other);
    s->access = s->original_access = 0x1400; /* query and limited query */
    (void)shot_fire();
    s = shot_handle(&f, f.child); /* to itself */
    (void)shot_fire();
    s = shot_handle(&f, other);
    s->flags = SHIM_F_KERNEL_HANDLE;
    (void)shot_fire();
    events_none();
    CHECK(stats_get().callback[WEDR_CALLBACK_HANDLE].calls == calls + 3, "calls are not counted");
}

/* CreateProcess opens the process and its first thread itself. Here the child is really a child of
 * this program, as the test of the parent is the kernel's own word. */
static void handles_of_a_creation_are_left_out(void)
{
    struct kid self = {GetCurrentProcessId(), GetCurrentThreadId()}, other = kid_new();
    struct family f = {self, kid_new()};
    struct shim_process p = known(f.child.pid, CHILD_KEY, CHILD_IMAGE);
    struct shim_fire *s;

    shim_know(&p);
    events_drain();
    (void)shot_handle(&f, self); /* to a process that was not announced yet, by its parent */
    (void)shot_fire();
    events_none();
    (void)shot_handle(&f, other); /* by a stranger */
    (void)shot_fire();
    CHECK(event_next().h.type == WEDR_EV_PROCESS_HANDLE_ACCESS, "a stranger's handle");
    fire_create(&f);
    events_drain();
    s = shot_handle(&f, self); /* the first thread, once, by the thread that created */
    s->flags = SHIM_F_THREAD_OBJECT;
    (void)shot_fire();
    events_none();
    (void)shot_fire(); /* once more: no longer the creation */
    CHECK(event_next().h.type == WEDR_EV_PROCESS_HANDLE_ACCESS, "a second handle");
    (void)shot_handle(&f, self); /* announced now: the parent opens it like anybody */
    (void)shot_fire();
    CHECK(event_next().h.type == WEDR_EV_PROCESS_HANDLE_ACCESS, "a handle of the parent");
}

static void batch_holds_both_lanes_critical_first(void)
{
    static uint8_t raw[4 * WEDR_RECORD_MAX];
    struct family f = family_new();
    struct wedr_event_view v;
    uint64_t seq[2] = {0, 0};
    unsigned count[2] = {0, 0};
    size_t len = 0;

    events_drain();
    for (unsigned i = 0; i < 20; i++) {
        fire_images(f.child.pid, 10);
        fire_create(&f);
    }
    CHECK_STATUS(control(device(), WEDR_IOCTL_GET_EVENTS, NULL, 0, raw, sizeof(raw), &len),
                 STATUS_SUCCESS);
    for (size_t at = 0; at < len; at += v.h.size) {
        CHECK(wedr_event_decode((struct wedr_span){raw + at, len - at}, &v) == WEDR_OK, "decode");
        CHECK(v.h.stream < 2 && (v.h.stream == 1 || count[1] == 0), "critical behind bulk");
        CHECK(seq[v.h.stream] == 0 || v.h.seq == seq[v.h.stream] + 1, "a hole in the numbers");
        seq[v.h.stream] = v.h.seq;
        count[v.h.stream]++;
    }
    CHECK(count[0] == 20 && count[1] == 200, "%u and %u", count[0], count[1]);
    events_none();
    check_accounting();
}

/* Real processes: this one starts another, and the shim sees it come and go by itself. */
static void real_process_is_seen_to_start_and_end(void)
{
    bool came = false, went = false;
    DWORD pid;
    HANDLE child;

    events_drain();
    shim_polling(true);
    child = child_new("--exit");
    pid = GetProcessId(child);
    for (int i = 0; !went && i < 300; i++) {
        if (queued() == 0) {
            Sleep(10);
            continue;
        }
        struct wedr_event_view v = event_next();

        if (field_number(&v, "pid") != pid) {
            continue;
        }
        if (v.h.type == WEDR_EV_PROCESS_CREATE) {
            came = true;
            CHECK(field_number(&v, "parent_pid") == GetCurrentProcessId(), "parent");
            CHECK(strstr(field_text(&v, "image_path"), "pump.exe"), "%s",
                  field_text(&v, "image_path"));
        } else if (v.h.type == WEDR_EV_PROCESS_TERMINATE) {
            went = true;
        }
    }
    (void)CloseHandle(child);
    shim_polling(false);
    CHECK(came && went, "came %d, went %d", came, went);
}

#define T(name)     \
    {               \
#        name, name \
    }
const struct test event_tests[] = {
    T(process_start_arrives_with_every_field),
    T(process_started_in_the_name_of_another_names_both),
    T(what_cannot_be_known_of_a_process_is_flagged),
    T(reused_pid_of_the_parent_is_not_taken_for_the_parent),
    T(longest_command_line_is_whole),
    T(process_end_carries_the_exit_status),
    T(image_load_of_a_process_is_bulk),
    T(image_load_of_the_kernel_is_critical),
    T(driver_that_is_really_loaded_is_seen),
    T(first_thread_of_a_process_is_no_injection),
    T(thread_end_arrives),
    T(handle_to_a_process_arrives_with_both_masks),
    T(handle_to_a_thread_arrives),
    T(duplicated_handle_names_both_processes),
    T(harmless_handles_are_left_out),
    T(handles_of_a_creation_are_left_out),
    T(batch_holds_both_lanes_critical_first),
    T(real_process_is_seen_to_start_and_end),
    {NULL, NULL},
};
