/* SPDX-License-Identifier: Apache-2.0
 *
 * network_accept and network_close: who took a connection, who had opened it, what went over it.
 */
#include "net_kit.h"

#include "wedr/plat/time.h"
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ACCEPT WEDR_EV_NETWORK_ACCEPT
#define CLOSE WEDR_EV_NETWORK_CLOSE

#define ASKED 70000u
#define ANSWERED 300000u

static bool give(int fd, size_t n)
{
    static char bytes[4096];
    while (n > 0) {
        ssize_t sent = write(fd, bytes, n < sizeof bytes ? n : sizeof bytes);
        if (sent <= 0) {
            return false;
        }
        n -= (size_t)sent;
    }
    return true;
}

static bool take(int fd, size_t n)
{
    char bytes[4096];
    while (n > 0) {
        ssize_t got = read(fd, bytes, n < sizeof bytes ? n : sizeof bytes);
        if (got <= 0) {
            return false;
        }
        n -= (size_t)got;
    }
    return true;
}

static int connect_to(struct kit_shared *s)
{
    union kit_addr a;
    socklen_t len = kit_loopback(&a, s->family, s->port);
    int fd = socket(s->family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, &a.any, len) != 0) {
        return -1;
    }
    s->cookie = kit_cookie(fd);
    s->own_port = kit_own_port(fd);
    return fd;
}

static int ask(void *arg)
{
    struct kit_shared *s = arg;
    char end;
    int fd = connect_to(s);
    return fd < 0 || !give(fd, ASKED) || !take(fd, ANSWERED) || shutdown(fd, SHUT_WR) != 0 ||
           read(fd, &end, 1) != 0;
}

/* In s->fd the listening socket of the test. */
static int answer(void *arg)
{
    struct kit_shared *s = arg;
    char end;
    int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);
    s->err = 0;
    return fd < 0 || !take(fd, ASKED) || !give(fd, ANSWERED) || read(fd, &end, 1) != 0;
}

static void check_ends(const struct wedr_event_view *v,
                       const struct kit_shared *s,
                       const char *client,
                       const char *server)
{
    const char *ip = s->family == AF_INET ? "127.0.0.1" : "::1";
    char field[2][2][16];
    for (int i = 0; i < 2; i++) {
        (void)snprintf(field[i][0], sizeof field[i][0], "%s_ip", i == 0 ? client : server);
        (void)snprintf(field[i][1], sizeof field[i][1], "%s_port", i == 0 ? client : server);
    }
    assert_int_equal(rec_uint(v, "protocol"), WEDR_NET_PROTOCOL_TCP);
    assert_int_equal(rec_uint(v, "uid"), getuid());
    assert_int_equal(rec_uint(v, "ns_net"), kit_net_ns());
    assert_true(rec_uint(v, "process_key") != 0);
    assert_ip(v, field[0][0], ip);
    assert_int_equal(rec_uint(v, field[0][1]), s->own_port);
    assert_ip(v, field[1][0], ip);
    assert_int_equal(rec_uint(v, field[1][1]), s->port);
}

static void both_ends_count_the_same_bytes(void **state)
{
    struct rig *r = *state;
    const int families[] = {AF_INET, AF_INET6};
    for (size_t i = 0; i < 2; i++) {
        struct kit_shared *s = kit_shared();
        s->family = families[i];
        s->fd = kit_server(s->family, 5, &s->port);
        pid_t server = kit_start(answer, s);
        pid_t client = kit_child(ask, s);
        kit_reap(server);
        (void)close(s->fd);

        const struct wedr_event_view *v = kit_only(r, ACCEPT, server);
        uint64_t accepted = rec_uint(v, "socket_id");
        check_ends(v, s, "src", "dst");
        assert_true(accepted != 0 && accepted != s->cookie);

        v = kit_only(r, CLOSE, client);
        check_ends(v, s, "src", "dst");
        assert_int_equal(rec_uint(v, "bytes_sent"), ASKED);
        assert_int_equal(rec_uint(v, "bytes_received"), ANSWERED);
        assert_int_equal(rec_uint(v, "incoming"), 0);
        assert_int_equal(rec_uint(v, "socket_id"), s->cookie);
        assert_true(rec_uint(v, "duration_us") > 0);

        v = kit_only(r, CLOSE, server);
        check_ends(v, s, "dst", "src");
        assert_int_equal(rec_uint(v, "bytes_sent"), ANSWERED);
        assert_int_equal(rec_uint(v, "bytes_received"), ASKED);
        assert_int_equal(rec_uint(v, "incoming"), 1);
        assert_int_equal(rec_uint(v, "socket_id"), accepted);
        assert_true(rec_uint(v, "duration_us") > 0);
        assert_int_equal(rig_count(r, ACCEPT, client), 0);
    }
}

static int ask_and_reset(void *arg)
{
    struct kit_shared *s = arg;
    struct linger hard = {1, 0};
    int fd = connect_to(s);
    return fd < 0 || !give(fd, 5) || !kit_wait(s, 1) ||
           setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard) != 0 || close(fd) != 0;
}

static int accept_and_wait(void *arg)
{
    struct kit_shared *s = arg;
    char bytes[16];
    int fd = accept(s->fd, NULL, NULL);
    kit_step(s, 1);
    while (fd >= 0 && read(fd, bytes, sizeof bytes) > 0) {
    }
    return fd < 0;
}

static void a_reset_ends_both_ends(void **state)
{
    struct rig *r = *state;
    struct kit_shared *s = kit_shared();
    s->fd = kit_server(AF_INET, 5, &s->port);
    pid_t server = kit_start(accept_and_wait, s);
    pid_t client = kit_child(ask_and_reset, s);
    kit_reap(server);
    (void)close(s->fd);
    check_ends(kit_only(r, ACCEPT, server), s, "src", "dst");
    const struct wedr_event_view *v = kit_only(r, CLOSE, client);
    assert_int_equal(rec_uint(v, "bytes_sent"), 5);
    assert_int_equal(rec_uint(v, "bytes_received"), 0);
    v = kit_only(r, CLOSE, server);
    assert_int_equal(rec_uint(v, "bytes_received"), 5);
    assert_int_equal(rec_uint(v, "incoming"), 1);
}

static int close_later(void *arg)
{
    struct kit_shared *s = arg;
    return !kit_wait(s, 1) || close(s->fd) != 0;
}

/* Opens, gives the connection to a child that outlives it. */
static int open_and_leave(void *arg)
{
    struct kit_shared *s = arg;
    s->fd = connect_to(s);
    if (s->fd < 0 || !give(s->fd, 9)) {
        return 1;
    }
    pid_t child = fork();
    if (child == 0) {
        _exit(close_later(s) ? 95 : 96);
    }
    s->pid = child; /* both processes see it: the child's 0 has no business there */
    return child < 0;
}

static void a_child_that_closes_last_did_not_open(void **state)
{
    struct rig *r = *state;
    struct kit_shared *s = kit_shared();
    int listener = kit_server(AF_INET, 5, &s->port);
    pid_t opener = kit_child(open_and_leave, s);
    int accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(accepted >= 0);
    kit_fence(r);
    assert_int_equal(rig_count(r, CLOSE, opener), 0);
    kit_step(s, 1);
    while (read(accepted, &(char){0}, 1) > 0) {
    }
    (void)close(accepted);
    const struct wedr_event_view *v = kit_only(r, CLOSE, opener);
    assert_int_equal(rec_uint(v, "socket_id"), s->cookie);
    assert_int_equal(rec_uint(v, "bytes_sent"), 9);
    assert_int_equal(rig_count(r, CLOSE, s->pid), 0);
    /* and the test's own end, which the test accepted */
    v = kit_only(r, CLOSE, getpid());
    assert_int_equal(rec_uint(v, "incoming"), 1);
    assert_int_equal(rec_uint(v, "bytes_received"), 9);
    (void)close(listener);
}

static int send_fd(int by, int fd)
{
    char one = 1;
    struct iovec io = {&one, 1};
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {{0}};
    struct msghdr msg = {.msg_iov = &io,
                         .msg_iovlen = 1,
                         .msg_control = control.bytes,
                         .msg_controllen = sizeof control.bytes};
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    return sendmsg(by, &msg, 0) == 1 ? 0 : -1;
}

static int receive_fd(int by)
{
    char one;
    int fd = -1;
    struct iovec io = {&one, 1};
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {{0}};
    struct msghdr msg = {.msg_iov = &io,
                         .msg_iovlen = 1,
                         .msg_control = control.bytes,
                         .msg_controllen = sizeof control.bytes};
    if (recvmsg(by, &msg, 0) == 1 && CMSG_FIRSTHDR(&msg)) {
        memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof fd);
    }
    return fd;
}

static int passage[2];

static int open_and_pass(void *arg)
{
    int fd = connect_to(arg);
    return fd < 0 || send_fd(passage[0], fd) != 0;
}

static int receive_and_close(void *arg)
{
    (void)arg;
    int fd = receive_fd(passage[1]);
    return fd < 0 || !give(fd, 3) || close(fd) != 0;
}

static void a_process_that_was_given_the_socket_did_not_open_it(void **state)
{
    struct rig *r = *state;
    struct kit_shared *s = kit_shared();
    int listener = kit_server(AF_INET, 5, &s->port);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, passage), 0);
    pid_t third = kit_start(receive_and_close, s);
    pid_t opener = kit_child(open_and_pass, s);
    kit_reap(third);
    int accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(accepted >= 0);
    (void)close(accepted);
    (void)close(listener);
    const struct wedr_event_view *v = kit_only(r, CLOSE, opener);
    assert_int_equal(rec_uint(v, "bytes_sent"), 3);
    assert_int_equal(rec_uint(v, "socket_id"), s->cookie);
    assert_int_equal(rig_count(r, CLOSE, third), 0);
}

static void a_connection_that_nobody_took_has_no_owner_at_the_server(void **state)
{
    struct rig *r = *state;
    struct kit_shared *s = kit_shared();
    int listener = kit_server(AF_INET, 5, &s->port);
    size_t before = rig_count(r, CLOSE, 0);
    kit_step(s, 1);
    pid_t client = kit_child(ask_and_reset, s);
    (void)kit_only(r, CLOSE, client);
    assert_int_equal(rig_count(r, CLOSE, 0), before + 1);
    const struct wedr_event_view *v = rig_wait(r, CLOSE, 0, before);
    assert_int_equal(rec_uint(v, "incoming"), 1);
    assert_int_equal(rec_uint(v, "dst_port"), s->own_port);
    (void)close(listener);
}

static int hold_connection(void *arg)
{
    struct kit_shared *s = arg;
    int fd = connect_to(s);
    kit_step(s, 1);
    return fd < 0 || !kit_wait(s, 2) || close(fd) != 0;
}

static void a_connection_older_than_the_sensor_has_its_owner(void **state)
{
    (void)state;
    struct rig r;
    struct kit_shared *s = kit_shared();
    int listener = kit_server(AF_INET, 5, &s->port);
    pid_t client = kit_start(hold_connection, s);
    int accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(accepted >= 0 && kit_wait(s, 1));
    rig_open(&r, false, 0);
    kit_step(s, 2);
    kit_reap(client);
    (void)close(accepted);
    const struct wedr_event_view *v = kit_only(&r, CLOSE, client);
    assert_int_equal(rec_uint(v, "socket_id"), s->cookie);
    v = kit_only(&r, CLOSE, getpid());
    assert_int_equal(rec_uint(v, "src_port"), s->port);
    (void)close(listener);
    rig_close(&r);
}

static int hold_and_reset(void *arg)
{
    struct kit_shared *s = arg;
    struct linger hard = {1, 0};
    int fd = connect_to(s);
    kit_step(s, 1);
    return fd < 0 || !kit_wait(s, 2) ||
           setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard) != 0 || close(fd) != 0;
}

/* The other side's reset ends it in the other side's context: its process never acts. */
static void the_sensor_lists_the_owners_of_older_connections(void **state)
{
    (void)state;
    struct rig r;
    struct kit_shared *s = kit_shared();
    int listener = kit_server(AF_INET6, 5, &s->port);
    s->family = AF_INET6;
    pid_t client = kit_start(hold_and_reset, s);
    int accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(accepted >= 0 && kit_wait(s, 1));
    rig_open(&r, false, 0);
    kit_step(s, 2);
    kit_reap(client);
    const struct wedr_event_view *v = kit_only(&r, CLOSE, getpid());
    assert_int_equal(rec_uint(v, "socket_id"), kit_cookie(accepted));
    assert_int_equal(rec_uint(v, "dst_port"), s->own_port);
    (void)kit_only(&r, CLOSE, client);
    (void)close(accepted);
    (void)close(listener);
    rig_close(&r);
}

int main(void)
{
    int skip = rig_unable();
    if (skip) {
        return skip;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ends_count_the_same_bytes),
        cmocka_unit_test(a_reset_ends_both_ends),
        cmocka_unit_test(a_child_that_closes_last_did_not_open),
        cmocka_unit_test(a_process_that_was_given_the_socket_did_not_open_it),
        cmocka_unit_test(a_connection_that_nobody_took_has_no_owner_at_the_server),
        cmocka_unit_test(a_connection_older_than_the_sensor_has_its_owner),
        cmocka_unit_test(the_sensor_lists_the_owners_of_older_connections),
    };
    return cmocka_run_group_tests(tests, rig_setup_fast, rig_teardown);
}
