/* SPDX-License-Identifier: Apache-2.0
 * Files that are mapped executable: once per process and file, whichever way it happens. Once per
 * way of walking paths. */
#include "play.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOAD WEDR_EV_MODULE_LOAD
#define MEMORY WEDR_EV_MEMORY_EXEC

/* A library of this test's own, in the rig's folder. */
static const char *library(const struct rig *r, const char *name, char ret[128])
{
    (void)snprintf(ret, 128, "%s/%s", r->dir, name);
    play_copy(WEDR_LIBRARY, ret, 0755);
    return ret;
}

/* The kernel's own number of a device. */
static uint64_t kernel_dev(dev_t dev)
{
    return (uint64_t)major(dev) << 20 | minor(dev);
}

static void dlopen_is_one_record_with_the_facts_of_the_file(void **state)
{
    struct rig *r = *state;
    struct play p;
    struct stat st;
    char path[128];
    library(r, "facts.so", path);
    play(&p, 0, WEDR_VICTIM_MODULE, ARGS("dlopen", path));
    assert_played(&p);
    const struct wedr_event_view *v = play_only(r, LOAD, p.pid, "image_path", path);
    assert_str(v, "image_path", path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(rec_uint(v, "inode"), st.st_ino);
    assert_int_equal(rec_uint(v, "dev"), kernel_dev(st.st_dev));
    assert_int_equal(rec_uint(v, "nlink"), 1);
    assert_int_equal(rec_uint(v, "map_flags"), 0);
    assert_int_equal(rec_uint(v, "kernel_object"), 0);
    assert_int_equal(rec_uint(v, "uid"), 0);
    assert_int_equal(rec_uint(v, "process_key"), play_key(r, p.pid));
    assert_int_equal(rec_uint(v, "image_base") % 4096, 0);
    assert_true(rec_uint(v, "image_base") != 0);
    assert_true(rec_uint(v, "image_size") > 0 && rec_uint(v, "image_size") < 1 << 20);
    assert_int_equal(v->h.stream, WEDR_STREAM_BULK);
    assert_int_equal(play_count(r, MEMORY, p.pid, NULL, NULL, NULL), 0);
}

static void a_user_is_named(void **state)
{
    struct rig *r = *state;
    struct play p;
    char path[128], program[128];
    library(r, "user.so", path);
    (void)snprintf(program, sizeof program, "%s/victim", r->dir);
    play_copy(WEDR_VICTIM_MODULE, program, 0755);
    play(&p, 12345, program, ARGS("dlopen", path));
    assert_played(&p);
    assert_int_equal(rec_uint(play_only(r, LOAD, p.pid, "image_path", path), "uid"), 12345);
}

/* Where a library of this process lies: the victims use the same one. */
static void own_library(const char *name, char ret[256])
{
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "re");
    ret[0] = 0;
    while (maps && fgets(line, sizeof line, maps)) {
        const char *path = strchr(line, '/');
        line[strcspn(line, "\n")] = 0;
        if (path && strncmp(strrchr(path, '/') + 1, name, strlen(name)) == 0) {
            (void)snprintf(ret, 256, "%s", path);
            break;
        }
    }
    assert_non_null(maps);
    (void)fclose(maps);
    assert_true(ret[0] == '/');
}

/* The C library is mapped by ld.so, ld.so by execve itself, the program is in its process_create.
 */
static void a_dynamic_program_loads_its_libraries_and_ld_so_and_not_itself(void **state)
{
    struct rig *r = *state;
    struct play p;
    char interpreter[256], libc[256];
    own_library("ld-linux-", interpreter);
    own_library("libc.so", libc);
    play(&p, 0, WEDR_VICTIM_MODULE, ARGS("nothing"));
    const struct wedr_event_view *v = play_only(r, LOAD, p.pid, "image_path", interpreter);
    assert_int_equal(rec_uint(v, "map_flags"), 0);
    assert_true(rec_uint(v, "image_base") != 0 && rec_uint(v, "image_size") != 0);
    (void)play_only(r, LOAD, p.pid, "image_path", libc);
    assert_int_equal(play_count(r, LOAD, p.pid, "image_path", WEDR_VICTIM_MODULE, NULL), 0);
    assert_int_equal(play_count(r, LOAD, p.pid, NULL, NULL, NULL), 2);
}

static void a_static_program_loads_nothing(void **state)
{
    struct play p;
    play(&p, 0, WEDR_VICTIM, ARGS("exit", "0"));
    assert_int_equal(play_count(*state, LOAD, p.pid, NULL, NULL, NULL), 0);
    assert_int_equal(play_count(*state, MEMORY, p.pid, NULL, NULL, NULL), 0);
    assert_int_equal(play_count(*state, WEDR_EV_PROCESS_CREATE, p.pid, NULL, NULL, NULL), 1);
}

static void the_same_file_again_is_no_second_record(void **state)
{
    struct play p;
    char path[128];
    library(*state, "twice.so", path);
    play(&p, 0, WEDR_VICTIM_MODULE, ARGS("dlopen-twice", path));
    assert_played(&p);
    (void)play_only(*state, LOAD, p.pid, "image_path", path);
}

static void a_file_that_changed_is_another_one(void **state)
{
    struct play p;
    char path[128];
    library(*state, "changed.so", path);
    play(&p, 0, WEDR_VICTIM_MODULE, ARGS("dlopen-changed", path));
    assert_played(&p);
    assert_int_equal(play_count(*state, LOAD, p.pid, "image_path", path, NULL), 2);
}

static void the_second_thread_loads_for_the_process(void **state)
{
    struct play p;
    char path[128];
    library(*state, "thread.so", path);
    play(&p, 0, WEDR_VICTIM_MODULE, ARGS("dlopen-thread", path));
    assert_played(&p);
    const struct wedr_event_view *v = play_only(*state, LOAD, p.pid, "image_path", path);
    assert_int_equal(rec_uint(v, "process_key"), play_key(*state, p.pid));
}

static void after_exec_everything_is_loaded_anew(void **state)
{
    struct play p;
    char path[128];
    library(*state, "exec.so", path);
    play(&p, 0, WEDR_VICTIM_MODULE, ARGS("dlopen-exec", path));
    assert_played(&p);
    assert_int_equal(play_count(*state, LOAD, p.pid, "image_path", path, NULL), 2);
    assert_int_equal(play_count(*state, LOAD, p.pid, NULL, NULL, NULL), 6); /* ld.so, libc, it */
}

static void memfd_is_critical_and_says_so(void **state)
{
    struct rig *r = *state;
    struct play p;
    char path[128];
    library(r, "memfd.so", path);
    play(&p, 0, WEDR_VICTIM_MODULE, ARGS("dlopen-memfd", path));
    assert_played(&p);
    const struct wedr_event_view *v = play_only(r, LOAD, p.pid, "image_path", "/memfd:evil");
    assert_str(v, "image_path", "/memfd:evil");
    assert_int_equal(rec_uint(v, "map_flags"), WEDR_MAP_FLAGS_MEMFD | WEDR_MAP_FLAGS_NO_NAME);
    assert_int_equal(rec_uint(v, "nlink"), 0);
    assert_int_equal(v->h.stream, WEDR_STREAM_CRITICAL);
    const struct wedr_event_view *made = play_only(r, WEDR_EV_MEMFD_CREATE, p.pid, "name", "evil");
    assert_int_equal(rec_uint(made, "inode"), rec_uint(v, "inode"));
}

static void a_memfd_that_is_written_again_and_again_is_told_once(void **state)
{
    struct play p;
    play(&p, 0, WEDR_VICTIM_MODULE, ARGS("memfd-often", WEDR_LIBRARY));
    assert_played(&p);
    (void)play_only(*state, LOAD, p.pid, "image_path", "/memfd:often");
}

static void deleted_file_is_critical_and_keeps_its_last_path(void **state)
{
    struct rig *r = *state;
    struct play p;
    char path[128], gone[128];
    library(r, "origin.so", path);
    (void)snprintf(gone, sizeof gone, "%s/gone.so", r->dir);
    play(&p, 0, WEDR_VICTIM_MODULE, ARGS("dlopen-deleted", path, gone));
    assert_played(&p);
    const struct wedr_event_view *v = play_only(r, LOAD, p.pid, "image_path", gone);
    assert_int_equal(rec_uint(v, "map_flags"), WEDR_MAP_FLAGS_DELETED);
    assert_int_equal(rec_uint(v, "nlink"), 0);
    assert_int_equal(v->h.stream, WEDR_STREAM_CRITICAL);
}

static void looking_at_a_file_is_not_loading_it(void **state)
{
    struct play p;
    char path[128];
    library(*state, "look.so", path);
    play(&p, 0, WEDR_VICTIM_MODULE, ARGS("look", path));
    assert_played(&p);
    assert_int_equal(play_count(*state, LOAD, p.pid, "image_path", path, NULL), 0);
    assert_int_equal(play_count(*state, LOAD, p.pid, NULL, NULL, NULL), 2); /* ld.so, libc */
    assert_int_equal(play_count(*state, MEMORY, p.pid, NULL, NULL, NULL), 0);
}

static void check_late(struct rig *r, const char *verb)
{
    struct play p;
    char path[128], name[32];
    (void)snprintf(name, sizeof name, "%s.so", verb);
    library(r, name, path);
    play(&p, 0, WEDR_VICTIM_MODULE, ARGS(verb, path));
    assert_played(&p);
    const struct wedr_event_view *v = play_only(r, LOAD, p.pid, "image_path", path);
    assert_int_equal(rec_uint(v, "map_flags"), WEDR_MAP_FLAGS_MPROTECT);
    v = play_only(r, MEMORY, p.pid, NULL, NULL);
    assert_str(v, "image_path", path);
    assert_int_equal(rec_uint(v, "map_flags"), WEDR_MAP_FLAGS_MPROTECT);
    assert_int_equal(rec_uint(v, "prot"), 5);
    assert_int_equal(rec_uint(v, "size"), 4096);
}

static void a_file_that_becomes_executable_later_is_loaded_then(void **state)
{
    check_late(*state, "late-exec");
    check_late(*state, "late-exec-pkey");
}

static void personality_that_makes_all_reading_executing_hides_nothing(void **state)
{
    struct play p;
    char path[128];
    library(*state, "old.so", path);
    play(&p, 0, WEDR_VICTIM_MODULE, ARGS("old-personality", path));
    assert_played(&p);
    (void)play_only(*state, LOAD, p.pid, "image_path", path);
}

struct place_test {
    char dir[128], path[160], lower[128], options[512];
};

/* Mounts a file system that only this process sees, and loads a library from there. */
static int in_namespace(void *arg)
{
    const struct place_test *t = arg;
    bool overlay = t->lower[0] != 0;
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("here", t->dir, overlay ? "overlay" : "tmpfs", 0, overlay ? t->options : NULL) != 0) {
        return -1;
    }
    if (!overlay) {
        play_copy(WEDR_LIBRARY, t->path, 0755);
    }
    return execl(WEDR_VICTIM_MODULE, WEDR_VICTIM_MODULE, "dlopen", t->path, (char *)NULL);
}

static void library_in_a_mount_namespace_has_its_path_there(void **state)
{
    struct rig *r = *state;
    struct place_test t = {.lower = ""};
    int status = -1;
    (void)snprintf(t.dir, sizeof t.dir, "%s/private", r->dir);
    (void)snprintf(t.path, sizeof t.path, "%s/private.so", t.dir);
    assert_int_equal(mkdir(t.dir, 0755), 0);
    pid_t pid = rig_run(in_namespace, &t, &status);
    assert_int_equal(status, 0);
    const struct wedr_event_view *v = play_only(r, LOAD, pid, "image_path", r->dir);
    assert_str(v, "image_path", t.path);
    assert_int_equal(rec_uint(v, "map_flags"), 0);
    assert_int_equal(rmdir(t.dir), 0);
}

/* What is mapped belongs to the layer below; what was opened is the merged path. */
static void library_on_an_overlay_has_the_path_that_was_opened(void **state)
{
    struct rig *r = *state;
    struct place_test t;
    char name[160];
    int status = -1;
    static const char *const sub[] = {"lower", "upper", "work", "merged"};
    (void)snprintf(t.dir, sizeof t.dir, "%s/overlay", r->dir);
    assert_int_equal(mkdir(t.dir, 0755), 0);
    assert_int_equal(mount("rig", t.dir, "tmpfs", 0, NULL), 0);
    for (size_t i = 0; i < 4; i++) {
        (void)snprintf(name, sizeof name, "%s/overlay/%s", r->dir, sub[i]);
        assert_int_equal(mkdir(name, 0755), 0);
    }
    (void)snprintf(t.lower, sizeof t.lower, "%s/overlay/lower/deep.so", r->dir);
    play_copy(WEDR_LIBRARY, t.lower, 0755);
    (void)snprintf(t.options, sizeof t.options,
                   "lowerdir=%s/overlay/lower,upperdir=%s/overlay/upper,workdir=%s/overlay/work",
                   r->dir, r->dir, r->dir);
    (void)snprintf(t.dir, sizeof t.dir, "%s/overlay/merged", r->dir);
    (void)snprintf(t.path, sizeof t.path, "%s/deep.so", t.dir);
    pid_t pid = rig_run(in_namespace, &t, &status);
    (void)snprintf(name, sizeof name, "%s/overlay", r->dir);
    assert_int_equal(umount2(name, MNT_DETACH), 0);
    assert_int_equal(rmdir(name), 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 95) {
        skip(); /* no overlayfs here */
    }
    assert_int_equal(status, 0);
    const struct wedr_event_view *v = play_only(r, LOAD, pid, "image_path", r->dir);
    assert_str(v, "image_path", t.path);
    assert_int_equal(rec_uint(v, "map_flags"), 0);
    assert_int_equal(rec_uint(v, "nlink"), 1);
}

static void threads_that_keep_the_address_space_busy_hide_nothing(void **state)
{
    struct rig *r = *state;
    struct play p;
    char dir[128], path[160];
    (void)snprintf(dir, sizeof dir, "%s/busy", r->dir);
    assert_int_equal(mkdir(dir, 0755), 0);
    for (int i = 0; i < 200; i++) {
        (void)snprintf(path, sizeof path, "%s/%d", dir, i);
        play_copy(WEDR_LIBRARY, path, 0755);
    }
    play(&p, 0, WEDR_VICTIM_MODULE, ARGS("contended", dir, "200"));
    assert_played(&p);
    assert_int_equal(play_count(r, LOAD, p.pid, "image_path", dir, NULL), 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dlopen_is_one_record_with_the_facts_of_the_file),
        cmocka_unit_test(a_user_is_named),
        cmocka_unit_test(a_dynamic_program_loads_its_libraries_and_ld_so_and_not_itself),
        cmocka_unit_test(a_static_program_loads_nothing),
        cmocka_unit_test(the_same_file_again_is_no_second_record),
        cmocka_unit_test(a_file_that_changed_is_another_one),
        cmocka_unit_test(the_second_thread_loads_for_the_process),
        cmocka_unit_test(after_exec_everything_is_loaded_anew),
        cmocka_unit_test(memfd_is_critical_and_says_so),
        cmocka_unit_test(a_memfd_that_is_written_again_and_again_is_told_once),
        cmocka_unit_test(deleted_file_is_critical_and_keeps_its_last_path),
        cmocka_unit_test(looking_at_a_file_is_not_loading_it),
        cmocka_unit_test(a_file_that_becomes_executable_later_is_loaded_then),
        cmocka_unit_test(personality_that_makes_all_reading_executing_hides_nothing),
        cmocka_unit_test(library_in_a_mount_namespace_has_its_path_there),
        cmocka_unit_test(library_on_an_overlay_has_the_path_that_was_opened),
        cmocka_unit_test(threads_that_keep_the_address_space_busy_hide_nothing),
    };
    int unable = rig_unable();
    return unable ? unable : rig_run_both_walks(tests);
}
