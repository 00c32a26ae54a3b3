/* SPDX-License-Identifier: Apache-2.0
 * What an exec record says about arguments, identity and file. Once per way of walking paths. */
#include "rig.h"

#include "core/util/alloc.h"
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void exec_carries_argv_cwd_path_and_parent(void **state)
{
    struct rig *r = *state;
    char cwd[4096], self[4096] = "";
    const char *const args[] = {"exit", "0", "two words", "", NULL};
    assert_non_null(getcwd(cwd, sizeof cwd));
    assert_true(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    pid_t pid = rig_victim(args, NULL);
    const struct wedr_event_view *v = rig_exec_of(r, pid);
    static const char expected[] = WEDR_VICTIM "\0exit\0"
                                               "0\0two words\0";
    struct wedr_span argv = rec_str(v, "command_line", NULL);
    assert_int_equal(argv.len, sizeof expected);
    assert_memory_equal(argv.p, expected, sizeof expected);
    assert_int_equal(rec_uint(v, "argv_size"), sizeof expected);
    assert_str(v, "image_path", WEDR_VICTIM);
    assert_str(v, "cwd", cwd);
    assert_str(v, "parent_image_path", self);
    assert_str(v, "script_path", "");
    assert_str(v, "comm", "wedr_bpf_victim");
    assert_int_equal(rec_uint(v, "parent_pid"), getpid());
    assert_int_equal(rec_uint(v, "creating_pid"), pid);
    assert_int_equal(rec_uint(v, "exec_flags"), 0);
    assert_int_equal(v->h.flags, 0);
    assert_int_equal(rec_uint(v, "ns_pid_nr"), pid);
    assert_int_equal(rec_uint(v, "pgid"), getpgrp());
    assert_int_equal(rec_uint(v, "sid"), getsid(0));
}

static void exec_carries_the_file_facts(void **state)
{
    struct stat st;
    const char *const args[] = {"exit", "0", NULL};
    assert_int_equal(stat(WEDR_VICTIM, &st), 0);
    const struct wedr_event_view *v = rig_exec_of(*state, rig_victim(args, NULL));
    assert_int_equal(rec_uint(v, "exe_inode"), st.st_ino);
    assert_int_equal(rec_uint(v, "exe_mode"), st.st_mode);
    assert_int_equal(rec_uint(v, "exe_nlink"), st.st_nlink);
    assert_int_equal(rec_uint(v, "exe_uid"), st.st_uid);
    assert_int_equal(rec_uint(v, "exe_size"), st.st_size);
    assert_int_equal(rec_uint(v, "exe_ctime_ns"),
                     (uint64_t)st.st_ctim.tv_sec * 1000000000u + (uint64_t)st.st_ctim.tv_nsec);
    assert_int_equal(rec_uint(v, "exe_mtime_ns"),
                     (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec);
}

static uint64_t own_namespace(const char *name)
{
    char path[64];
    struct stat st;
    (void)snprintf(path, sizeof path, "/proc/self/ns/%s", name);
    return stat(path, &st) == 0 ? st.st_ino : 0;
}

static void exec_carries_the_namespaces(void **state)
{
    const char *const args[] = {"exit", "0", NULL};
    const struct wedr_event_view *v = rig_exec_of(*state, rig_victim(args, NULL));
    assert_int_equal(rec_uint(v, "ns_user"), own_namespace("user"));
    assert_int_equal(rec_uint(v, "ns_pid"), own_namespace("pid"));
    assert_int_equal(rec_uint(v, "ns_mnt"), own_namespace("mnt"));
    assert_int_equal(rec_uint(v, "ns_net"), own_namespace("net"));
    assert_int_equal(rec_uint(v, "ns_uts"), own_namespace("uts"));
    assert_int_equal(rec_uint(v, "ns_ipc"), own_namespace("ipc"));
    assert_int_equal(rec_uint(v, "ns_cgroup"), own_namespace("cgroup"));
}

#define MANY 2000

static int run_with_200_kib(void *arg)
{
    static char one[101];
    char **argv = arg;
    memset(one, 'x', 100);
    argv[0] = (char *)(uintptr_t)WEDR_VICTIM;
    for (int i = 1; i < MANY; i++) {
        argv[i] = one;
    }
    return execv(WEDR_VICTIM, argv);
}

static void argv_of_200_kib_is_cut_at_32767_with_its_real_size(void **state)
{
    uint16_t flags = 0;
    char **argv = wedr_alloc(MANY + 1, sizeof *argv);
    assert_non_null(argv);
    uint64_t trunc = wedr_sensor_state(((struct rig *)*state)->sensor)->lane[0].trunc;
    const struct wedr_event_view *v = rig_exec_of(*state, rig_run(run_with_200_kib, argv, NULL));
    struct wedr_span s = rec_str(v, "command_line", &flags);
    assert_int_equal(s.len, WEDR_ARGV_COPY_MAX);
    assert_int_equal(flags, WEDR_SF_CUT);
    assert_int_equal(rec_uint(v, "argv_size"), sizeof WEDR_VICTIM + (MANY - 1) * 101);
    assert_memory_equal(s.p + sizeof WEDR_VICTIM, "xxxxxxxx", 8);
    assert_true(v->h.trunc_count > trunc);
    wedr_free(argv);
}

static int become_user(void *arg)
{
    const char *path = arg;
    if (setgroups(0, NULL) != 0 || setresgid(12346, 12346, 12346) != 0 ||
        setresuid(12345, 12345, 12345) != 0) {
        return -1;
    }
    return execl(path, path, "exit", "0", (char *)NULL);
}

static void exec_carries_the_credentials_after_exec(void **state)
{
    struct rig *r = *state;
    char path[128];
    (void)snprintf(path, sizeof path, "%s/plain", r->dir);
    rig_copy_victim(path, 0755);
    const struct wedr_event_view *v = rig_exec_of(r, rig_run(become_user, path, NULL));
    static const char *const uids[] = {"uid", "euid", "suid", "fsuid"};
    static const char *const gids[] = {"gid", "egid", "sgid", "fsgid"};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(rec_uint(v, uids[i]), 12345);
        assert_int_equal(rec_uint(v, gids[i]), 12346);
    }
    assert_int_equal(rec_uint(v, "cap_effective"), 0);
    assert_int_equal(rec_uint(v, "cap_permitted"), 0);
    assert_true(rec_uint(v, "cap_bounding") != 0);
}

static void set_user_id_program_is_flagged_with_both_identities(void **state)
{
    struct rig *r = *state;
    char path[128];
    (void)snprintf(path, sizeof path, "%s/suid", r->dir);
    rig_copy_victim(path, 0755);
    assert_int_equal(chown(path, 54321, 54321), 0);
    assert_int_equal(chmod(path, 04755), 0);
    const struct wedr_event_view *v = rig_exec_of(r, rig_run(become_user, path, NULL));
    assert_int_equal(rec_uint(v, "uid"), 12345);
    assert_int_equal(rec_uint(v, "euid"), 54321);
    assert_int_equal(rec_uint(v, "suid"), 54321);
    assert_int_equal(rec_uint(v, "fsuid"), 54321);
    assert_int_equal(rec_uint(v, "exe_uid"), 54321);
    assert_int_equal(rec_uint(v, "exec_flags"), WEDR_EXEC_FLAGS_SETUID);
}

static int new_session(void *arg)
{
    (void)arg;
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (setsid() < 0) {
        return -1;
    }
    if (master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0) {
        int tty = open(ptsname(master), O_RDWR | O_CLOEXEC);
        if (tty >= 0) {
            (void)ioctl(tty, TIOCSCTTY, 0);
        }
    }
    return execl(WEDR_VICTIM, WEDR_VICTIM, "exit", "0", (char *)NULL);
}

static void session_leader_has_its_own_session_group_and_terminal(void **state)
{
    pid_t pid = rig_run(new_session, NULL, NULL);
    const struct wedr_event_view *v = rig_exec_of(*state, pid);
    assert_int_equal(rec_uint(v, "sid"), pid);
    assert_int_equal(rec_uint(v, "pgid"), pid);
    struct wedr_span tty = rec_str(v, "tty", NULL);
    assert_true(tty.len >= 4 && memcmp(tty.p, "pts", 3) == 0);
}

static int join_cgroup(void *arg)
{
    FILE *f = fopen(arg, "we");
    if (!f || fprintf(f, "%d\n", (int)getpid()) < 0 || fclose(f) != 0) {
        return -1;
    }
    return execl(WEDR_VICTIM, WEDR_VICTIM, "exit", "0", (char *)NULL);
}

/* Makes a group below a group below root, runs in it; the record must carry their names or, for
 * version 2, its id. */
static void check_cgroup(struct rig *r, const char *root, bool v2)
{
    char above[128], dir[160], procs[192];
    struct stat st;
    const char *parent = strrchr(r->dir, '/') + 1;
    (void)snprintf(above, sizeof above, "%s/%s", root, parent);
    (void)snprintf(dir, sizeof dir, "%s/leaf", above);
    (void)snprintf(procs, sizeof procs, "%s/cgroup.procs", dir);
    assert_int_equal(mkdir(above, 0755), 0);
    assert_int_equal(mkdir(dir, 0755), 0);
    assert_int_equal(stat(dir, &st), 0);
    const struct wedr_event_view *v = rig_exec_of(r, rig_run(join_cgroup, procs, NULL));
    (void)rmdir(dir);
    (void)rmdir(above);
    if (v2) {
        assert_int_equal(rec_uint(v, "cgroup_id"), st.st_ino);
    } else {
        assert_str(v, "cgroup_name", "leaf");
        assert_str(v, "cgroup_parent", parent);
    }
}

static void cgroup_of_both_hierarchies_is_named(void **state)
{
    bool v1 = access("/sys/fs/cgroup/pids/cgroup.procs", F_OK) == 0;
    if (v1) {
        check_cgroup(*state, "/sys/fs/cgroup/pids", false);
    }
    if (access("/sys/fs/cgroup/unified/cgroup.procs", F_OK) == 0) {
        check_cgroup(*state, "/sys/fs/cgroup/unified", true);
    } else if (access("/sys/fs/cgroup/cgroup.procs", F_OK) == 0) {
        check_cgroup(*state, "/sys/fs/cgroup", true);
    } else {
        assert_true(v1);
    }
}

#ifdef __x86_64__
/* A whole 32-bit program: exit(0). */
static const unsigned char elf32[] = {
    0x7f, 'E',  'L',  'F',  1,    1,    1,    0,    0,    0,    0,    0,    0,    0,    0,    0,
    2,    0,    3,    0,    1,    0,    0,    0,    0x54, 0x80, 0x04, 0x08, 0x34, 0,    0,    0,
    0,    0,    0,    0,    0,    0,    0,    0,    0x34, 0,    0x20, 0,    1,    0,    0,    0,
    0,    0,    0,    0,    1,    0,    0,    0,    0,    0,    0,    0,    0,    0x80, 0x04, 0x08,
    0,    0x80, 0x04, 0x08, 0x60, 0,    0,    0,    0x60, 0,    0,    0,    5,    0,    0,    0,
    0,    0x10, 0,    0,    0x31, 0xc0, 0x40, 0x31, 0xdb, 0xcd, 0x80, 0x90, 0x90, 0x90, 0x90, 0x90};

static int run_path(void *arg)
{
    return execl(arg, arg, (char *)NULL);
}

static void program_of_32_bits_is_flagged_compat(void **state)
{
    struct rig *r = *state;
    char path[128];
    int status = 0;
    (void)snprintf(path, sizeof path, "%s/elf32", r->dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    assert_int_equal(write(fd, elf32, sizeof elf32), sizeof elf32);
    (void)close(fd);
    pid_t pid = rig_run(run_path, path, &status);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 95) {
        skip(); /* the kernel runs no 32-bit programs */
    }
    assert_int_equal(rec_uint(rig_exec_of(r, pid), "exec_flags"), WEDR_EXEC_FLAGS_COMPAT);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exec_carries_argv_cwd_path_and_parent),
        cmocka_unit_test(exec_carries_the_file_facts),
        cmocka_unit_test(exec_carries_the_namespaces),
        cmocka_unit_test(argv_of_200_kib_is_cut_at_32767_with_its_real_size),
        cmocka_unit_test(exec_carries_the_credentials_after_exec),
        cmocka_unit_test(set_user_id_program_is_flagged_with_both_identities),
        cmocka_unit_test(session_leader_has_its_own_session_group_and_terminal),
        cmocka_unit_test(cgroup_of_both_hierarchies_is_named),
#ifdef __x86_64__
        cmocka_unit_test(program_of_32_bits_is_flagged_compat),
#endif
    };
    int unable = rig_unable();
    return unable ? unable : rig_run_both_walks(tests);
}
