/* SPDX-License-Identifier: Apache-2.0
 *
 * network_connect: one record for each connection that a process opens, when its outcome is known,
 * by the process that asked for it.
 */
#include "net_kit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "wedr/plat/time.h"

#define CONNECT WEDR_EV_NETWORK_CONNECT

/* socket and connect to loopback; the socket, also when the connection failed. */
static int open_to(struct kit_shared *s, int type)
{
    union kit_addr a;
    socklen_t len = kit_loopback(&a, s->family, s->port);
    int fd = socket(s->family, type | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    s->ns_net = kit_net_ns();
    s->err = connect(fd, &a.any, len) == 0 ? 0 : errno;
    s->cookie = kit_cookie(fd);
    s->own_port = kit_own_port(fd);
    return fd;
}

static int connect_stream(void *arg)
{
    return open_to(arg, SOCK_STREAM) < 0;
}

static void
check(const struct wedr_event_view *v, const struct kit_shared *s, unsigned protocol, int result)
{
    const char *ip = s->family == AF_INET ? "127.0.0.1" : "::1";
    assert_int_equal(rec_uint(v, "protocol"), protocol);
    assert_int_equal(rec_int(v, "result"), result);
    assert_ip(v, "dst_ip", ip);
    assert_int_equal(rec_uint(v, "dst_port"), s->port);
    assert_int_equal(rec_uint(v, "uid"), getuid());
    assert_int_equal(rec_uint(v, "socket_id"), s->cookie);
    assert_int_equal(rec_uint(v, "ns_net"), s->ns_net);
    assert_int_equal(rec_uint(v, "via"), 0);
    assert_true(rec_uint(v, "process_key") != 0);
    if (result == 0) {
        assert_ip(v, "src_ip", ip);
        assert_int_equal(rec_uint(v, "src_port"), s->own_port);
    }
}

static void connects_to_listener(struct rig *r, int family)
{
    struct kit_shared *s = kit_shared();
    s->family = family;
    int server = kit_server(family, 5, &s->port);
    pid_t pid = kit_child(connect_stream, s);
    assert_int_equal(s->err, 0);
    check(kit_only(r, CONNECT, pid), s, WEDR_NET_PROTOCOL_TCP, 0);
    (void)close(server);
}

static void a_connection_is_one_record_with_its_two_ends(void **state)
{
    connects_to_listener(*state, AF_INET);
    connects_to_listener(*state, AF_INET6);
}

static void a_refused_connection_says_so(void **state)
{
    struct kit_shared *s = kit_shared();
    s->port = kit_free_port();
    pid_t pid = kit_child(connect_stream, s);
    assert_int_equal(s->err, ECONNREFUSED);
    check(kit_only(*state, CONNECT, pid), s, WEDR_NET_PROTOCOL_TCP, -ECONNREFUSED);
}

static int connect_in_background(void *arg)
{
    struct kit_shared *s = arg;
    int fd = open_to(s, SOCK_STREAM | SOCK_NONBLOCK);
    s->err = s->err == EINPROGRESS ? 0 : s->err;
    return fd < 0 || s->err != 0;
}

static void a_non_blocking_connection_is_told_at_its_outcome(void **state)
{
    struct kit_shared *s = kit_shared();
    int server = kit_server(AF_INET, 5, &s->port);
    pid_t pid = kit_child(connect_in_background, s);
    check(kit_only(*state, CONNECT, pid), s, WEDR_NET_PROTOCOL_TCP, 0);
    (void)close(server);
    s->port = kit_free_port();
    pid = kit_child(connect_in_background, s);
    check(kit_only(*state, CONNECT, pid), s, WEDR_NET_PROTOCOL_TCP, -ECONNREFUSED);
}

/* A listener whose queue is full answers no one: connections to it hang. */
static int full_server(uint16_t *ret_port, int filler[2])
{
    union kit_addr a;
    int server = kit_server(AF_INET, 0, ret_port);
    assert_int_equal(fcntl(server, F_SETFL, O_NONBLOCK), 0);
    socklen_t len = kit_loopback(&a, AF_INET, *ret_port);
    for (int i = 0; i < 2; i++) {
        filler[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        assert_true(filler[i] >= 0);
        (void)connect(filler[i], &a.any, len);
    }
    return server;
}

static int connect_one_try(void *arg)
{
    struct kit_shared *s = arg;
    union kit_addr a;
    int one = 1;
    socklen_t len = kit_loopback(&a, s->family, s->port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_SYNCNT, &one, sizeof one) != 0) {
        return 1;
    }
    s->ns_net = kit_net_ns();
    s->err = connect(fd, &a.any, len) == 0 ? 0 : errno;
    s->cookie = kit_cookie(fd);
    return 0;
}

static void a_connection_without_answer_times_out(void **state)
{
    int filler[2];
    struct kit_shared *s = kit_shared();
    int server = full_server(&s->port, filler);
    pid_t pid = kit_child(connect_one_try, s);
    assert_int_equal(s->err, ETIMEDOUT);
    check(kit_only(*state, CONNECT, pid), s, WEDR_NET_PROTOCOL_TCP, -ETIMEDOUT);
    (void)close(filler[0]);
    (void)close(filler[1]);
    (void)close(server);
}

static int connect_and_give_up(void *arg)
{
    struct kit_shared *s = arg;
    int fd = open_to(s, SOCK_STREAM | SOCK_NONBLOCK);
    return s->err == EINPROGRESS && close(fd) == 0 ? 0 : 1;
}

static void a_connection_that_is_given_up_is_cancelled(void **state)
{
    int filler[2];
    struct kit_shared *s = kit_shared();
    int server = full_server(&s->port, filler);
    pid_t pid = kit_child(connect_and_give_up, s);
    check(kit_only(*state, CONNECT, pid), s, WEDR_NET_PROTOCOL_TCP, -ECANCELED);
    (void)close(filler[0]);
    (void)close(filler[1]);
    (void)close(server);
}

static int connect_and_sleep(void *arg)
{
    struct kit_shared *s = arg;
    int fd = open_to(s, SOCK_STREAM | SOCK_NONBLOCK);
    kit_step(s, 1);
    return fd < 0 || !kit_wait(s, 2);
}

static int burn(void *arg)
{
    struct kit_shared *s = arg;
    while (__atomic_load_n(&s->step, __ATOMIC_ACQUIRE) < 2) {
    }
    return 0;
}

/* The answer comes when the connecting process sleeps: a timer sends the request again, in an
 * interrupt of whoever runs then. */
static void the_outcome_is_told_of_who_asked_not_of_who_runs(void **state)
{
    struct rig *r = *state;
    int filler[2], got;
    pid_t others[4];
    struct kit_shared *s = kit_shared();
    int server = full_server(&s->port, filler);
    pid_t pid = kit_start(connect_and_sleep, s);
    assert_true(kit_wait(s, 1));
    for (int i = 0; i < 4; i++) {
        others[i] = kit_start(burn, s);
    }
    /* Whoever tries again first takes the free place, so there must be more than one. */
    for (int i = 0; i < 200 && rig_count(r, CONNECT, pid) == 0; i++) {
        while ((got = accept4(server, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
            (void)close(got);
        }
        wedr_time_sleep_ms(50);
    }
    const struct wedr_event_view *v = rig_wait(r, CONNECT, pid, 0);
    kit_step(s, 2);
    for (int i = 0; i < 4; i++) {
        kit_reap(others[i]);
    }
    kit_reap(pid);
    assert_non_null(v);
    check(kit_only(r, CONNECT, pid), s, WEDR_NET_PROTOCOL_TCP, 0);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(rig_count(r, CONNECT, others[i]), 0);
    }
    (void)close(filler[0]);
    (void)close(filler[1]);
    (void)close(server);
}

static int connect_without_route(void *arg)
{
    struct kit_shared *s = arg;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(s->port)};
    int type = s->step == 0 ? SOCK_STREAM : SOCK_DGRAM;
    if (!kit_unshare_net() || inet_pton(AF_INET, "192.0.2.7", &to.sin_addr) != 1) {
        return 1;
    }
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    s->ns_net = kit_net_ns();
    s->err = connect(fd, (struct sockaddr *)&to, sizeof to) == 0 ? 0 : errno;
    s->cookie = kit_cookie(fd);
    return 0;
}

static void a_connection_that_never_left_says_why(void **state)
{
    struct kit_shared *s = kit_shared();
    s->port = 443;
    for (s->step = 0; s->step < 2; s->step++) {
        pid_t pid = kit_child(connect_without_route, s);
        assert_int_equal(s->err, ENETUNREACH);
        const struct wedr_event_view *v = kit_only(*state, CONNECT, pid);
        assert_int_equal(rec_int(v, "result"), -ENETUNREACH);
        assert_int_equal(rec_uint(v, "protocol"),
                         s->step == 0 ? WEDR_NET_PROTOCOL_TCP : WEDR_NET_PROTOCOL_UDP);
        assert_ip(v, "dst_ip", "192.0.2.7");
        assert_int_equal(rec_uint(v, "socket_id"), s->cookie);
        assert_int_equal(rec_uint(v, "ns_net"), s->ns_net);
        assert_true(s->ns_net != kit_net_ns());
    }
}

static int connect_mapped(void *arg)
{
    struct kit_shared *s = arg;
    struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(s->port)};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || inet_pton(AF_INET6, "::ffff:127.0.0.1", &to.sin6_addr) != 1) {
        return 1;
    }
    s->ns_net = kit_net_ns();
    s->err = connect(fd, (struct sockaddr *)&to, sizeof to) == 0 ? 0 : errno;
    s->cookie = kit_cookie(fd);
    s->own_port = kit_own_port(fd);
    return 0;
}

static void an_ipv4_address_in_ipv6_clothes_is_ipv4(void **state)
{
    struct kit_shared *s = kit_shared();
    int server = kit_server(AF_INET, 5, &s->port);
    pid_t pid = kit_child(connect_mapped, s);
    assert_int_equal(s->err, 0);
    check(kit_only(*state, CONNECT, pid), s, WEDR_NET_PROTOCOL_TCP, 0);
    (void)close(server);
}

static int connect_elsewhere(void *arg)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    struct kit_shared *s = arg;
    memcpy(to.sun_path + 1, "wedr-nobody", 11);
    int local = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int plain = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    s->err = connect(local, (struct sockaddr *)&to, sizeof to) == 0 ? 0 : errno;
    return plain < 0 || connect(-1, (struct sockaddr *)&to, sizeof to) == 0;
}

static void local_sockets_and_failed_calls_make_no_record(void **state)
{
    struct kit_shared *s = kit_shared();
    pid_t pid = kit_child(connect_elsewhere, s);
    assert_int_equal(s->err, ECONNREFUSED);
    kit_none(*state, CONNECT, pid);
    assert_int_equal(rig_count(*state, WEDR_EV_NETWORK_CLOSE, pid), 0);
    assert_int_equal(rig_count(*state, WEDR_EV_SOCKET_CREATE, pid), 0);
}

int main(void)
{
    int skip = rig_unable();
    if (skip) {
        return skip;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_is_one_record_with_its_two_ends),
        cmocka_unit_test(a_refused_connection_says_so),
        cmocka_unit_test(a_non_blocking_connection_is_told_at_its_outcome),
        cmocka_unit_test(a_connection_without_answer_times_out),
        cmocka_unit_test(a_connection_that_is_given_up_is_cancelled),
        cmocka_unit_test(the_outcome_is_told_of_who_asked_not_of_who_runs),
        cmocka_unit_test(a_connection_that_never_left_says_why),
        cmocka_unit_test(an_ipv4_address_in_ipv6_clothes_is_ipv4),
        cmocka_unit_test(local_sockets_and_failed_calls_make_no_record),
    };
    return cmocka_run_group_tests(tests, rig_setup_fast, rig_teardown);
}
