/* SPDX-License-Identifier: Apache-2.0
 * Files that are opened for writing: which opens make a record, what it says, and which make none.
 * Once per way of walking paths. */
#include "rig_file.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int create_one(void *dir)
{
    int fd = chdir(dir) == 0 ? open("new", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640) : -1;
    return fd < 0 || close(fd) != 0;
}

static void open_that_makes_the_file_is_create(void **state)
{
    struct rig *r = *state;
    char path[128];
    struct stat st;
    pid_t pid = rig_done(create_one, r->dir);
    const struct wedr_event_view *v = rig_file(r, WEDR_EV_FILE_WRITE, pid, 0);
    (void)snprintf(path, sizeof path, "%s/new", r->dir);
    assert_int_equal(stat(path, &st), 0);
    assert_str(v, "target_path", path);
    assert_int_equal(rec_uint(v, "op"), WEDR_FILE_OP_CREATE);
    assert_int_equal(rec_uint(v, "path_source"), WEDR_PATH_SOURCE_KERNEL);
    assert_int_equal(rec_uint(v, "inode"), st.st_ino);
    assert_int_equal(rec_uint(v, "nlink"), 1);
    assert_int_equal(rec_uint(v, "file_mode"), S_IFREG | 0640);
    assert_int_equal(rec_uint(v, "uid"), 0);
    assert_int_equal(rec_uint(v, "via"), 0);
    assert_true(rec_uint(v, "process_key") != 0);
    assert_true(rec_uint(v, "dev") != 0);
    assert_int_equal(rec_uint(v, "open_flags") & (O_ACCMODE | O_CREAT | O_EXCL | O_TRUNC),
                     O_WRONLY | O_CREAT | O_EXCL);
    assert_int_equal(stat("/proc/self/ns/mnt", &st), 0);
    assert_int_equal(rec_uint(v, "ns_mnt"), st.st_ino);
    assert_int_equal(rig_files(r, pid), 1);
}

static int write_again(void *dir)
{
    int fd = chdir(dir) == 0 ? open("old", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
    for (int i = 0; i < 100 && fd >= 0; i++) {
        if (write(fd, "x", 1) != 1) {
            return -1;
        }
    }
    return fd < 0 || close(fd) != 0;
}

static void open_of_an_existing_file_is_write_once_for_many_writes(void **state)
{
    struct rig *r = *state;
    rig_make_file(r, "old");
    pid_t pid = rig_done(write_again, r->dir);
    const struct wedr_event_view *v = rig_file(r, WEDR_EV_FILE_WRITE, pid, 0);
    assert_int_equal(rec_uint(v, "op"), WEDR_FILE_OP_WRITE);
    assert_int_equal(rec_uint(v, "open_flags") & (O_ACCMODE | O_CREAT | O_TRUNC),
                     O_RDWR | O_CREAT | O_TRUNC);
    assert_int_equal(rig_files(r, pid), 1);
}

static int only_read(void *dir)
{
    char *mapped;
    int pipes[2];
    int fd = chdir(dir) == 0 ? open("old", O_RDONLY | O_CLOEXEC) : -1;
    int path = open("old", O_PATH | O_CLOEXEC);
    int folder = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int none = open("/dev/null", O_WRONLY | O_CLOEXEC);
    int proc = open("/proc/self/comm", O_WRONLY | O_CLOEXEC);
    if (fd < 0 || path < 0 || folder < 0 || none < 0 || proc < 0 || pipe(pipes) != 0) {
        return -1;
    }
    mapped = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
    /* These fail. */
    return mapped == MAP_FAILED || open("old/x", O_WRONLY | O_CLOEXEC) >= 0 ||
           open(".", O_WRONLY | O_CLOEXEC) >= 0 ||
           open("old", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) >= 0 ||
           open("missing", O_WRONLY | O_CLOEXEC) >= 0;
}

static void reading_devices_pipes_and_failures_make_no_record(void **state)
{
    struct rig *r = *state;
    rig_make_file(r, "old");
    pid_t pid = rig_done(only_read, r->dir);
    rig_sync(r);
    assert_int_equal(rig_files(r, pid), 0);
}

static int open_in_all_ways(void *dir)
{
    struct open_how how = {.flags = O_WRONLY | O_CREAT | O_CLOEXEC, .mode = 0600};
    int folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0 || chdir(dir) != 0) {
        return -1;
    }
#ifdef SYS_creat
    if (syscall(SYS_creat, "by-creat", 0600) < 0 ||
        syscall(SYS_open, "by-open", O_WRONLY | O_CREAT, 0600) < 0) {
        return -1;
    }
#endif
    return openat(folder, "by-openat", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) < 0 ||
           syscall(SYS_openat2, folder, "by-openat2", &how, sizeof how) < 0 ||
           openat(folder, "old", O_RDONLY | O_TRUNC | O_CLOEXEC) < 0;
}

static void every_call_that_opens_is_seen(void **state)
{
    static const char *const names[] = {"by-creat", "by-open", "by-openat", "by-openat2"};
    struct rig *r = *state;
    char path[128];
    rig_make_file(r, "old");
    pid_t pid = rig_done(open_in_all_ways, r->dir);
    for (size_t i = 0; i < 4; i++) {
        const struct wedr_event_view *v = rig_file(r, WEDR_EV_FILE_WRITE, pid, i);
        (void)snprintf(path, sizeof path, "%s/%s", r->dir, names[i]);
        assert_str(v, "target_path", path);
        assert_int_equal(rec_uint(v, "op"), WEDR_FILE_OP_CREATE);
    }
    /* Opened for reading, emptied all the same. */
    const struct wedr_event_view *v = rig_file(r, WEDR_EV_FILE_WRITE, pid, 4);
    assert_int_equal(rec_uint(v, "op"), WEDR_FILE_OP_TRUNCATE);
    assert_int_equal(rig_files(r, pid), 5);
}

static int open_by_handle(void *dir)
{
    union {
        struct file_handle h;
        char room[sizeof(struct file_handle) + 128];
    } u;
    int id, mount = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    memset(&u, 0, sizeof u);
    u.h.handle_bytes = 128;
    if (mount < 0 || name_to_handle_at(mount, "old", &u.h, &id, 0) != 0) {
        return -1;
    }
    return open_by_handle_at(mount, &u.h, O_WRONLY | O_CLOEXEC) < 0;
}

static void open_by_handle_says_so(void **state)
{
    struct rig *r = *state;
    char path[128];
    rig_make_file(r, "old");
    pid_t pid = rig_done(open_by_handle, r->dir);
    const struct wedr_event_view *v = rig_file(r, WEDR_EV_FILE_WRITE, pid, 0);
    (void)snprintf(path, sizeof path, "%s/old", r->dir);
    assert_str(v, "target_path", path);
    assert_int_equal(rec_uint(v, "via"), WEDR_VIA_HANDLE);
    assert_int_equal(rig_files(r, pid), 1);
}

static int open_detours(void *dir)
{
    char path[256];
    (void)snprintf(path, sizeof path, "%s/../%s//./sub/../link", (const char *)dir,
                   strrchr(dir, '/') + 1);
    if (chdir(dir) != 0 || mkdir("sub", 0755) != 0 || symlink("sub/real", "link") != 0) {
        return -1;
    }
    return open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) < 0;
}

static void detours_and_links_end_in_the_kernels_path(void **state)
{
    struct rig *r = *state;
    char path[128];
    pid_t pid = rig_done(open_detours, r->dir);
    const struct wedr_event_view *v = rig_file(r, WEDR_EV_FILE_WRITE, pid, 0);
    (void)snprintf(path, sizeof path, "%s/sub/real", r->dir);
    assert_str(v, "target_path", path);
}

static int open_without_a_name(void *dir)
{
    return open(dir, O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600) < 0;
}

static void file_without_a_name_is_flagged(void **state)
{
    struct rig *r = *state;
    uint16_t flags = 0;
    pid_t pid = rig_done(open_without_a_name, r->dir);
    const struct wedr_event_view *v = rig_file(r, WEDR_EV_FILE_WRITE, pid, 0);
    (void)rec_str(v, "target_path", &flags);
    assert_true(flags & (WEDR_SF_NO_NAME | WEDR_SF_DELETED));
    assert_int_equal(rec_uint(v, "nlink"), 0);
}

static int open_odd_name(void *dir)
{
    return chdir(dir) != 0 || open("a\xff\xfe\nb", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) < 0;
}

static void name_that_is_no_utf8_arrives_byte_for_byte(void **state)
{
    struct rig *r = *state;
    char path[128];
    pid_t pid = rig_done(open_odd_name, r->dir);
    (void)snprintf(path, sizeof path, "%s/a\xff\xfe\nb", r->dir);
    assert_str(rig_file(r, WEDR_EV_FILE_WRITE, pid, 0), "target_path", path);
}

static int open_deep(void *dir)
{
    char name[201];
    memset(name, 'd', 200);
    name[200] = 0;
    if (chdir(dir) != 0) {
        return -1;
    }
    for (int i = 0; i < 22; i++) {
        if ((mkdir(name, 0755) != 0 && i == 0) || chdir(name) != 0) {
            return -1;
        }
    }
    return open("leaf", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) < 0;
}

static void path_over_4095_bytes_loses_its_head_not_its_leaf(void **state)
{
    struct rig *r = *state;
    uint16_t flags = 0;
    pid_t pid = rig_done(open_deep, r->dir);
    const struct wedr_event_view *v = rig_file(r, WEDR_EV_FILE_WRITE, pid, 0);
    struct wedr_span path = rec_str(v, "target_path", &flags);
    assert_int_equal(flags, WEDR_SF_HEAD_CUT);
    assert_memory_equal(path.p + path.len - 9, "dddd/leaf", 9);
}

static int open_in_chroot(void *dir)
{
    return chroot(dir) != 0 || chdir("/") != 0 ||
           open("/inside", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) < 0;
}

static void chroot_does_not_hide_the_real_path(void **state)
{
    struct rig *r = *state;
    char path[128];
    pid_t pid = rig_done(open_in_chroot, r->dir);
    (void)snprintf(path, sizeof path, "%s/inside", r->dir);
    assert_str(rig_file(r, WEDR_EV_FILE_WRITE, pid, 0), "target_path", path);
}

static int open_on_overlay(void *dir)
{
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", dir, "tmpfs", 0, NULL) != 0 || chdir(dir) != 0 || mkdir("low", 0755) != 0 ||
        mkdir("up", 0755) != 0 || mkdir("work", 0755) != 0 || mkdir("both", 0755) != 0) {
        return -1;
    }
    int fd = open("low/file", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    return fd < 0 ||
           mount("overlay", "both", "overlay", 0, "lowerdir=low,upperdir=up,workdir=work") != 0 ||
           open("both/file", O_WRONLY | O_CLOEXEC) < 0;
}

static void overlay_shows_the_merged_path(void **state)
{
    struct rig *r = *state;
    char path[128];
    struct stat st;
    pid_t pid = rig_done(open_on_overlay, r->dir);
    const struct wedr_event_view *v = rig_file(r, WEDR_EV_FILE_WRITE, pid, 1);
    (void)snprintf(path, sizeof path, "%s/both/file", r->dir);
    assert_str(v, "target_path", path);
    assert_int_equal(stat("/proc/self/ns/mnt", &st), 0);
    assert_true(rec_uint(v, "ns_mnt") != st.st_ino);
    assert_int_equal(rig_files(r, pid), 2);
}

static int open_memory(void *pid)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/mem", *(pid_t *)pid);
    return open(path, O_RDWR | O_CLOEXEC) < 0 || open("/proc/self/mem", O_RDONLY | O_CLOEXEC) < 0;
}

static void memory_of_another_process_is_handle_access(void **state)
{
    struct rig *r = *state;
    pid_t target = getpid();
    pid_t pid = rig_done(open_memory, &target);
    const struct wedr_event_view *v = rig_wait(r, WEDR_EV_PROCESS_HANDLE_ACCESS, pid, 0);
    assert_non_null(v);
    assert_int_equal(rec_uint(v, "target_pid"), target);
    assert_int_equal(rec_uint(v, "op"), WEDR_HANDLE_OP_PROC_MEM);
    assert_int_equal(rec_uint(v, "request") & O_ACCMODE, O_RDWR);
    assert_true(rec_uint(v, "target_key") != 0 && rec_uint(v, "source_key") != 0);
    rig_sync(r);
    assert_int_equal(rig_count(r, WEDR_EV_PROCESS_HANDLE_ACCESS, pid), 1);
    assert_int_equal(rig_files(r, pid), 0);
}

static int open_memory_often(void *target)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/mem", *(pid_t *)target);
    for (int i = 0; i < 1000; i++) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || close(fd) != 0) {
            return -1;
        }
    }
    return open(path, O_RDWR | O_CLOEXEC) < 0;
}

/* To read it, and to write it. */
static void memory_opened_again_and_again_is_told_once_each_way(void **state)
{
    struct rig *r = *state;
    pid_t target = rig_idler();
    pid_t pid = rig_done(open_memory_often, &target);
    rig_idler_end(target);
    rig_sync(r);
    assert_int_equal(rig_count(r, WEDR_EV_PROCESS_HANDLE_ACCESS, pid), 2);
    for (size_t i = 0; i < 2; i++) {
        const struct wedr_event_view *v = rig_wait(r, WEDR_EV_PROCESS_HANDLE_ACCESS, pid, i);
        assert_int_equal(rec_uint(v, "target_pid"), target);
        assert_int_equal(rec_uint(v, "request") & O_ACCMODE, i ? O_RDWR : O_RDONLY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(open_that_makes_the_file_is_create, rig_empty),
        cmocka_unit_test_setup(open_of_an_existing_file_is_write_once_for_many_writes, rig_empty),
        cmocka_unit_test_setup(reading_devices_pipes_and_failures_make_no_record, rig_empty),
        cmocka_unit_test_setup(every_call_that_opens_is_seen, rig_empty),
        cmocka_unit_test_setup(open_by_handle_says_so, rig_empty),
        cmocka_unit_test_setup(detours_and_links_end_in_the_kernels_path, rig_empty),
        cmocka_unit_test_setup(file_without_a_name_is_flagged, rig_empty),
        cmocka_unit_test_setup(name_that_is_no_utf8_arrives_byte_for_byte, rig_empty),
        cmocka_unit_test_setup(path_over_4095_bytes_loses_its_head_not_its_leaf, rig_empty),
        cmocka_unit_test_setup(chroot_does_not_hide_the_real_path, rig_empty),
        cmocka_unit_test_setup(overlay_shows_the_merged_path, rig_empty),
        cmocka_unit_test_setup(memory_of_another_process_is_handle_access, rig_empty),
        cmocka_unit_test_setup(memory_opened_again_and_again_is_told_once_each_way, rig_empty),
    };
    int unable = rig_unable();
    return unable ? unable : rig_run_both_walks(tests);
}
