/* SPDX-License-Identifier: Apache-2.0
 *
 * The network's records from where a sensor might not look: io_uring, a cgroup below the root, a
 * machine that shows no cgroup2 file system, and without the hooks that need one.
 */
#include "net_kit.h"

#include "wedr/plat/time.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONNECT WEDR_EV_NETWORK_CONNECT
#define ACCEPT WEDR_EV_NETWORK_ACCEPT

static int uring_connect(void *arg)
{
    struct kit_shared *s = arg;
    union kit_addr a;
    socklen_t len = kit_loopback(&a, AF_INET, s->port);
    int fd = socket(AF_INET, (s->step ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
    s->cookie = kit_cookie(fd);
    s->err = -kit_uring(IORING_OP_CONNECT, fd, &a, 0, len);
    return 0;
}

static void a_connection_through_io_uring_is_told_as_such(void **state)
{
    struct kit_shared *s = kit_shared();
    for (s->step = 0; s->step < 2; s->step++) {
        int server = kit_server(AF_INET, s->step ? -1 : 5, &s->port);
        pid_t pid = kit_child(uring_connect, s);
        if (s->err == ENOSYS) {
            skip();
        }
        assert_int_equal(s->err, 0);
        const struct wedr_event_view *v = kit_only(*state, CONNECT, pid);
        assert_int_equal(rec_uint(v, "via"), WEDR_VIA_IO_URING);
        assert_int_equal(rec_int(v, "result"), 0);
        assert_int_equal(rec_uint(v, "socket_id"), s->cookie);
        assert_int_equal(rec_uint(v, "dst_port"), s->port);
        (void)close(server);
    }
}

static int uring_accept(void *arg)
{
    struct kit_shared *s = arg;
    int fd = kit_uring(IORING_OP_ACCEPT, s->fd, NULL, 0, 0);
    s->err = fd < 0 ? -fd : 0;
    s->cookie = fd < 0 ? 0 : kit_cookie(fd);
    return fd >= 0 && close(fd) != 0;
}

static int plain_connect(void *arg)
{
    struct kit_shared *s = arg;
    union kit_addr a;
    char end;
    socklen_t len = kit_loopback(&a, AF_INET, s->port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd < 0 || connect(fd, &a.any, len) != 0 || read(fd, &end, 1) != 0;
}

static void a_connection_taken_through_io_uring_is_told_when_it_ends(void **state)
{
    struct rig *r = *state;
    struct kit_shared *s = kit_shared();
    s->fd = kit_server(AF_INET, 5, &s->port);
    pid_t server = kit_start(uring_accept, s);
    pid_t client = kit_child(plain_connect, s);
    kit_reap(server);
    (void)close(s->fd);
    if (s->err == ENOSYS) {
        skip();
    }
    assert_int_equal(s->err, 0);
    const struct wedr_event_view *v = kit_only(r, ACCEPT, server);
    assert_int_equal(rec_uint(v, "socket_id"), s->cookie);
    assert_int_equal(rec_uint(v, "dst_port"), s->port);
    v = kit_only(r, WEDR_EV_NETWORK_CLOSE, server);
    assert_int_equal(rec_uint(v, "incoming"), 1);
    assert_int_equal(rig_count(r, ACCEPT, client), 0);
}

static int send_one(void *arg)
{
    struct kit_shared *s = arg;
    union kit_addr a;
    socklen_t len = kit_loopback(&a, AF_INET, s->port);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    s->cookie = kit_cookie(fd);
    return fd < 0 || sendto(fd, "x", 1, 0, &a.any, len) != 1;
}

static void check_flow(struct rig *r, struct kit_shared *s, int (*act)(void *))
{
    int server = kit_server(AF_INET, -1, &s->port);
    pid_t pid = kit_child(act, s);
    const struct wedr_event_view *v = kit_only(r, CONNECT, pid);
    assert_int_equal(rec_uint(v, "protocol"), WEDR_NET_PROTOCOL_UDP);
    assert_int_equal(rec_uint(v, "socket_id"), s->cookie);
    assert_int_equal(rec_uint(v, "dst_port"), s->port);
    (void)close(server);
}

/* Where cgroup2 is mounted; false when nowhere. */
static bool cgroup_mount(char *ret, size_t cap)
{
    char line[512], at[256], kind[64];
    bool found = false;
    FILE *f = fopen("/proc/self/mounts", "re");
    while (f && !found && fgets(line, sizeof line, f)) {
        found = sscanf(line, "%*s %255s %63s", at, kind) == 2 && strcmp(kind, "cgroup2") == 0;
    }
    if (f) {
        (void)fclose(f);
    }
    (void)snprintf(ret, cap, "%s", found ? at : "");
    return found;
}

static char group[320];

static int send_below(void *arg)
{
    char procs[384];
    (void)snprintf(procs, sizeof procs, "%s/cgroup.procs", group);
    int fd = open(procs, O_WRONLY | O_CLOEXEC);
    return fd < 0 || write(fd, "0", 1) != 1 || close(fd) != 0 || send_one(arg) != 0;
}

static void a_cgroup_below_the_root_is_seen_too(void **state)
{
    char root[256];
    if (!cgroup_mount(root, sizeof root)) {
        skip();
    }
    (void)snprintf(group, sizeof group, "%s/wedr-net-%d", root, (int)getpid());
    assert_int_equal(mkdir(group, 0755), 0);
    check_flow(*state, kit_shared(), send_below);
    assert_int_equal(rmdir(group), 0);
}

static int connect_datagram(void *arg)
{
    struct kit_shared *s = arg;
    union kit_addr a;
    socklen_t len = kit_loopback(&a, AF_INET, s->port);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    s->cookie = kit_cookie(fd);
    return fd < 0 || connect(fd, &a.any, len) != 0;
}

/* What the plain tracepoints know: connections of both kinds, but no datagram without one. */
static void without_cgroup_hooks_connections_are_still_told(void **state)
{
    static const char *const without[] = {"connect4", "connect6", "send4", "send6",
                                          "rawsock",  "dns_out",  "dns_in"};
    struct rig r;
    (void)state;
    rig_open(&r, false, 0);
    rig_detach(&r);
    assert_int_equal(wedr_sensor_unpin(r.pin_name, NULL), 0);
    r.without = without;
    r.without_count = sizeof without / sizeof *without;
    rig_reopen(&r);
    struct kit_shared *s = kit_shared();
    check_flow(&r, s, connect_datagram);
    int server = kit_server(AF_INET, -1, &s->port);
    pid_t pid = kit_child(send_one, s);
    kit_none(&r, CONNECT, pid);
    (void)close(server);
    rig_close(&r);
}

/* The last test: it takes this process's view of the file systems apart. */
static void a_machine_that_shows_no_cgroup2_is_watched_all_the_same(void **state)
{
    struct rig r;
    char root[256];
    (void)state;
    assert_int_equal(unshare(CLONE_NEWNS), 0);
    assert_int_equal(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    while (cgroup_mount(root, sizeof root)) {
        assert_int_equal(umount2(root, MNT_DETACH), 0);
    }
    rig_open(&r, false, 0);
    check_flow(&r, kit_shared(), send_one);
    rig_close(&r);
}

int main(void)
{
    int skip_all = rig_unable();
    if (skip_all) {
        return skip_all;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_through_io_uring_is_told_as_such),
        cmocka_unit_test(a_connection_taken_through_io_uring_is_told_when_it_ends),
        cmocka_unit_test(a_cgroup_below_the_root_is_seen_too),
        cmocka_unit_test(without_cgroup_hooks_connections_are_still_told),
        cmocka_unit_test(a_machine_that_shows_no_cgroup2_is_watched_all_the_same),
    };
    return cmocka_run_group_tests(tests, rig_setup_fast, rig_teardown);
}
