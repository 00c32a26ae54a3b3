/* SPDX-License-Identifier: Apache-2.0
 * The source without BPF: real programs, the same records, what it cannot know is said. Needs root
 * and the process connector, no BPF: runs on kernels too old for it, too. */
#include "rig.h"

#include "core/base/attr.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "sensor/lib/proc/watch.h"
#include "wedr/plat/time.h"
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

/* The rig's record keeping on the rings of a watcher. */
struct stage {
    struct rig rig;
    struct wedr_watch *watch;
    uint32_t existing;
    uint64_t last_seq;
};

static int open_stage(void **state)
{
    static struct stage s;
    struct wedr_errinfo ei = {""};
    struct wedr_sensor_handles h;
    memset(&s, 0, sizeof s);
    if (wedr_watch_open(0, &s.watch, &s.existing, &ei) != WEDR_OK) {
        fail_msg("open: %s", ei.text);
    }
    (void)snprintf(s.rig.dir, sizeof s.rig.dir, "/tmp/wedr-proc-XXXXXX");
    assert_non_null(mkdtemp(s.rig.dir));
    s.rig.views = wedr_alloc(RIG_RECORDS, sizeof *s.rig.views);
    assert_non_null(s.rig.views);
    wedr_watch_handles(s.watch, &h);
    assert_int_equal(wedr_bpf_ring_open(h.ring[0], h.ring_bytes, &s.rig.ring), 0);
    assert_int_equal(wedr_bpf_ring_open(h.ring[1], h.ring_bytes, &s.rig.bulk), 0);
    *state = &s;
    return 0;
}

static int close_stage(void **state)
{
    struct stage *s = *state;
    wedr_bpf_ring_close(s->rig.ring);
    wedr_bpf_ring_close(s->rig.bulk);
    wedr_watch_close(s->watch);
    for (size_t i = 0; i < s->rig.count; i++) {
        wedr_free((void *)(uintptr_t)s->rig.views[i].rec.p);
    }
    wedr_free(s->rig.views);
    return rmdir(s->rig.dir);
}

/* A program that stays until the other end of its standard input is closed, so that /proc can be
 * read. */
struct held {
    pid_t pid;
    int in;
};

static struct held hold(const char *program, const char *const *argv)
{
    int ends[2];
    struct held h;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    h.pid = fork();
    assert_true(h.pid >= 0);
    if (h.pid == 0) {
        (void)dup2(ends[0], 0);
        (void)execv(program, (char **)(uintptr_t)argv);
        _exit(99);
    }
    (void)close(ends[0]);
    h.in = ends[1];
    return h;
}

static void let_go(struct held *h)
{
    (void)close(h->in);
    assert_int_equal(waitpid(h->pid, NULL, 0), h->pid);
}

static void exec_that_stays_is_whole(void **state)
{
    struct stage *s = *state;
    struct stat st;
    char cwd[4096], self[4096] = "";
    const char *const argv[] = {"/bin/cat", "-", "-u", NULL};
    static const char expected[] = "/bin/cat\0-\0-u";
    struct held h = hold("/bin/cat", argv);
    const struct wedr_event_view *v = rig_exec_of(&s->rig, h.pid);
    assert_non_null(getcwd(cwd, sizeof cwd));
    assert_true(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    assert_int_equal(stat("/bin/cat", &st), 0);
    struct wedr_span line = rec_str(v, "command_line", NULL);
    assert_int_equal(line.len, sizeof expected);
    assert_memory_equal(line.p, expected, sizeof expected);
    assert_int_equal(rec_uint(v, "argv_size"), sizeof expected);
    assert_str(v, "comm", "cat");
    assert_str(v, "cwd", cwd);
    assert_str(v, "parent_image_path", self);
    assert_int_equal(rec_uint(v, "exe_inode"), st.st_ino);
    assert_int_equal(rec_uint(v, "exe_mode"), st.st_mode);
    assert_int_equal(rec_uint(v, "parent_pid"), getpid());
    assert_int_equal(rec_uint(v, "pgid"), getpgrp());
    assert_int_equal(rec_uint(v, "sid"), getsid(0));
    assert_int_equal(rec_uint(v, "ns_pid_nr"), h.pid);
    assert_int_equal(v->h.flags, 0);
    let_go(&h);
}

static void one_key_from_fork_over_exec_to_exit(void **state)
{
    struct stage *s = *state;
    const char *const args[] = {"exit", "7", NULL};
    pid_t pid = rig_victim(args, NULL);
    const struct wedr_event_view *end = rig_wait(&s->rig, WEDR_EV_PROCESS_TERMINATE, pid, 0);
    const struct wedr_event_view *fork_ = rig_wait(&s->rig, WEDR_EV_PROCESS_FORK, pid, 0);
    const struct wedr_event_view *exec_ = rig_wait(&s->rig, WEDR_EV_PROCESS_CREATE, pid, 0);
    assert_non_null(end);
    assert_non_null(fork_);
    assert_non_null(exec_);
    uint64_t key = rec_uint(fork_, "process_key");
    assert_int_not_equal(key, 0);
    assert_int_equal(rec_uint(exec_, "process_key"), key);
    assert_int_equal(rec_uint(end, "process_key"), key);
    assert_int_equal(rec_uint(end, "exit_code"), 7);
    assert_int_equal(rec_uint(end, "signal"), 0);
    assert_int_equal(rec_uint(fork_, "parent_pid"), getpid());
    assert_true(fork_->h.seq < exec_->h.seq && exec_->h.seq < end->h.seq);
    assert_int_equal(rig_count(&s->rig, WEDR_EV_PROCESS_TERMINATE, pid), 1);
}

static void deadly_signal_is_decoded(void **state)
{
    struct stage *s = *state;
    const char *const args[] = {"die", "9", NULL};
    pid_t pid = rig_victim(args, NULL);
    const struct wedr_event_view *end = rig_wait(&s->rig, WEDR_EV_PROCESS_TERMINATE, pid, 0);
    assert_non_null(end);
    assert_int_equal(rec_uint(end, "signal"), 9);
}

static void process_ends_with_its_last_thread_not_with_its_leader(void **state)
{
    struct stage *s = *state;
    const char *const args[] = {"leader-first", NULL};
    pid_t pid = rig_victim(args, NULL);
    assert_non_null(rig_wait(&s->rig, WEDR_EV_PROCESS_TERMINATE, pid, 0));
    const char *const last[] = {"exit", "0", NULL};
    assert_non_null(rig_wait(&s->rig, WEDR_EV_PROCESS_TERMINATE, rig_victim(last, NULL), 0));
    assert_int_equal(rig_count(&s->rig, WEDR_EV_PROCESS_TERMINATE, pid), 1);
}

/* Stopped before it can be read, so that it is gone when /proc is asked: the record is there, names
 * what is known and marks the rest. */
static void program_that_was_gone_is_recorded_and_says_so(void **state)
{
    struct stage *s = *state;
    const char *const args[] = {"exit", "3", NULL};
    pid_t watcher = (pid_t)wedr_watch_pid(s->watch);
    assert_int_equal(kill(watcher, SIGSTOP), 0);
    pid_t pid = rig_victim(args, NULL);
    assert_int_equal(kill(watcher, SIGCONT), 0);
    const struct wedr_event_view *v = rig_exec_of(&s->rig, pid);
    uint16_t flags = 0;
    assert_int_equal(rec_str(v, "image_path", &flags).len, 0);
    assert_int_equal(flags & WEDR_SF_UNREADABLE, WEDR_SF_UNREADABLE);
    assert_int_equal(rec_str(v, "command_line", &flags).len, 0);
    assert_int_equal(flags & WEDR_SF_UNREADABLE, WEDR_SF_UNREADABLE);
    assert_int_equal(rec_uint(v, "parent_pid"), getpid());
    const struct wedr_event_view *end = rig_wait(&s->rig, WEDR_EV_PROCESS_TERMINATE, pid, 0);
    assert_non_null(end);
    assert_int_equal(rec_uint(end, "exit_code"), 3);
}

static int change_user(void *arg)
{
    char byte;
    int *ends = arg;
    if (setgid(65534) != 0 || setuid(65534) != 0 || write(ends[1], "x", 1) != 1) {
        return -1;
    }
    (void)!read(ends[2], &byte, 1);
    return -1;
}

static void change_of_user_has_both_sides(void **state)
{
    struct stage *s = *state;
    int ends[4];
    char byte;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(pipe2(ends + 2, O_CLOEXEC), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)close(ends[3]);
        _exit(change_user(ends) ? 1 : 0);
    }
    assert_int_equal(read(ends[0], &byte, 1), 1);
    const struct wedr_event_view *v = rig_wait(&s->rig, WEDR_EV_CREDENTIAL_CHANGE, pid, 0);
    assert_non_null(v);
    /* Both may have been done when the first was looked at. */
    assert_int_equal(rec_uint(v, "old_gid"), 0);
    assert_int_equal(rec_uint(v, "gid"), 65534);
    assert_int_equal(rec_uint(v, "old_uid"), 0);
    (void)close(ends[3]);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    if (rec_uint(v, "uid") == 0) {
        v = rig_wait(&s->rig, WEDR_EV_CREDENTIAL_CHANGE, pid, 1);
        assert_non_null(v);
    }
    assert_int_equal(rec_uint(v, "uid"), 65534);
}

static void inventory_lists_what_lived_before(void **state)
{
    struct stage *s = *state;
    rig_pump(&s->rig);
    const struct wedr_event_view *v = rig_wait(&s->rig, WEDR_EV_PROCESS_CREATE, getpid(), 0);
    assert_non_null(v);
    assert_int_equal(v->h.flags & WEDR_EVF_EXISTING, WEDR_EVF_EXISTING);
    assert_true(rec_str(v, "command_line", NULL).len > 0);
    size_t existing = 0;
    for (size_t i = 0; i < s->rig.count; i++) {
        existing += (s->rig.views[i].h.flags & WEDR_EVF_EXISTING) != 0;
    }
    assert_int_equal(existing, s->existing);
}

/* Events at the price of a system call each. */
static int rename_often(void *unused)
{
    (void)unused;
    for (int i = 0; i < 100000; i++) {
        (void)prctl(PR_SET_NAME, "renamed", 0, 0, 0);
    }
    return -1;
}

/* Stopped for longer than the kernel's queue is long. Nobody knows how many events went, so the
 * time is said, and what lives is listed again. */
static void overrun_is_told_as_a_time_and_the_living_are_listed_again(void **state)
{
    struct stage *s = *state;
    struct wedr_watch_overrun o = {0, 0};
    struct wedr_errinfo ei = {""};
    const char *const argv[] = {"/bin/cat", NULL};
    pid_t watcher = (pid_t)wedr_watch_pid(s->watch);
    int64_t before = wedr_time_utc_us();
    assert_int_equal(kill(watcher, SIGSTOP), 0);
    (void)rig_run(rename_often, NULL, NULL);
    struct held h = hold("/bin/cat", argv); /* its fork is among what is lost */
    assert_int_equal(kill(watcher, SIGCONT), 0);
    for (int i = 0; i < 1000 && o.to_us == 0; i++) {
        rig_pump(&s->rig);
        assert_int_equal(wedr_watch_check(s->watch, &o, &ei), WEDR_OK);
        wedr_time_sleep_ms(10);
    }
    assert_true(o.to_us > before);
    assert_true(o.from_us > 0 && o.from_us <= o.to_us);
    const struct wedr_event_view *v = rig_wait(&s->rig, WEDR_EV_PROCESS_CREATE, h.pid, 0);
    assert_non_null(v);
    assert_int_equal(v->h.flags & WEDR_EVF_EXISTING, WEDR_EVF_EXISTING);
    let_go(&h);
}

static void sequence_has_no_hole_that_is_not_counted(void **state)
{
    struct stage *s = *state;
    const struct wedr_sensor_state *st = wedr_watch_state(s->watch);
    const char *const flood[] = {"flood", "500", NULL};
    pid_t pid = rig_victim(flood, NULL);
    assert_non_null(rig_wait(&s->rig, WEDR_EV_PROCESS_TERMINATE, pid, 0));
    rig_assert_whole(&s->rig, &st->lane[WEDR_LANE_CRITICAL], WEDR_LANE_CRITICAL);
}

/* What the profile refuses is tested with the profile (test_plat_sandbox). */
static void watcher_keeps_two_capabilities_and_a_filter(void **state)
{
    static const char *const lines[] = {"CapInh:\t0000000000000000",
                                        "CapPrm:\t0000000000080004",
                                        "CapEff:\t0000000000080004",
                                        "CapBnd:\t0000000000000000",
                                        "CapAmb:\t0000000000000000",
                                        "NoNewPrivs:\t1",
                                        "Seccomp:\t2"};
    struct stage *s = *state;
    char path[64], text[8192];
    (void)snprintf(path, sizeof path, "/proc/%u/status", wedr_watch_pid(s->watch));
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    text[fread(text, 1, sizeof text - 1, f)] = 0;
    (void)fclose(f);
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(lines); i++) {
        if (!strstr(text, lines[i])) {
            fail_msg("%s\nlacks %s", text, lines[i]);
        }
    }
}

static void dead_watcher_is_noticed(void **state)
{
    struct stage *s = *state;
    struct wedr_watch_overrun o;
    struct wedr_errinfo ei = {""};
    int err = WEDR_OK;
    assert_int_equal(kill((pid_t)wedr_watch_pid(s->watch), SIGKILL), 0);
    for (int i = 0; i < 300 && err == WEDR_OK; i++) {
        err = wedr_watch_check(s->watch, &o, &ei);
        wedr_time_sleep_ms(10);
    }
    assert_int_equal(err, WEDR_E_CLOSED);
    assert_string_equal(ei.text, "the watching process ended with 137");
}

static void make_folder(const char *path, uid_t uid)
{
    char part[256];
    (void)snprintf(part, sizeof part, "%s", path);
    for (char *at = strchr(part + 6, '/'); at; at = strchr(at + 1, '/')) {
        *at = 0;
        if (mkdir(part, 0755) == 0) {
            assert_int_equal(chown(part, uid, uid), 0);
        }
        *at = '/';
    }
}

/* Three homes in a mount namespace of its own: one leads elsewhere, one is full of folders. */
static int open_stage_with_homes(void **state)
{
    char path[256];
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", "/home", "tmpfs", 0, "mode=755") != 0) {
        return -1;
    }
    FILE *f = fopen("/home/passwd", "we");
    assert_non_null(f);
    assert_true(fprintf(f, "u:x:4001:1::/home/u:\nv:x:4002:1::/home/v:\nw:x:4003:1::/home/w:\n") >
                0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(mount("/home/passwd", "/etc/passwd", NULL, MS_BIND, NULL), 0);
    make_folder("/home/u/.config/systemd/", 4001);
    make_folder("/home/u/dots/", 4001);
    make_folder("/home/all/", 0);
    assert_int_equal(symlink("/home/all", "/home/u/.config/autostart"), 0);
    assert_int_equal(symlink("../../dots", "/home/u/.config/systemd/user"), 0);
    for (int i = 0; i < 2100; i++) {
        (void)snprintf(path, sizeof path, "/home/v/.config/%s/%d/",
                       i % 2 ? "autostart" : "systemd/user", i);
        make_folder(path, 4002);
    }
    make_folder("/home/w/.config/autostart/sub/", 4003);
    return open_stage(state);
}

static void home_leads_to_nothing_of_others_and_takes_nobodys_place(void **state)
{
    static const char *const made[] = {"/home/all/x", "/home/u/dots/x",
                                       "/home/w/.config/autostart/x",
                                       "/home/w/.config/autostart/sub/x"};
    static const char *const told[] = {"/home/u/.config/systemd/user/x",
                                       "/home/w/.config/autostart/x",
                                       "/home/w/.config/autostart/sub/x"};
    struct stage *s = *state;
    struct statfs fs;
    const struct statfs none = {.f_type = 0};
    assert_int_equal(statfs("/home", &fs), 0);
    if (memcmp(&fs.f_fsid, &none.f_fsid, sizeof fs.f_fsid) == 0) {
        skip(); /* before 5.13 a tmpfs has no number, and fanotify tells no names in it */
    }
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(symlink("nowhere", made[i]), 0);
    }
    for (size_t i = 0; i < 3; i++) {
        const struct wedr_event_view *v = rig_wait(&s->rig, WEDR_EV_PERSISTENCE_WRITE, getpid(), i);
        assert_non_null(v);
        assert_str(v, "target_path", told[i]);
    }
    assert_int_equal(rig_count(&s->rig, WEDR_EV_PERSISTENCE_WRITE, getpid()), 3);
}

int main(void)
{
#define ON_STAGE(name) cmocka_unit_test_setup_teardown(name, open_stage, close_stage)
    const struct CMUnitTest tests[] = {
        ON_STAGE(exec_that_stays_is_whole),
        ON_STAGE(one_key_from_fork_over_exec_to_exit),
        ON_STAGE(deadly_signal_is_decoded),
        ON_STAGE(process_ends_with_its_last_thread_not_with_its_leader),
        ON_STAGE(program_that_was_gone_is_recorded_and_says_so),
        ON_STAGE(change_of_user_has_both_sides),
        ON_STAGE(inventory_lists_what_lived_before),
        ON_STAGE(overrun_is_told_as_a_time_and_the_living_are_listed_again),
        ON_STAGE(sequence_has_no_hole_that_is_not_counted),
        ON_STAGE(watcher_keeps_two_capabilities_and_a_filter),
        ON_STAGE(dead_watcher_is_noticed),
        cmocka_unit_test_setup_teardown(home_leads_to_nothing_of_others_and_takes_nobodys_place,
                                        open_stage_with_homes, close_stage),
    };
    char why[256];
    if (!wedr_watch_probe(why, sizeof why)) {
        printf("skipped: %s\n", why);
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
