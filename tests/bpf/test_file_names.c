/* SPDX-License-Identifier: Apache-2.0
 * Files that are changed by name: renamed, removed, linked, given other rights. What the caller
 * wrote is followed through kernel objects, so the path is right whatever it looked like. Without
 * the area `truth`, once per way of walking paths. */
#include "rig_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#ifndef SYS_fchmodat2
#    define SYS_fchmodat2 452
#endif

static int rename_all(void *dir)
{
    int folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0 || chdir(dir) != 0) {
        return -1;
    }
    return rename("a", "b") != 0 || renameat(folder, "b", AT_FDCWD, "c") != 0 ||
           renameat2(folder, "c", folder, "d", RENAME_NOREPLACE) != 0 ||
           renameat2(folder, "d", folder, "other", RENAME_EXCHANGE) != 0 ||
           rename("missing", "x") == 0 || rename("d", "nowhere/x") == 0;
}

static void every_rename_has_both_names(void **state)
{
    static const char *const from[] = {"a", "b", "c", "d"}, *const to[] = {"b", "c", "d", "other"};
    struct rig *r = *state;
    rig_make_file(r, "a");
    rig_make_file(r, "other");
    ino_t inode = rig_inode(r, "a");
    pid_t pid = rig_done(rename_all, r->dir);
    for (size_t i = 0; i < 4; i++) {
        const struct wedr_event_view *v = rig_file(r, WEDR_EV_FILE_RENAME, pid, i);
        rig_assert_path(v, "source_path", r, from[i]);
        rig_assert_path(v, "target_path", r, to[i]);
        assert_int_equal(rec_uint(v, "path_source"), WEDR_PATH_SOURCE_USER);
        assert_int_equal(rec_uint(v, "inode"), inode);
        assert_int_equal(rec_uint(v, "nlink"), 1);
        assert_int_equal(rec_uint(v, "uid"), 0);
        assert_true(rec_uint(v, "ns_mnt") != 0);
    }
    rig_sync(r);
    assert_int_equal(rig_files(r, pid), 4);
}

static int remove_all(void *dir)
{
    int folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0 || chdir(dir) != 0) {
        return -1;
    }
    return unlink("a") != 0 || unlinkat(folder, "b", 0) != 0 || unlink("a") == 0 ||
           mkdir("folder", 0755) != 0 || rmdir("folder") != 0 || mkdir("folder", 0755) != 0 ||
           unlinkat(folder, "folder", AT_REMOVEDIR) != 0;
}

static void removed_names_are_told_folders_are_not(void **state)
{
    struct rig *r = *state;
    rig_make_file(r, "a");
    rig_make_file(r, "b");
    ino_t inode = rig_inode(r, "b");
    pid_t pid = rig_done(remove_all, r->dir);
    rig_assert_path(rig_file(r, WEDR_EV_FILE_DELETE, pid, 0), "target_path", r, "a");
    const struct wedr_event_view *v = rig_file(r, WEDR_EV_FILE_DELETE, pid, 1);
    rig_assert_path(v, "target_path", r, "b");
    assert_int_equal(rec_uint(v, "inode"), inode);
    assert_int_equal(rec_uint(v, "nlink"), 0);
    assert_int_equal(rec_uint(v, "path_source"), WEDR_PATH_SOURCE_USER);
    rig_sync(r);
    assert_int_equal(rig_files(r, pid), 2);
}

static int link_all(void *dir)
{
    int folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0 || chdir(dir) != 0) {
        return -1;
    }
    return link("a", "hard") != 0 || symlink("/etc/passwd", "soft") != 0 ||
           linkat(folder, "soft", folder, "of-link", 0) != 0 ||
           symlinkat("some where", folder, "soft2") != 0 || link("a", "hard") == 0;
}

static void links_have_their_two_ends(void **state)
{
    struct rig *r = *state;
    rig_make_file(r, "a");
    pid_t pid = rig_done(link_all, r->dir);
    const struct wedr_event_view *v = rig_file(r, WEDR_EV_FILE_LINK, pid, 0);
    assert_int_equal(rec_uint(v, "op"), WEDR_FILE_OP_LINK);
    rig_assert_path(v, "target_path", r, "hard");
    rig_assert_path(v, "source_path", r, "a");
    assert_int_equal(rec_uint(v, "inode"), rig_inode(r, "a"));
    assert_int_equal(rec_uint(v, "nlink"), 2);
    v = rig_file(r, WEDR_EV_FILE_LINK, pid, 1);
    assert_int_equal(rec_uint(v, "op"), WEDR_FILE_OP_SYMLINK);
    rig_assert_path(v, "target_path", r, "soft");
    assert_str(v, "source_path", "/etc/passwd");
    assert_int_equal(rec_uint(v, "inode"), rig_inode(r, "soft"));
    v = rig_file(r, WEDR_EV_FILE_LINK, pid, 2);
    rig_assert_path(v, "target_path", r, "of-link");
    rig_assert_path(v, "source_path", r, "soft");
    v = rig_file(r, WEDR_EV_FILE_LINK, pid, 3);
    assert_str(v, "source_path", "some where");
    rig_sync(r);
    assert_int_equal(rig_files(r, pid), 4);
}

/* From 6.6 on. */
static bool has_fchmodat2(void)
{
    return syscall(SYS_fchmodat2, -1, "", 0, 0) == 0 || errno != ENOSYS;
}

static int change_mode(void *dir)
{
    int fd = chdir(dir) == 0 ? open("a", O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0 || symlink("a", "soft") != 0) {
        return -1;
    }
    return chmod("soft", 04755) != 0 || fchmodat(AT_FDCWD, "a", 0600, 0) != 0 ||
           fchmod(fd, 02711) != 0 ||
           (has_fchmodat2() && syscall(SYS_fchmodat2, AT_FDCWD, "a", 0640, 0) != 0) ||
           chmod("missing", 0600) == 0;
}

static void every_chmod_shows_the_mode_and_the_file_behind_a_link(void **state)
{
    static const unsigned modes[] = {04755, 0600, 02711, 0640};
    size_t count = has_fchmodat2() ? 4 : 3;
    struct rig *r = *state;
    rig_make_file(r, "a");
    pid_t pid = rig_done(change_mode, r->dir);
    for (size_t i = 0; i < count; i++) {
        const struct wedr_event_view *v = rig_file(r, WEDR_EV_FILE_ATTRIBUTE, pid, i);
        assert_int_equal(rec_uint(v, "op"), WEDR_FILE_OP_CHMOD);
        rig_assert_path(v, "target_path", r, "a");
        assert_int_equal(rec_uint(v, "file_mode"), S_IFREG | modes[i]);
        assert_int_equal(rec_uint(v, "inode"), rig_inode(r, "a"));
        assert_int_equal(rec_uint(v, "path_source"),
                         i == 2 ? WEDR_PATH_SOURCE_KERNEL : WEDR_PATH_SOURCE_USER);
    }
    rig_sync(r);
    assert_int_equal(rig_count(r, WEDR_EV_FILE_ATTRIBUTE, pid), count);
}

static int change_owner(void *dir)
{
    int fd = chdir(dir) == 0 ? open("a", O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0 || symlink("a", "soft") != 0) {
        return -1;
    }
    return chown("soft", 1000, 1001) != 0 || lchown("soft", 1002, (gid_t)-1) != 0 ||
           fchown(fd, 0, 0) != 0 || fchownat(fd, "", 7, 8, AT_EMPTY_PATH) != 0;
}

static void every_chown_shows_the_new_owner(void **state)
{
    static const char *const names[] = {"a", "soft", "a", "a"};
    static const uint32_t owners[] = {1000, 1002, 0, 7}, groups[] = {1001, UINT32_MAX, 0, 8};
    struct rig *r = *state;
    rig_make_file(r, "a");
    pid_t pid = rig_done(change_owner, r->dir);
    for (size_t i = 0; i < 4; i++) {
        const struct wedr_event_view *v = rig_file(r, WEDR_EV_FILE_ATTRIBUTE, pid, i);
        assert_int_equal(rec_uint(v, "op"), WEDR_FILE_OP_CHOWN);
        rig_assert_path(v, "target_path", r, names[i]);
        assert_int_equal(rec_uint(v, "owner_uid"), owners[i]);
        assert_int_equal(rec_uint(v, "owner_gid"), groups[i]);
    }
    rig_sync(r);
    assert_int_equal(rig_count(r, WEDR_EV_FILE_ATTRIBUTE, pid), 4);
}

static int change_xattr(void *dir)
{
    int fd = chdir(dir) == 0 ? open("a", O_RDONLY | O_CLOEXEC) : -1;
    return fd < 0 || setxattr("a", "trusted.one", "v", 1, 0) != 0 ||
           fsetxattr(fd, "trusted.two", "v", 1, 0) != 0 ||
           /* tmpfs has such attributes from 6.6 on */
           (lsetxattr("a", "user.unwatched", "v", 1, 0) != 0 && errno != EOPNOTSUPP) ||
           removexattr("a", "trusted.one") != 0 || fremovexattr(fd, "trusted.two") != 0 ||
           removexattr("a", "trusted.one") == 0;
}

static void watched_attributes_are_told_by_name(void **state)
{
    static const char *const names[] = {"trusted.one", "trusted.two", "trusted.one", "trusted.two"};
    static const char *const watched[] = {"trusted."};
    struct rig *r = *state;
    struct wedr_sensor_policy p;
    wedr_sensor_policy_init(&p);
    p.xattrs_watched = watched;
    p.xattr_count = 1;
    assert_int_equal(wedr_sensor_policy_set(r->sensor, &p, NULL), 0);
    rig_make_file(r, "a");
    pid_t pid = rig_done(change_xattr, r->dir);
    for (size_t i = 0; i < 4; i++) {
        const struct wedr_event_view *v = rig_file(r, WEDR_EV_FILE_ATTRIBUTE, pid, i);
        assert_int_equal(rec_uint(v, "op"),
                         i < 2 ? WEDR_FILE_OP_SETXATTR : WEDR_FILE_OP_REMOVEXATTR);
        rig_assert_path(v, "target_path", r, "a");
        assert_str(v, "xattr_name", names[i]);
    }
    rig_sync(r);
    assert_int_equal(rig_files(r, pid), 4);
}

static int cut_short(void *dir)
{
    return chdir(dir) != 0 || truncate("a", 0) != 0;
}

static void truncate_by_name_is_a_write(void **state)
{
    struct rig *r = *state;
    rig_make_file(r, "a");
    pid_t pid = rig_done(cut_short, r->dir);
    const struct wedr_event_view *v = rig_file(r, WEDR_EV_FILE_WRITE, pid, 0);
    assert_int_equal(rec_uint(v, "op"), WEDR_FILE_OP_TRUNCATE);
    rig_assert_path(v, "target_path", r, "a");
}

/* Down into a folder over links, dots, doubled slashes, the magic links of /proc and a mount. */
static int take_detours(void *dir)
{
    char path[512], old[512];
    const char *base = strrchr(dir, '/') + 1;
    int folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0 || chdir(dir) != 0 || mkdir("real", 0755) != 0 || mkdir("real/in", 0755) != 0 ||
        symlink("real/../real", "rel") != 0) {
        return -1;
    }
    (void)snprintf(path, sizeof path, "%s/rel/in", (const char *)dir);
    if (symlink(path, "abs") != 0) {
        return -1;
    }
    (void)snprintf(old, sizeof old, "%s/../%s//./real/../a", (const char *)dir, base);
    (void)snprintf(path, sizeof path, "/proc/self/root%s/rel//in/../../abs/b", (const char *)dir);
    if (rename(old, path) != 0) {
        return -1;
    }
    (void)snprintf(old, sizeof old, "/proc/%d/cwd/abs/b", (int)getpid());
    (void)snprintf(path, sizeof path, "/proc/thread-self/fd/%d/rel/c", folder);
    return rename(old, path) != 0;
}

static void detours_end_in_the_real_folder(void **state)
{
    struct rig *r = *state;
    rig_make_file(r, "a");
    pid_t pid = rig_done(take_detours, r->dir);
    const struct wedr_event_view *v = rig_file(r, WEDR_EV_FILE_RENAME, pid, 0);
    rig_assert_path(v, "source_path", r, "a");
    rig_assert_path(v, "target_path", r, "real/in/b");
    v = rig_file(r, WEDR_EV_FILE_RENAME, pid, 1);
    rig_assert_path(v, "source_path", r, "real/in/b");
    rig_assert_path(v, "target_path", r, "real/c");
}

static int cross_mounts(void *dir)
{
    char path[256];
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", dir, "tmpfs", 0, NULL) != 0 || chdir(dir) != 0 || mkdir("m", 0755) != 0 ||
        mount("tmpfs", "m", "tmpfs", 0, NULL) != 0 || mkdir("m/n", 0755) != 0) {
        return -1;
    }
    (void)snprintf(path, sizeof path, "%s/m/n/file", (const char *)dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    return fd < 0 || rename(path, "m/n/../moved") != 0;
}

static void mounts_of_another_namespace_are_crossed(void **state)
{
    struct rig *r = *state;
    pid_t pid = rig_done(cross_mounts, r->dir);
    const struct wedr_event_view *v = rig_file(r, WEDR_EV_FILE_RENAME, pid, 0);
    rig_assert_path(v, "source_path", r, "m/n/file");
    rig_assert_path(v, "target_path", r, "m/moved");
}

static int in_chroot(void *dir)
{
    return chroot(dir) != 0 || chdir("/") != 0 || rename("/a", "/../../b") != 0;
}

static void chroot_does_not_hide_the_real_path(void **state)
{
    struct rig *r = *state;
    rig_make_file(r, "a");
    pid_t pid = rig_done(in_chroot, r->dir);
    const struct wedr_event_view *v = rig_file(r, WEDR_EV_FILE_RENAME, pid, 0);
    rig_assert_path(v, "source_path", r, "a");
    rig_assert_path(v, "target_path", r, "b");
}

static int name_a_nameless(void *dir)
{
    char path[64];
    int fd = open(dir, O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return fd < 0 || chdir(dir) != 0 ||
           linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW) != 0;
}

static void nameless_file_that_gets_a_name_is_a_link(void **state)
{
    struct rig *r = *state;
    pid_t pid = rig_done(name_a_nameless, r->dir);
    const struct wedr_event_view *v = rig_file(r, WEDR_EV_FILE_LINK, pid, 0);
    rig_assert_path(v, "target_path", r, "named");
    assert_int_equal(rec_uint(v, "inode"), rig_inode(r, "named"));
    assert_int_equal(rec_uint(v, "nlink"), 1);
}

static int odd_names(void *dir)
{
    char name[256];
    memset(name, 'n', 255);
    name[255] = 0;
    return chdir(dir) != 0 || rename("a", "b\xff\xfe\nc") != 0 || rename("b\xff\xfe\nc", name) != 0;
}

static void odd_and_long_names_arrive_byte_for_byte(void **state)
{
    struct rig *r = *state;
    char name[256];
    rig_make_file(r, "a");
    pid_t pid = rig_done(odd_names, r->dir);
    rig_assert_path(rig_file(r, WEDR_EV_FILE_RENAME, pid, 0), "target_path", r, "b\xff\xfe\nc");
    memset(name, 'n', 255);
    name[255] = 0;
    rig_assert_path(rig_file(r, WEDR_EV_FILE_RENAME, pid, 1), "target_path", r, name);
}

/* A name of almost 4 KiB that says the same folder again and again. */
static int long_way_round(void *dir)
{
    static char path[4096];
    size_t len = 0;
    if (chdir(dir) != 0 || mkdir("d", 0755) != 0) {
        return -1;
    }
    for (int i = 0; i < 20; i++) {
        len += (size_t)snprintf(path + len, sizeof path - len, "d/..");
        memset(path + len, '/', 180);
        len += 180;
    }
    (void)snprintf(path + len, sizeof path - len, "b");
    return rename("a", path) != 0;
}

static void name_of_nearly_4_kib_is_followed(void **state)
{
    struct rig *r = *state;
    rig_make_file(r, "a");
    pid_t pid = rig_done(long_way_round, r->dir);
    rig_assert_path(rig_file(r, WEDR_EV_FILE_RENAME, pid, 0), "target_path", r, "b");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, rig_empty)
    const struct CMUnitTest tests[] = {
        T(every_rename_has_both_names),
        T(removed_names_are_told_folders_are_not),
        T(links_have_their_two_ends),
        T(every_chmod_shows_the_mode_and_the_file_behind_a_link),
        T(every_chown_shows_the_new_owner),
        T(watched_attributes_are_told_by_name),
        T(truncate_by_name_is_a_write),
        T(detours_end_in_the_real_folder),
        T(mounts_of_another_namespace_are_crossed),
        T(chroot_does_not_hide_the_real_path),
        T(nameless_file_that_gets_a_name_is_a_link),
        T(odd_and_long_names_arrive_byte_for_byte),
        T(name_of_nearly_4_kib_is_followed),
    };
    int unable = rig_unable();
    return unable ? unable : rig_run_words(tests);
}
