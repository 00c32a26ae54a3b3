/* SPDX-License-Identifier: Apache-2.0
 * Other ways to a file that makes code run by itself: other names of the same file, other paths to
 * the same folder, names that are not what they seem. In a mount namespace with an /etc of its own.
 * Once per way of walking paths. */
#include "rig_file.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define JOB "/etc/cron.d/job"

static int make(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    return fd < 0 || close(fd) != 0;
}

static int write_to(void *path)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd < 0 || write(fd, "x", 1) != 1;
}

static void assert_told(struct rig *r, pid_t pid, size_t n, uint16_t op, const char *path)
{
    const struct wedr_event_view *v = rig_file(r, WEDR_EV_PERSISTENCE_WRITE, pid, n);
    assert_str(v, "target_path", path);
    assert_int_equal(rec_uint(v, "op"), op);
    assert_int_equal(rec_uint(v, "mechanism"), WEDR_PERSISTENCE_CRON);
}

static void hard_link_from_before_the_sensor_is_known(void **state)
{
    const struct rig *first = *state;
    static struct rig r;
    assert_int_equal(make(JOB) | link(JOB, "/etc/innocent"), 0);
    rig_open(&r, first->slow_walk, 0);
    pid_t pid = rig_done(write_to, (char[]){"/etc/innocent"});
    assert_told(&r, pid, 0, WEDR_FILE_OP_WRITE, "/etc/innocent");
    assert_int_equal(rec_uint(rig_file(&r, WEDR_EV_PERSISTENCE_WRITE, pid, 0), "nlink"), 2);
    rig_sync(&r);
    assert_int_equal(rig_files(&r, pid), 1);
    rig_close(&r);
}

static int link_and_write(void *unused)
{
    (void)unused;
    char name[] = "/etc/innocent";
    return make(JOB) || link(JOB, name) != 0 || write_to(name) || chmod(name, 0755) != 0;
}

static void hard_link_made_elsewhere_is_told_and_followed(void **state)
{
    struct rig *r = *state;
    pid_t pid = rig_done(link_and_write, NULL);
    assert_told(r, pid, 0, WEDR_FILE_OP_CREATE, JOB);
    assert_told(r, pid, 1, WEDR_FILE_OP_LINK, "/etc/innocent");
    assert_told(r, pid, 2, WEDR_FILE_OP_WRITE, "/etc/innocent");
    assert_told(r, pid, 3, WEDR_FILE_OP_CHMOD, "/etc/innocent");
    rig_sync(r);
    assert_int_equal(rig_files(r, pid), 4);
}

static int change_through_bind(void *unused)
{
    (void)unused;
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mkdir("/home/b", 0755) != 0 || mount("/etc/cron.d", "/home/b", NULL, MS_BIND, NULL) != 0) {
        return -1;
    }
    return make("/home/b/evil") || rename("/home/b/evil", "/home/b/worse") != 0 ||
           symlink("x", "/home/b/soft") != 0 || unlink("/home/b/worse") != 0;
}

static void bind_mount_of_a_watched_folder_is_known(void **state)
{
    const struct rig *first = *state;
    static struct rig r;
    rig_open(&r, first->slow_walk, 0);
    pid_t pid = rig_done(change_through_bind, NULL);
    assert_told(&r, pid, 0, WEDR_FILE_OP_CREATE, "/home/b/evil");
    assert_told(&r, pid, 1, WEDR_FILE_OP_RENAME, "/home/b/worse");
    assert_told(&r, pid, 2, WEDR_FILE_OP_SYMLINK, "/home/b/soft");
    assert_told(&r, pid, 3, WEDR_FILE_OP_DELETE, "/home/b/worse");
    rig_sync(&r);
    assert_int_equal(rig_files(&r, pid), 4);
    rig_close(&r);
}

static int cover(void *unused)
{
    (void)unused;
    if (make("/home/evil") || make("/etc/crontab") ||
        mount("/home/evil", "/etc/crontab", NULL, MS_BIND, NULL) != 0) {
        return -1;
    }
    return write_to((char[]){"/etc/crontab"}) || umount2("/etc/crontab", MNT_DETACH) != 0;
}

static void file_mounted_over_a_watched_one_is_known_by_its_path(void **state)
{
    struct rig *r = *state;
    pid_t pid = rig_done(cover, NULL);
    assert_told(r, pid, 0, WEDR_FILE_OP_CREATE, "/etc/crontab");
    assert_told(r, pid, 1, WEDR_FILE_OP_WRITE, "/etc/crontab");
}

static int go_by_links(void *unused)
{
    (void)unused;
    char path[64];
    if (make("/home/a") || symlink("/etc", "/home/l") != 0 ||
        symlink("l/cron.d/.", "/home/m") != 0 || rename("/home/a", "/home/m/../cron.d//job") == 0) {
        return -1; /* two file systems */
    }
    if (make("/etc/a") || rename("/home/l/a", "/home/m/../cron.d//job") != 0 ||
        chmod("/proc/self/root/etc/cron.d/job", 0755) != 0) {
        return -1;
    }
    int fd = open(JOB, O_RDONLY | O_CLOEXEC);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return fd < 0 || chmod(path, 0644) != 0 || chdir("/home/m") != 0 || unlink("job") != 0;
}

static void names_over_links_and_proc_lead_to_the_real_one(void **state)
{
    struct rig *r = *state;
    pid_t pid = rig_done(go_by_links, NULL);
    assert_told(r, pid, 0, WEDR_FILE_OP_RENAME, JOB);
    assert_str(rig_file(r, WEDR_EV_PERSISTENCE_WRITE, pid, 0), "source_path", "/etc/a");
    assert_told(r, pid, 1, WEDR_FILE_OP_CHMOD, JOB);
    assert_told(r, pid, 2, WEDR_FILE_OP_CHMOD, JOB);
    assert_told(r, pid, 3, WEDR_FILE_OP_DELETE, JOB);
}

static int open_by_handle(void *unused)
{
    union {
        struct file_handle h;
        char room[sizeof(struct file_handle) + 128];
    } u;
    int id, folder = open("/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    (void)unused;
    memset(&u, 0, sizeof u);
    u.h.handle_bytes = 128;
    return make(JOB) || folder < 0 || name_to_handle_at(AT_FDCWD, JOB, &u.h, &id, 0) != 0 ||
           open_by_handle_at(folder, &u.h, O_WRONLY | O_CLOEXEC) < 0;
}

static void opened_by_handle_is_known(void **state)
{
    struct rig *r = *state;
    pid_t pid = rig_done(open_by_handle, NULL);
    assert_told(r, pid, 1, WEDR_FILE_OP_WRITE, JOB);
    assert_int_equal(rec_uint(rig_file(r, WEDR_EV_PERSISTENCE_WRITE, pid, 1), "via"),
                     WEDR_VIA_HANDLE);
}

static int in_chroot(void *unused)
{
    (void)unused;
    return chroot("/etc") != 0 || chdir("/") != 0 || make("/cron.d/job") ||
           rename("cron.d/job", "/cron.d/other") != 0;
}

static void chroot_does_not_hide_it(void **state)
{
    struct rig *r = *state;
    pid_t pid = rig_done(in_chroot, NULL);
    assert_told(r, pid, 0, WEDR_FILE_OP_CREATE, JOB);
    assert_told(r, pid, 1, WEDR_FILE_OP_RENAME, "/etc/cron.d/other");
}

static int move_a_folder_there(void *unused)
{
    (void)unused;
    return rename("/etc/cron.d", "/etc/gone") != 0 || mkdir("/etc/prepared", 0755) != 0 ||
           rename("/etc/prepared", "/etc/cron.d") != 0 || make(JOB) ||
           symlink("/etc/gone", "/etc/cron.daily") != 0;
}

static void folder_that_takes_the_place_is_told(void **state)
{
    struct rig *r = *state;
    pid_t pid = rig_done(move_a_folder_there, NULL);
    assert_told(r, pid, 0, WEDR_FILE_OP_RENAME, "/etc/gone");
    assert_told(r, pid, 1, WEDR_FILE_OP_RENAME, "/etc/cron.d");
    assert_told(r, pid, 2, WEDR_FILE_OP_CREATE, JOB);
    assert_told(r, pid, 3, WEDR_FILE_OP_SYMLINK, "/etc/cron.daily");
}

/* The account's, whatever it is. */
static void make_own(const char *path, uid_t uid)
{
    assert_int_equal(path[strlen(path) - 1] == '/' ? mkdir(path, 0755) : make(path), 0);
    assert_int_equal(chown(path, uid, uid), 0);
}

static void put_account(const char *name, uid_t uid)
{
    static const char *const below[] = {"", ".config/", ".config/systemd/",
                                        ".config/systemd/user/"};
    char path[256];
    FILE *f = fopen("/etc/passwd", "ae");
    assert_non_null(f);
    assert_true(fprintf(f, "%s:x:%u:%u::/home/%s:/bin/sh\n", name, uid, uid, name) > 0);
    assert_int_equal(fclose(f), 0);
    for (size_t i = 0; i < 4; i++) {
        (void)snprintf(path, sizeof path, "/home/%s/%s", name, below[i]);
        make_own(path, uid);
    }
}

static void put_many(const char *folder, uid_t uid, int count)
{
    char path[256];
    for (int i = 0; i < count; i++) {
        (void)snprintf(path, sizeof path, "%s/%d", folder, i);
        make_own(path, uid);
    }
}

static int make_in_it(void *path)
{
    return make(path);
}

#define UNITS "/home/u/.config/systemd/user"

/* Only what is his own becomes his by a link: not the folder that all write to, nor others' files.
 */
static void link_in_a_home_leads_to_nothing_of_others(void **state)
{
    static const char *const others[] = {"/home/all/x", "/home/theirs", "/home/roots"};
    const struct rig *first = *state;
    static struct rig r;
    put_account("u", 1001);
    make_own("/home/u/dots/", 1001);
    make_own("/home/u/dots/old", 1001);
    make_own("/home/all/", 0);
    make_own("/home/theirs", 1002);
    make_own("/home/roots", 0);
    make_own(UNITS "/by-root/", 0);
    assert_int_equal(symlink("/home/all", "/home/u/.config/autostart") |
                         symlink("../dots", "/home/u/.config/autostart-scripts") |
                         symlink("/home/theirs", UNITS "/a.service") |
                         symlink("/home/roots", UNITS "/b.service"),
                     0);
    assert_int_equal(make(UNITS "/by-root/c") | link(UNITS "/by-root/c", "/home/c"), 0);
    assert_int_equal(link("/home/u/dots/old", "/home/old"), 0);
    rig_open(&r, first->slow_walk, 0);
    for (size_t i = 0; i < 3; i++) {
        pid_t pid = rig_done(i ? write_to : make_in_it, (void *)(uintptr_t)others[i]);
        assert_str(rig_file(&r, WEDR_EV_FILE_WRITE, pid, 0), "target_path", others[i]);
        rig_sync(&r);
        assert_int_equal(rig_count(&r, WEDR_EV_PERSISTENCE_WRITE, pid), 0);
    }
    const struct wedr_event_view *v = rig_file(&r, WEDR_EV_PERSISTENCE_WRITE,
                                               rig_done(make_in_it, (char[]){"/home/u/dots/x"}), 0);
    assert_int_equal(rec_uint(v, "mechanism"), WEDR_PERSISTENCE_AUTOSTART);
    v = rig_file(&r, WEDR_EV_PERSISTENCE_WRITE, rig_done(write_to, (char[]){"/home/old"}), 0);
    assert_int_equal(rec_uint(v, "mechanism"), WEDR_PERSISTENCE_AUTOSTART);
    v = rig_file(&r, WEDR_EV_PERSISTENCE_WRITE, rig_done(write_to, (char[]){"/home/c"}), 0);
    assert_int_equal(rec_uint(v, "mechanism"), WEDR_PERSISTENCE_SYSTEMD);
    assert_false(r.how.unwatched.full || r.how.unwatched.others || r.how.unwatched.homes);
    rig_close(&r);
}

static void user_with_many_files_takes_nobodys_place(void **state)
{
    const struct rig *first = *state;
    static struct rig r;
    put_account("u", 1001);
    put_account("w", 1002);
    put_many(UNITS, 1001, 4200);
    assert_int_equal(mkdir("/var/spool/cron", 0755) | mkdir("/var/spool/cron/atjobs", 0755), 0);
    put_many("/var/spool/cron/atjobs", 1001, 4200);
    assert_int_equal(mkdir("/etc/ssh", 0755) | make("/etc/ssh/sshd_config") |
                         link("/etc/ssh/sshd_config", "/etc/innocent"),
                     0);
    make_own("/home/w/.bashrc", 1002);
    make_own("/home/w/.config/systemd/user/x", 1002);
    assert_int_equal(link("/home/w/.bashrc", "/home/bashrc") |
                         link("/home/w/.config/systemd/user/x", "/home/x"),
                     0);
    rig_open(&r, first->slow_walk, 0);
    const struct wedr_event_view *v =
        rig_file(&r, WEDR_EV_PERSISTENCE_WRITE, rig_done(write_to, (char[]){"/etc/innocent"}), 0);
    assert_int_equal(rec_uint(v, "mechanism"), WEDR_PERSISTENCE_SSH);
    v = rig_file(&r, WEDR_EV_PERSISTENCE_WRITE, rig_done(write_to, (char[]){"/home/bashrc"}), 0);
    assert_int_equal(rec_uint(v, "mechanism"), WEDR_PERSISTENCE_SHELL_PROFILE);
    v = rig_file(&r, WEDR_EV_PERSISTENCE_WRITE, rig_done(write_to, (char[]){"/home/x"}), 0);
    assert_int_equal(rec_uint(v, "mechanism"), WEDR_PERSISTENCE_SYSTEMD);
    assert_true(r.how.unwatched.others && !r.how.unwatched.full);
    assert_int_equal(r.how.unwatched.homes, 1);
    assert_string_equal(r.how.unwatched.home, "/home/u");
    rig_close(&r);
}

static int fresh_places(void **state)
{
    static const char *const places[] = {"/etc", "/home", "/var/spool"};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        (void)umount2(places[i], MNT_DETACH);
        if (mount("tmpfs", places[i], "tmpfs", 0, "mode=755") != 0) {
            return -1;
        }
    }
    return mkdir("/etc/cron.d", 0755);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, fresh_places)
    const struct CMUnitTest tests[] = {
        T(hard_link_from_before_the_sensor_is_known),
        T(hard_link_made_elsewhere_is_told_and_followed),
        T(bind_mount_of_a_watched_folder_is_known),
        T(file_mounted_over_a_watched_one_is_known_by_its_path),
        T(names_over_links_and_proc_lead_to_the_real_one),
        T(opened_by_handle_is_known),
        T(chroot_does_not_hide_it),
        T(folder_that_takes_the_place_is_told),
        T(link_in_a_home_leads_to_nothing_of_others),
        T(user_with_many_files_takes_nobodys_place),
    };
    int unable = rig_unable();
    if (unable) {
        return unable;
    }
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", "/etc", "tmpfs", 0, NULL) != 0 ||
        mount("tmpfs", "/home", "tmpfs", 0, NULL) != 0 ||
        mount("tmpfs", "/var/spool", "tmpfs", 0, NULL) != 0) {
        perror("cannot make a place of its own");
        return 1;
    }
    return rig_run_both_walks(tests);
}
