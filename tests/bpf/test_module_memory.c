/* SPDX-License-Identifier: Apache-2.0
 * Memory that becomes executable, memfds, and code for the kernel. Once per way of walking paths.
 */
#include "play.h"

#include <limits.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOAD WEDR_EV_MODULE_LOAD
#define MEMORY WEDR_EV_MEMORY_EXEC

/* Runs a verb that makes memory executable; the one record about it. */
static const struct wedr_event_view *
memory_of(struct rig *r, const char *verb, const char *argument, uint32_t map_flags, uint32_t prot)
{
    struct play p;
    play(&p, 0, WEDR_VICTIM_MODULE, ARGS(verb, argument));
    assert_played(&p);
    const struct wedr_event_view *v = play_only(r, MEMORY, p.pid, NULL, NULL);
    assert_int_equal(rec_uint(v, "map_flags"), map_flags);
    assert_int_equal(rec_uint(v, "prot"), prot);
    assert_int_equal(rec_uint(v, "uid"), 0);
    assert_int_equal(rec_uint(v, "process_key"), play_key(r, p.pid));
    assert_true(rec_uint(v, "address") != 0);
    assert_int_equal(v->h.stream, WEDR_STREAM_BULK);
    assert_int_equal(play_count(r, LOAD, p.pid, NULL, NULL, NULL), 2); /* ld.so, libc */
    return v;
}

static void written_memory_that_becomes_executable_is_one_record(void **state)
{
    const struct wedr_event_view *v =
        memory_of(*state, "jit", NULL, WEDR_MAP_FLAGS_ANONYMOUS | WEDR_MAP_FLAGS_MPROTECT, 5);
    assert_int_equal(rec_uint(v, "size"), 2 * 4096);
    assert_str(v, "image_path", "");
}

static void memory_that_is_writable_and_executable_from_the_start(void **state)
{
    const struct wedr_event_view *v =
        memory_of(*state, "jit-rwx", NULL, WEDR_MAP_FLAGS_ANONYMOUS | WEDR_MAP_FLAGS_WRITABLE, 7);
    assert_int_equal(rec_uint(v, "size"), 5 * 4096);
}

static void shared_anonymous_memory_is_anonymous(void **state)
{
    const struct wedr_event_view *v =
        memory_of(*state, "jit-shared", NULL, WEDR_MAP_FLAGS_ANONYMOUS, 5);
    assert_str(v, "image_path", "");
}

static void executable_stack_is_named_so(void **state)
{
    const uint32_t flags = WEDR_MAP_FLAGS_ANONYMOUS | WEDR_MAP_FLAGS_MPROTECT |
                           WEDR_MAP_FLAGS_STACK | WEDR_MAP_FLAGS_WRITABLE;
    (void)memory_of(*state, "stack-exec", NULL, flags, 7);
}

static void executable_heap_is_named_so(void **state)
{
    const uint32_t flags = WEDR_MAP_FLAGS_ANONYMOUS | WEDR_MAP_FLAGS_MPROTECT |
                           WEDR_MAP_FLAGS_HEAP | WEDR_MAP_FLAGS_WRITABLE;
    (void)memory_of(*state, "heap-exec", NULL, flags, 7);
}

static void shared_memory_segment_is_executable_memory(void **state)
{
    const struct wedr_event_view *v =
        memory_of(*state, "shm-exec", NULL, WEDR_MAP_FLAGS_NO_NAME, 5);
    struct wedr_span path = rec_str(v, "image_path", NULL);
    assert_true(path.len > 5 && memcmp(path.p, "/SYSV", 5) == 0);
}

/* One mprotect over anonymous memory, a file, anonymous memory. */
static void every_mapping_that_one_call_covers_is_looked_at(void **state)
{
    struct rig *r = *state;
    struct play p;
    char path[128];
    (void)snprintf(path, sizeof path, "%s/span.so", r->dir);
    play_copy(WEDR_LIBRARY, path, 0755);
    play(&p, 0, WEDR_VICTIM_MODULE, ARGS("span", path));
    assert_played(&p);
    const struct wedr_event_view *v = play_only(r, MEMORY, p.pid, "image_path", path);
    assert_int_equal(rec_uint(v, "size"), 4096);
    assert_int_equal(rec_uint(v, "map_flags"), WEDR_MAP_FLAGS_MPROTECT);
    assert_int_equal(play_count(r, MEMORY, p.pid, NULL, NULL, &v), 2);
    assert_int_equal(rec_uint(v, "map_flags"), WEDR_MAP_FLAGS_ANONYMOUS | WEDR_MAP_FLAGS_MPROTECT);
    (void)play_only(r, LOAD, p.pid, "image_path", path);
}

static void memfd_has_the_name_that_the_kernel_keeps(void **state)
{
    struct rig *r = *state;
    struct play p;
    play(&p, 0, WEDR_VICTIM_MODULE, ARGS("memfd", "kdevtmpfs"));
    assert_played(&p);
    const struct wedr_event_view *v = play_only(r, WEDR_EV_MEMFD_CREATE, p.pid, NULL, NULL);
    assert_str(v, "name", "kdevtmpfs");
    assert_int_equal(rec_uint(v, "memfd_flags"), 3); /* MFD_CLOEXEC | MFD_ALLOW_SEALING */
    assert_true(rec_uint(v, "inode") != 0);
    assert_int_equal(rec_uint(v, "uid"), 0);
    assert_int_equal(rec_uint(v, "process_key"), play_key(r, p.pid));
    assert_int_equal(play_count(r, LOAD, p.pid, NULL, NULL, NULL), 2); /* a memfd is no code yet */
}

static void bpf_program_is_kernel_code_with_the_kernels_name_for_it(void **state)
{
    struct rig *r = *state;
    struct play p;
    play(&p, 0, WEDR_VICTIM_MODULE, ARGS("bpf-load", "hello"));
    assert_played(&p);
    const struct wedr_event_view *v = play_only(r, LOAD, p.pid, "object_name", "hello");
    assert_str(v, "object_name", "hello");
    assert_int_equal(rec_uint(v, "kernel_object"), WEDR_KERNEL_OBJECT_BPF_PROGRAM);
    assert_int_equal(rec_uint(v, "bpf_type"), BPF_PROG_TYPE_SOCKET_FILTER);
    assert_int_equal(rec_uint(v, "uid"), 0);
    assert_int_equal(rec_uint(v, "process_key"), play_key(r, p.pid));
    assert_int_equal(v->h.stream, WEDR_STREAM_CRITICAL);
}

static void bpf_map_and_a_refused_program_are_no_kernel_code(void **state)
{
    struct play p;
    play(&p, 0, WEDR_VICTIM_MODULE, ARGS("bpf-map"));
    assert_played(&p);
    assert_int_equal(play_count(*state, LOAD, p.pid, NULL, NULL, NULL), 2); /* ld.so, libc */
}

#ifdef __x86_64__
static void calls_of_32_bits_hide_no_code(void **state)
{
    struct rig *r = *state;
    struct play p;
    char path[128];
    if (!rig_has_hook(r, "compat")) {
        skip(); /* the kernel runs no 32-bit calls */
    }
    (void)snprintf(path, sizeof path, "%s/narrow.so", r->dir);
    play_copy(WEDR_LIBRARY, path, 0755);
    play(&p, 0, WEDR_VICTIM_MODULE, ARGS("int80-code", path));
    assert_played(&p);
    const struct wedr_event_view *v = play_only(r, LOAD, p.pid, "image_path", path);
    assert_int_equal(rec_uint(v, "image_size"), 4096);
    assert_int_equal(play_count(r, MEMORY, p.pid, NULL, NULL, &v), 2);
    assert_int_equal(rec_uint(v, "map_flags"), WEDR_MAP_FLAGS_ANONYMOUS | WEDR_MAP_FLAGS_WRITABLE);
    v = play_only(r, WEDR_EV_MEMFD_CREATE, p.pid, NULL, NULL);
    assert_str(v, "name", "narrow");
    assert_int_equal(rec_uint(v, "memfd_flags"), 1);
}
#endif

/* A path that the policy leaves out, and a file without a name that is told all the same. */
static void excluded_paths_are_left_out_and_memfds_are_not(void **state)
{
    struct rig *r = *state;
    struct play p;
    struct wedr_sensor_policy policy;
    char path[128], out[128];
    const char *const prefixes[] = {out};
    (void)snprintf(out, sizeof out, "%s/", r->dir);
    (void)snprintf(path, sizeof path, "%s/out.so", r->dir);
    play_copy(WEDR_LIBRARY, path, 0755);
    wedr_sensor_policy_init(&policy);
    policy.paths_out = prefixes;
    policy.path_out_count = 1;
    assert_int_equal(wedr_sensor_policy_set(r->sensor, &policy, NULL), 0);
    play(&p, 0, WEDR_VICTIM_MODULE, ARGS("dlopen", path));
    assert_int_equal(play_count(r, LOAD, p.pid, "image_path", path, NULL), 0);
    assert_int_equal(play_count(r, LOAD, p.pid, NULL, NULL, NULL), 2); /* ld.so, libc */
    play(&p, 0, WEDR_VICTIM_MODULE, ARGS("dlopen-memfd", path));
    (void)play_only(r, LOAD, p.pid, "image_path", "/memfd:evil");
    wedr_sensor_policy_init(&policy);
    assert_int_equal(wedr_sensor_policy_set(r->sensor, &policy, NULL), 0);
    play(&p, 0, WEDR_VICTIM_MODULE, ARGS("dlopen", path));
    (void)play_only(r, LOAD, p.pid, "image_path", path);
}

static void load_program(const char *name)
{
    struct bpf_insn code[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 0},
                              {.code = BPF_JMP | BPF_EXIT}};
    union bpf_attr a = {0};
    a.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
    a.insn_cnt = 2;
    a.insns = (uintptr_t)code;
    a.license = (uintptr_t) "GPL";
    (void)snprintf(a.prog_name, sizeof a.prog_name, "%s", name);
    long fd = syscall(SYS_bpf, BPF_PROG_LOAD, &a, sizeof a);
    assert_true(fd >= 0);
    (void)close((int)fd);
}

static void bpf_programs_of_the_agent_itself_are_left_out(void **state)
{
    struct rig *r = *state;
    uint32_t self = (uint32_t)getpid();
    assert_int_equal(wedr_sensor_self_set(r->sensor, &self, 1), 0);
    load_program("mine");
    assert_int_equal(wedr_sensor_self_set(r->sensor, NULL, 0), 0);
    load_program("theirs");
    assert_int_equal(play_count(r, LOAD, getpid(), "object_name", "mine", NULL), 0);
    assert_int_equal(play_count(r, LOAD, getpid(), "object_name", "theirs", NULL), 1);
}

/* The file's name without its ending is the module's. */
static void kernel_module_has_its_name_and_where_it_came_from(void **state)
{
    struct rig *r = *state;
    struct play p;
    char file[PATH_MAX], name[64];
    const char *given = getenv("WEDR_TEST_MODULE");
    if (!given || !realpath(given, file) || !rig_has_hook(r, "kmodule")) {
        skip(); /* a module that is not loaded, on a kernel with modules */
    }
    (void)snprintf(name, sizeof name, "%.60s", strrchr(file, '/') + 1);
    name[strcspn(name, ".")] = 0;
    play(&p, 0, WEDR_VICTIM_MODULE, ARGS("kernel-module", file, name));
    assert_played(&p);
    assert_int_equal(play_count(r, LOAD, p.pid, "object_name", name, NULL), 2);
    const struct wedr_event_view *v = play_only(r, LOAD, p.pid, "image_path", file);
    assert_str(v, "object_name", name);
    assert_int_equal(rec_uint(v, "kernel_object"), WEDR_KERNEL_OBJECT_MODULE);
    assert_int_equal(rec_uint(v, "process_key"), play_key(r, p.pid));
    assert_true(rec_uint(v, "inode") != 0);
    assert_int_equal(v->h.stream, WEDR_STREAM_CRITICAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_memory_that_becomes_executable_is_one_record),
        cmocka_unit_test(memory_that_is_writable_and_executable_from_the_start),
        cmocka_unit_test(shared_anonymous_memory_is_anonymous),
        cmocka_unit_test(executable_stack_is_named_so),
        cmocka_unit_test(executable_heap_is_named_so),
        cmocka_unit_test(shared_memory_segment_is_executable_memory),
        cmocka_unit_test(every_mapping_that_one_call_covers_is_looked_at),
        cmocka_unit_test(memfd_has_the_name_that_the_kernel_keeps),
        cmocka_unit_test(bpf_program_is_kernel_code_with_the_kernels_name_for_it),
        cmocka_unit_test(bpf_map_and_a_refused_program_are_no_kernel_code),
        cmocka_unit_test(bpf_programs_of_the_agent_itself_are_left_out),
        cmocka_unit_test(excluded_paths_are_left_out_and_memfds_are_not),
#ifdef __x86_64__
        cmocka_unit_test(calls_of_32_bits_hide_no_code),
#endif
        cmocka_unit_test(kernel_module_has_its_name_and_where_it_came_from),
    };
    int unable = rig_unable();
    return unable ? unable : rig_run_both_walks(tests);
}
