/* SPDX-License-Identifier: Apache-2.0
 * Files that make code run by themselves: each kind, each way of changing one, and neighbours that
 * are none. In a mount namespace with an /etc of its own. Once per way of walking paths. */
#include "rig_file.h"

#include "core/base/err.h"
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

struct sample {
    const char *path;
    uint16_t mechanism;
};

static const struct sample samples[] = {
    {"/etc/crontab", WEDR_PERSISTENCE_CRON},
    {"/etc/cron.d/job", WEDR_PERSISTENCE_CRON},
    {"/etc/cron.daily/sub/job", WEDR_PERSISTENCE_CRON},
    {"/var/spool/cron/crontabs/root", WEDR_PERSISTENCE_CRON},
    {"/var/spool/cron/atjobs/a0001", WEDR_PERSISTENCE_AT},
    {"/etc/systemd/system/evil.service", WEDR_PERSISTENCE_SYSTEMD},
    {"/etc/systemd/system/ssh.service.d/override.conf", WEDR_PERSISTENCE_SYSTEMD},
    {"/home/u/.config/systemd/user/evil.timer", WEDR_PERSISTENCE_SYSTEMD},
    {"/etc/systemd/system-generators/gen", WEDR_PERSISTENCE_SYSTEMD},
    {"/etc/profile", WEDR_PERSISTENCE_SHELL_PROFILE},
    {"/etc/profile.d/x.sh", WEDR_PERSISTENCE_SHELL_PROFILE},
    {"/etc/bash.bashrc", WEDR_PERSISTENCE_SHELL_PROFILE},
    {"/home/u/.bashrc", WEDR_PERSISTENCE_SHELL_PROFILE},
    {"/home/u/.profile", WEDR_PERSISTENCE_SHELL_PROFILE},
    {"/home/u/.zshrc", WEDR_PERSISTENCE_SHELL_PROFILE},
    {"/home/u/.ssh/authorized_keys", WEDR_PERSISTENCE_SSH},
    {"/home/u/.ssh/rc", WEDR_PERSISTENCE_SSH},
    {"/etc/ssh/sshd_config.d/x.conf", WEDR_PERSISTENCE_SSH},
    {"/etc/ld.so.preload", WEDR_PERSISTENCE_LD_PRELOAD},
    {"/etc/ld.so.conf.d/x.conf", WEDR_PERSISTENCE_LD_PRELOAD},
    {"/etc/sudoers", WEDR_PERSISTENCE_SUDOERS},
    {"/etc/sudoers.d/u", WEDR_PERSISTENCE_SUDOERS},
    {"/etc/pam.d/sshd", WEDR_PERSISTENCE_PAM},
    {"/home/lib/x86_64-linux-gnu/security/pam_x.so", WEDR_PERSISTENCE_PAM},
    {"/etc/udev/rules.d/99-x.rules", WEDR_PERSISTENCE_UDEV},
    {"/etc/rc.local", WEDR_PERSISTENCE_INIT},
    {"/etc/init.d/x", WEDR_PERSISTENCE_INIT},
    {"/etc/inittab", WEDR_PERSISTENCE_INIT},
    {"/etc/update-motd.d/00-x", WEDR_PERSISTENCE_MOTD},
    {"/etc/modules-load.d/x.conf", WEDR_PERSISTENCE_KERNEL_MODULES},
    {"/etc/modprobe.d/x.conf", WEDR_PERSISTENCE_KERNEL_MODULES},
    {"/etc/apt/apt.conf.d/99x", WEDR_PERSISTENCE_PACKAGE_HOOK},
    {"/home/u/src/.git/hooks/post-checkout", WEDR_PERSISTENCE_PACKAGE_HOOK},
    {"/home/u/.config/autostart/x.desktop", WEDR_PERSISTENCE_AUTOSTART},
    {"/etc/passwd", WEDR_PERSISTENCE_ACCOUNT},
    {"/etc/shadow", WEDR_PERSISTENCE_ACCOUNT},
};
#define SAMPLES (sizeof samples / sizeof *samples)

static const char *const neighbours[] = {
    "/etc/passwd-",         "/etc/crontab.bak",       "/etc/cron.dx/job",
    "/etc/other/passwd",    "/home/etc/cron.d/job",   "/home/u/bashrc",
    "/home/u/.bashrc.d/x",  "/home/u/.ssh/known",     "/home/u/rc",
    "/home/u/user/x.timer", "/home/u/autostart.conf", "/home/u/hooks/post-checkout",
};
#define NEIGHBOURS (sizeof neighbours / sizeof *neighbours)

static int make(const char *path)
{
    char folder[256];
    (void)snprintf(folder, sizeof folder, "%s", path);
    for (char *at = strchr(folder + 1, '/'); at; at = strchr(at + 1, '/')) {
        *at = 0;
        (void)mkdir(folder, 0755);
        *at = '/';
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    return fd < 0 || close(fd) != 0;
}

static int make_samples(void *unused)
{
    (void)unused;
    for (size_t i = 0; i < SAMPLES; i++) {
        if (make(samples[i].path) != 0) {
            return -1;
        }
    }
    return 0;
}

static void every_kind_is_told_with_its_mechanism(void **state)
{
    struct rig *r = *state;
    pid_t pid = rig_done(make_samples, NULL);
    for (size_t i = 0; i < SAMPLES; i++) {
        const struct wedr_event_view *v = rig_file(r, WEDR_EV_PERSISTENCE_WRITE, pid, i);
        assert_str(v, "target_path", samples[i].path);
        assert_int_equal(rec_uint(v, "mechanism"), samples[i].mechanism);
        assert_int_equal(rec_uint(v, "op"), WEDR_FILE_OP_CREATE);
        assert_int_equal(rec_uint(v, "path_source"), WEDR_PATH_SOURCE_KERNEL);
        assert_int_equal(v->h.stream, WEDR_STREAM_CRITICAL);
        assert_true(rec_uint(v, "inode") != 0 && rec_uint(v, "ns_mnt") != 0);
    }
    rig_sync(r);
    assert_int_equal(rig_files(r, pid), SAMPLES);
}

static int make_neighbours(void *unused)
{
    (void)unused;
    for (size_t i = 0; i < NEIGHBOURS; i++) {
        if (make(neighbours[i]) != 0) {
            return -1;
        }
    }
    return open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0;
}

static void neighbours_and_readers_are_not(void **state)
{
    struct rig *r = *state;
    assert_int_equal(make("/etc/passwd"), 0);
    pid_t pid = rig_done(make_neighbours, NULL);
    for (size_t i = 0; i < NEIGHBOURS; i++) {
        assert_str(rig_file(r, WEDR_EV_FILE_WRITE, pid, i), "target_path", neighbours[i]);
    }
    rig_sync(r);
    assert_int_equal(rig_count(r, WEDR_EV_PERSISTENCE_WRITE, pid), 0);
}

#define JOB "/etc/cron.d/job"

static int do_everything(void *unused)
{
    (void)unused;
    int fd = open(JOB, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    return fd < 0 || open(JOB, O_RDWR | O_CLOEXEC) < 0 || chmod(JOB, 0644) != 0 ||
           fchmod(fd, 0640) != 0 || chown(JOB, 1, 2) != 0 || fchown(fd, 3, 4) != 0 ||
           setxattr(JOB, "trusted.x", "v", 1, 0) != 0 || removexattr(JOB, "trusted.x") != 0 ||
           truncate(JOB, 0) != 0 || link(JOB, "/etc/elsewhere") != 0 ||
           link("/etc/plain", "/etc/cron.d/linked") != 0 ||
           symlink("/etc/plain", "/etc/cron.d/soft") != 0 || rename(JOB, "/etc/away") != 0 ||
           rename("/etc/plain", JOB) != 0 || unlink(JOB) != 0;
}

static void every_change_is_told_with_its_operation(void **state)
{
    static const struct {
        uint16_t op;
        const char *target, *source;
    } expected[] = {
        {WEDR_FILE_OP_CREATE, JOB, ""},
        {WEDR_FILE_OP_WRITE, JOB, ""},
        {WEDR_FILE_OP_CHMOD, JOB, ""},
        {WEDR_FILE_OP_CHMOD, JOB, ""},
        {WEDR_FILE_OP_CHOWN, JOB, ""},
        {WEDR_FILE_OP_CHOWN, JOB, ""},
        {WEDR_FILE_OP_SETXATTR, JOB, ""},
        {WEDR_FILE_OP_REMOVEXATTR, JOB, ""},
        {WEDR_FILE_OP_TRUNCATE, JOB, ""},
        {WEDR_FILE_OP_LINK, "/etc/elsewhere", JOB},
        {WEDR_FILE_OP_LINK, "/etc/cron.d/linked", "/etc/plain"},
        {WEDR_FILE_OP_SYMLINK, "/etc/cron.d/soft", "/etc/plain"},
        {WEDR_FILE_OP_RENAME, "/etc/away", JOB},
        {WEDR_FILE_OP_RENAME, JOB, "/etc/plain"},
        {WEDR_FILE_OP_DELETE, JOB, ""},
    };
    const size_t count = sizeof expected / sizeof *expected;
    struct rig *r = *state;
    assert_int_equal(make("/etc/cron.d/other") | make("/etc/plain"), 0);
    pid_t pid = rig_done(do_everything, NULL);
    for (size_t i = 0; i < count; i++) {
        const struct wedr_event_view *v = rig_file(r, WEDR_EV_PERSISTENCE_WRITE, pid, i);
        assert_int_equal(rec_uint(v, "op"), expected[i].op);
        assert_str(v, "target_path", expected[i].target);
        assert_str(v, "source_path", expected[i].source);
        assert_int_equal(rec_uint(v, "mechanism"), WEDR_PERSISTENCE_CRON);
        bool attribute =
            expected[i].op == WEDR_FILE_OP_SETXATTR || expected[i].op == WEDR_FILE_OP_REMOVEXATTR;
        assert_str(v, "xattr_name", attribute ? "trusted.x" : "");
    }
    rig_sync(r);
    assert_int_equal(rig_files(r, pid), count);
}

static int fail_at_everything(void *unused)
{
    (void)unused;
    if (setuid(12345) != 0) {
        return -1;
    }
    return open(JOB, O_WRONLY | O_CLOEXEC) >= 0 || chmod(JOB, 0666) == 0 || unlink(JOB) == 0 ||
           rename(JOB, "/etc/x") == 0 || symlink("x", "/etc/cron.d/y") == 0 ||
           open("/etc/cron.d/new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) >= 0;
}

static void what_failed_is_not_told(void **state)
{
    struct rig *r = *state;
    assert_int_equal(make(JOB), 0);
    pid_t pid = rig_done(fail_at_everything, NULL);
    rig_sync(r);
    assert_int_equal(rig_files(r, pid), 0);
}

/* Another user, another group of files: a bulk kind that is switched off does not take this with
 * it. */
static void told_also_when_bulk_kinds_are_off(void **state)
{
    struct rig *r = *state;
    struct wedr_sensor_policy p;
    wedr_sensor_policy_init(&p);
    p.kinds &= ~(UINT64_C(1) << WEDR_EV_FILE_WRITE | UINT64_C(1) << WEDR_EV_FILE_RENAME);
    assert_int_equal(wedr_sensor_policy_set(r->sensor, &p, NULL), 0);
    pid_t pid = rig_done(make_samples, NULL);
    (void)rig_file(r, WEDR_EV_PERSISTENCE_WRITE, pid, SAMPLES - 1);
    pid_t other = rig_done(make_neighbours, NULL);
    wedr_sensor_policy_init(&p);
    assert_int_equal(wedr_sensor_policy_set(r->sensor, &p, NULL), 0);
    rig_sync(r);
    assert_int_equal(rig_files(r, pid), SAMPLES);
    assert_int_equal(rig_files(r, other), 0);
}

#define OFTEN 5000

static int write_often(void *unused)
{
    (void)unused;
    for (int i = 0; i < OFTEN; i++) {
        int fd = open(JOB, O_WRONLY | O_CLOEXEC);
        if (fd < 0 || close(fd) != 0) {
            return -1;
        }
    }
    return 0;
}

static size_t count_in(const struct rig *r, pid_t pid, unsigned stream)
{
    size_t count = 0;
    for (size_t i = 0; i < r->count; i++) {
        const struct wedr_event_view *v = &r->views[i];
        if (v->h.type == WEDR_EV_PERSISTENCE_WRITE && rec_uint(v, "pid") == (uint64_t)pid) {
            assert_str(v, "target_path", JOB);
            assert_int_equal(rec_uint(v, "mechanism"), WEDR_PERSISTENCE_CRON);
            count += v->h.stream == stream;
        }
    }
    return count;
}

/* One process cannot fill the critical lane: the rest of its records goes to the other one. */
static void very_many_writes_of_one_process_go_to_the_bulk_lane(void **state)
{
    struct rig *r = *state;
    assert_int_equal(make(JOB), 0);
    pid_t pid = rig_done(write_often, NULL);
    rig_sync(r);
    size_t critical = count_in(r, pid, WEDR_STREAM_CRITICAL);
    assert_true(critical >= 500 && critical < OFTEN);
    assert_int_equal(critical + count_in(r, pid, WEDR_STREAM_BULK), OFTEN);
    assert_int_equal(rig_files(r, pid), OFTEN);
}

/* There the budget of file_write holds, also where that kind is not wanted, and counts. */
static void what_a_budget_holds_back_of_them_is_counted(void **state)
{
    struct rig *r = *state;
    struct wedr_sensor_policy p;
    struct wedr_sensor_handles h;
    const struct wedr_sensor_state *st = NULL;
    static const char *const out[] = {"/etc/"};
    assert_int_equal(make(JOB), 0);
    wedr_sensor_handles(r->sensor, &h);
    assert_int_equal(wedr_sensor_state_map(h.state, &st), WEDR_OK);
    wedr_sensor_policy_init(&p);
    p.kinds &= ~(UINT64_C(1) << WEDR_EV_FILE_WRITE);
    p.budget[WEDR_EV_FILE_WRITE] = 50;
    p.paths_out = out;
    p.path_out_count = 1;
    uint64_t before = wedr_sensor_count(&st->suppressed[WEDR_EV_FILE_WRITE]);
    assert_int_equal(wedr_sensor_policy_set(r->sensor, &p, NULL), 0);
    pid_t pid = rig_done(write_often, NULL);
    uint64_t held_back = wedr_sensor_count(&st->suppressed[WEDR_EV_FILE_WRITE]) - before;
    wedr_sensor_policy_init(&p);
    assert_int_equal(wedr_sensor_policy_set(r->sensor, &p, NULL), 0);
    rig_sync(r);
    size_t bulk = count_in(r, pid, WEDR_STREAM_BULK);
    assert_true(bulk >= 50 && held_back > 0);
    assert_int_equal(count_in(r, pid, WEDR_STREAM_CRITICAL) + bulk + held_back, OFTEN);
    wedr_sensor_state_unmap(st);
}

static int fresh_places(void **state)
{
    (void)state;
    static const char *const places[] = {"/etc", "/home", "/var/spool"};
    for (size_t i = 0; i < 3; i++) {
        (void)umount2(places[i], MNT_DETACH);
        if (mount("tmpfs", places[i], "tmpfs", 0, "mode=755") != 0) {
            return -1;
        }
    }
    return 0;
}

/* Somebody's home never answers: FUSE without its program. The sensor starts all the same. */
static void put_silent_home(void)
{
    char options[96];
    FILE *passwd = fopen("/etc/passwd", "we");
    int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    (void)snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0", fuse);
    if (fuse < 0 || !passwd || mkdir("/home/far", 0755) != 0 ||
        mount("nobody", "/home/far", "fuse", 0, options) != 0 ||
        fprintf(passwd, "far:x:1:1::/home/far:/bin/sh\n") < 0) {
        printf("no home that never answers here\n");
    }
    if (passwd) {
        (void)fclose(passwd);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, fresh_places)
    const struct CMUnitTest tests[] = {
        T(every_kind_is_told_with_its_mechanism),
        T(neighbours_and_readers_are_not),
        T(every_change_is_told_with_its_operation),
        T(what_failed_is_not_told),
        T(told_also_when_bulk_kinds_are_off),
        T(very_many_writes_of_one_process_go_to_the_bulk_lane),
        T(what_a_budget_holds_back_of_them_is_counted),
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
    put_silent_home();
    return rig_run_both_walks(tests);
}
