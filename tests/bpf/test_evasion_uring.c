/* SPDX-License-Identifier: Apache-2.0
 * What a process asks through io_uring passes no system call: files, connections, another process's
 * memory. By the caller itself, by the kernel's polling thread, by its worker threads. Once per way
 * of walking paths. */
#include "rig_file.h"
#include "steps.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SETUP_SQPOLL 2

/* Who takes the requests. */
static const char *const ways[][2] = {{NULL}, {"async", NULL}, {"sqpoll", NULL}};

/* victim_uring of that way with one step, to its end; skips when the hook is not there. */
static pid_t ask(struct rig *r, size_t way, const char *step)
{
    const char *steps[4] = {NULL};
    size_t n = 0;
    if (!rig_has_hook(r, "uring_req") && !rig_has_hook(r, "uring_sqe")) {
        skip();
    }
    if (ways[way][0]) {
        steps[n++] = ways[way][0];
    }
    steps[n] = step;
    pid_t pid = steps_run(WEDR_VICTIM_URING, 0, steps);
    steps_ended(r, pid);
    rig_sync(r);
    return pid;
}

static void
check(const struct rig *r, const struct wedr_event_view *v, const char *field, const char *name)
{
    char path[160];
    (void)snprintf(path, sizeof path, "%s/%s", r->dir, name);
    assert_str(v, field, path);
    assert_int_equal(rec_uint(v, "via"), WEDR_VIA_IO_URING);
    assert_int_equal(rec_uint(v, "path_source"), WEDR_PATH_SOURCE_USER);
    assert_int_equal(rec_uint(v, "uid"), 0);
}

static void ring_that_is_made_is_told(void **state)
{
    struct rig *r = *state;
    for (size_t way = 0; way < 3; way++) {
        pid_t pid = ask(r, way, NULL);
        assert_int_equal(rig_count(r, WEDR_EV_IO_URING_SETUP, pid), 1);
        const struct wedr_event_view *v = rig_wait(r, WEDR_EV_IO_URING_SETUP, pid, 0);
        assert_int_equal(rec_uint(v, "entries"), 4);
        assert_int_equal(rec_uint(v, "setup_flags"), way == 2 ? SETUP_SQPOLL : 0);
        assert_int_equal(rec_uint(v, "process_key"), rec_uint(rig_exec_of(r, pid), "process_key"));
        assert_int_equal(rig_files(r, pid), 0);
    }
}

static void file_opened_for_writing_is_told_of_the_process(void **state)
{
    struct rig *r = *state;
    char step[160];
    for (size_t way = 0; way < 3; way++) {
        (void)snprintf(step, sizeof step, "write:%s/new%zu", r->dir, way);
        pid_t pid = ask(r, way, step);
        assert_int_equal(rig_files(r, pid), 1);
        const struct wedr_event_view *v = rig_file(r, WEDR_EV_FILE_WRITE, pid, 0);
        check(r, v, "target_path", strrchr(step, '/') + 1);
        assert_int_equal(rec_uint(v, "op"), WEDR_FILE_OP_WRITE);
        assert_int_equal(rec_uint(v, "open_flags") & (O_ACCMODE | O_CREAT), O_WRONLY | O_CREAT);
        assert_int_equal(rec_uint(v, "process_key"), rec_uint(rig_exec_of(r, pid), "process_key"));
    }
}

static void folder_and_link_are_followed(void **state)
{
    struct rig *r = *state;
    char path[160], step[256];
    struct stat st;
    (void)snprintf(step, sizeof step, "write-at:%s,in-folder", r->dir);
    pid_t pid = ask(r, 0, step);
    const struct wedr_event_view *v = rig_file(r, WEDR_EV_FILE_WRITE, pid, 0);
    check(r, v, "target_path", "in-folder");
    assert_int_equal(rec_uint(v, "op"), WEDR_FILE_OP_CREATE); /* O_EXCL: it did not exist */
    assert_int_equal(rig_files(r, pid), 1);

    (void)snprintf(path, sizeof path, "%s/link", r->dir);
    assert_int_equal(symlink("in-folder", path), 0);
    assert_int_equal(stat(path, &st), 0);
    (void)snprintf(step, sizeof step, "write:%s", path);
    pid = ask(r, 0, step);
    v = rig_file(r, WEDR_EV_FILE_WRITE, pid, 0);
    check(r, v, "target_path", "in-folder");
    assert_int_equal(rec_uint(v, "inode"), st.st_ino);
}

/* The process gets no descriptor that anybody could look at. */
static void file_in_the_rings_own_table_is_told(void **state)
{
    struct rig *r = *state;
    char step[160];
    (void)snprintf(step, sizeof step, "write-direct:%s/direct", r->dir);
    pid_t pid = ask(r, 0, step);
    check(r, rig_file(r, WEDR_EV_FILE_WRITE, pid, 0), "target_path", "direct");
    assert_int_equal(rig_files(r, pid), 1);
}

static void names_that_change_are_told_with_both_ends(void **state)
{
    static const struct {
        const char *verb, *source, *target; /* source "": the target alone */
        unsigned type, op;
    } calls[] = {
        {"link", "a", "b", WEDR_EV_FILE_LINK, WEDR_FILE_OP_LINK},
        {"rename", "b", "c", WEDR_EV_FILE_RENAME, 0},
        {"symlink", "c", "d", WEDR_EV_FILE_LINK, WEDR_FILE_OP_SYMLINK},
        {"unlink", "", "c", WEDR_EV_FILE_DELETE, 0},
    };
    struct rig *r = *state;
    for (size_t way = 0; way < 3; way++) {
        rig_make_file(r, "a");
        for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
            char step[512];
            if (calls[i].source[0]) {
                (void)snprintf(step, sizeof step, "%s:%s/%s,%s/%s", calls[i].verb, r->dir,
                               calls[i].source, r->dir, calls[i].target);
            } else {
                (void)snprintf(step, sizeof step, "%s:%s/%s", calls[i].verb, r->dir,
                               calls[i].target);
            }
            pid_t pid = ask(r, way, step);
            assert_int_equal(rig_files(r, pid), 1);
            const struct wedr_event_view *v = rig_file(r, (uint16_t)calls[i].type, pid, 0);
            check(r, v, "target_path", calls[i].target);
            if (calls[i].source[0]) {
                check(r, v, "source_path", calls[i].source);
            }
            if (calls[i].op) {
                assert_int_equal(rec_uint(v, "op"), calls[i].op);
            }
        }
        assert_int_equal(rig_empty(state), 0);
    }
}

static void reading_makes_no_record(void **state)
{
    struct rig *r = *state;
    char step[160];
    rig_make_file(r, "read");
    (void)snprintf(step, sizeof step, "read:%s/read", r->dir);
    for (size_t way = 0; way < 3; way++) {
        assert_int_equal(rig_files(r, ask(r, way, step)), 0);
    }
}

static int run_with_own_cron(void *unused)
{
    (void)unused;
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", "/etc/cron.d", "tmpfs", 0, NULL) != 0) {
        return -1;
    }
    return execl(WEDR_VICTIM_URING, WEDR_VICTIM_URING, "write:/etc/cron.d/evil", (char *)NULL);
}

static void persistence_is_told_as_such(void **state)
{
    struct rig *r = *state;
    int status = 0;
    if (access("/etc/cron.d", F_OK) != 0) {
        skip();
    }
    pid_t pid = rig_run(run_with_own_cron, NULL, &status);
    assert_int_equal(status, 0);
    const struct wedr_event_view *v = rig_file(r, WEDR_EV_PERSISTENCE_WRITE, pid, 0);
    assert_str(v, "target_path", "/etc/cron.d/evil");
    assert_int_equal(rec_uint(v, "mechanism"), WEDR_PERSISTENCE_CRON);
    assert_int_equal(rec_uint(v, "via"), WEDR_VIA_IO_URING);
}

static void memory_of_another_process_is_handle_access(void **state)
{
    struct rig *r = *state;
    char step[64];
    pid_t target = rig_idler();
    (void)snprintf(step, sizeof step, "memory:%d", (int)target);
    pid_t pid = ask(r, 0, step);
    rig_idler_end(target);
    assert_int_equal(rig_count(r, WEDR_EV_PROCESS_HANDLE_ACCESS, pid), 1);
    const struct wedr_event_view *v = rig_wait(r, WEDR_EV_PROCESS_HANDLE_ACCESS, pid, 0);
    assert_int_equal(rec_uint(v, "op"), WEDR_HANDLE_OP_PROC_MEM);
    assert_int_equal(rec_uint(v, "target_pid"), target);
}

/* A socket of the loopback that is bound; its port. */
static int bound(int type, unsigned *ret_port)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    *ret_port = ntohs(at.sin_port);
    return fd;
}

static void connections_and_datagrams_have_their_process(void **state)
{
    static const struct {
        const char *verb;
        int type;
        unsigned protocol;
    } calls[] = {{"connect", SOCK_STREAM, WEDR_NET_PROTOCOL_TCP},
                 {"sendto", SOCK_DGRAM, WEDR_NET_PROTOCOL_UDP}};
    struct rig *r = *state;
    if (!rig_has_hook(r, "connect4") || !rig_has_hook(r, "send4")) {
        skip();
    }
    for (size_t i = 0; i < 2; i++) {
        for (size_t way = 0; way < 3; way++) {
            char step[32];
            unsigned port = 0;
            int fd = bound(calls[i].type, &port);
            assert_true(calls[i].type == SOCK_DGRAM || listen(fd, 4) == 0);
            (void)snprintf(step, sizeof step, "%s:%u", calls[i].verb, port);
            pid_t pid = ask(r, way, step);
            (void)close(fd);
            assert_int_equal(rig_count(r, WEDR_EV_NETWORK_CONNECT, pid), 1);
            const struct wedr_event_view *v = rig_wait(r, WEDR_EV_NETWORK_CONNECT, pid, 0);
            assert_int_equal(rec_uint(v, "dst_port"), port);
            assert_int_equal(rec_uint(v, "protocol"), calls[i].protocol);
            assert_int_equal(rec_uint(v, "via"), WEDR_VIA_IO_URING);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(ring_that_is_made_is_told, rig_empty),
        cmocka_unit_test_setup(file_opened_for_writing_is_told_of_the_process, rig_empty),
        cmocka_unit_test_setup(folder_and_link_are_followed, rig_empty),
        cmocka_unit_test_setup(file_in_the_rings_own_table_is_told, rig_empty),
        cmocka_unit_test_setup(names_that_change_are_told_with_both_ends, rig_empty),
        cmocka_unit_test_setup(reading_makes_no_record, rig_empty),
        cmocka_unit_test(persistence_is_told_as_such),
        cmocka_unit_test(memory_of_another_process_is_handle_access),
        cmocka_unit_test(connections_and_datagrams_have_their_process),
    };
    int unable = rig_unable();
    return unable ? unable : rig_run_both_walks(tests);
}
