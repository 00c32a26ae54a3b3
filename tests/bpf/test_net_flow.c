/* SPDX-License-Identifier: Apache-2.0
 *
 * network_connect of datagram sockets, network_listen, socket_create: once for what a process
 * begins, never for what it goes on with.
 */
#include "net_kit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECT WEDR_EV_NETWORK_CONNECT
#define LISTEN WEDR_EV_NETWORK_LISTEN
#define SOCKET WEDR_EV_SOCKET_CREATE

static int send_thrice(void *arg)
{
    struct kit_shared *s = arg;
    union kit_addr a;
    socklen_t len = kit_loopback(&a, s->family, s->port);
    int fd = socket(s->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    for (int i = 0; i < 3; i++) {
        if (fd < 0 || sendto(fd, "x", 1, 0, &a.any, len) != 1) {
            return 1;
        }
    }
    s->cookie = kit_cookie(fd);
    s->own_port = kit_own_port(fd);
    return 0;
}

static void check_flow(const struct wedr_event_view *v, const struct kit_shared *s)
{
    assert_int_equal(rec_uint(v, "protocol"), WEDR_NET_PROTOCOL_UDP);
    assert_int_equal(rec_int(v, "result"), 0);
    assert_ip(v, "dst_ip", s->family == AF_INET ? "127.0.0.1" : "::1");
    assert_int_equal(rec_uint(v, "dst_port"), s->port);
    assert_int_equal(rec_uint(v, "src_port"), s->own_port);
    assert_int_equal(rec_uint(v, "socket_id"), s->cookie);
    assert_int_equal(rec_uint(v, "uid"), getuid());
    assert_int_equal(rec_uint(v, "ns_net"), kit_net_ns());
    assert_true(rec_uint(v, "process_key") != 0);
}

static void the_first_datagram_of_a_flow_is_told(void **state)
{
    const int families[] = {AF_INET, AF_INET6};
    for (size_t i = 0; i < 2; i++) {
        struct kit_shared *s = kit_shared();
        s->family = families[i];
        int server = kit_server(s->family, -1, &s->port);
        pid_t pid = kit_child(send_thrice, s);
        check_flow(kit_only(*state, CONNECT, pid), s);
        (void)close(server);
    }
}

static int send_mapped(void *arg)
{
    struct kit_shared *s = arg;
    struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(s->port)};
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || inet_pton(AF_INET6, "::ffff:127.0.0.1", &to.sin6_addr) != 1 ||
        sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof to) != 1) {
        return 1;
    }
    s->cookie = kit_cookie(fd);
    s->own_port = kit_own_port(fd);
    return 0;
}

static void a_datagram_to_a_mapped_address_goes_to_ipv4(void **state)
{
    struct kit_shared *s = kit_shared();
    int server = kit_server(AF_INET, -1, &s->port);
    pid_t pid = kit_child(send_mapped, s);
    check_flow(kit_only(*state, CONNECT, pid), s);
    (void)close(server);
}

static int connect_twice_and_send(void *arg)
{
    struct kit_shared *s = arg;
    union kit_addr a;
    socklen_t len = kit_loopback(&a, s->family, s->port);
    int fd = socket(s->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    for (int i = 0; i < 2; i++) {
        if (fd < 0 || connect(fd, &a.any, len) != 0 || send(fd, "x", 1, 0) != 1) {
            return 1;
        }
    }
    s->cookie = kit_cookie(fd);
    s->own_port = kit_own_port(fd);
    return 0;
}

static void a_fixed_peer_is_one_flow(void **state)
{
    const int families[] = {AF_INET, AF_INET6};
    for (size_t i = 0; i < 2; i++) {
        struct kit_shared *s = kit_shared();
        s->family = families[i];
        int server = kit_server(s->family, -1, &s->port);
        pid_t pid = kit_child(connect_twice_and_send, s);
        check_flow(kit_only(*state, CONNECT, pid), s);
        (void)close(server);
    }
}

static int send_to_two(void *arg)
{
    struct kit_shared *s = arg;
    union kit_addr a;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    for (int i = 0; i < 4; i++) {
        socklen_t len = kit_loopback(&a, AF_INET, (uint16_t)(s->port + (i & 1)));
        if (fd < 0 || sendto(fd, "x", 1, 0, &a.any, len) != 1) {
            return 1;
        }
    }
    return 0;
}

static void another_port_is_another_flow(void **state)
{
    struct rig *r = *state;
    struct kit_shared *s = kit_shared();
    int server = kit_server(AF_INET, -1, &s->port);
    /* Nobody may listen at the second port: what is sent there is answered by an error that only a
     * connected socket gets. */
    pid_t pid = kit_child(send_to_two, s);
    kit_fence(r);
    assert_int_equal(rig_count(r, CONNECT, pid), 2);
    for (size_t i = 0; i < 2; i++) {
        const struct wedr_event_view *v = rig_wait(r, CONNECT, pid, i);
        assert_int_equal(rec_uint(v, "dst_port"), s->port + i);
    }
    (void)close(server);
}

static int send_by_inherited(void *arg)
{
    struct kit_shared *s = arg;
    union kit_addr a;
    socklen_t len = kit_loopback(&a, AF_INET, s->port);
    return sendto(s->fd, "x", 1, 0, &a.any, len) != 1;
}

static void a_flow_that_another_process_goes_on_with_is_told_again(void **state)
{
    struct rig *r = *state;
    struct kit_shared *s = kit_shared();
    int server = kit_server(AF_INET, -1, &s->port);
    s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(send_by_inherited(s), 0);
    s->cookie = kit_cookie(s->fd);
    s->own_port = kit_own_port(s->fd);
    size_t mine = rig_count(r, CONNECT, getpid());
    pid_t pid = kit_child(send_by_inherited, s);
    check_flow(kit_only(r, CONNECT, pid), s);
    assert_int_equal(rig_count(r, CONNECT, getpid()), mine);
    (void)close(s->fd);
    (void)close(server);
}

static int listen_at(void *arg)
{
    struct kit_shared *s = arg;
    union kit_addr a;
    socklen_t len = kit_loopback(&a, s->family, 0);
    int fd = socket(s->family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || (s->step == 0 && bind(fd, &a.any, len) != 0) || listen(fd, 7) != 0 ||
        listen(fd, 9) != 0) {
        return 1;
    }
    s->cookie = kit_cookie(fd);
    s->own_port = kit_own_port(fd);
    return 0;
}

static void a_socket_that_begins_to_listen_is_told_once(void **state)
{
    struct rig *r = *state;
    const int families[] = {AF_INET, AF_INET6};
    for (size_t i = 0; i < 4; i++) {
        struct kit_shared *s = kit_shared();
        s->family = families[i & 1];
        s->step = (int)(i >> 1); /* 1: the kernel chooses the port */
        pid_t pid = kit_child(listen_at, s);
        const struct wedr_event_view *v = kit_only(r, LISTEN, pid);
        assert_int_equal(rec_uint(v, "protocol"), WEDR_NET_PROTOCOL_TCP);
        assert_ip(v, "src_ip", s->step == 1 ? "" : s->family == AF_INET ? "127.0.0.1" : "::1");
        assert_true(s->own_port != 0);
        assert_int_equal(rec_uint(v, "src_port"), s->own_port);
        assert_int_equal(rec_uint(v, "backlog"), 7);
        assert_int_equal(rec_uint(v, "socket_id"), s->cookie);
        assert_int_equal(rec_uint(v, "ns_net"), kit_net_ns());
        assert_int_equal(rig_count(r, WEDR_EV_NETWORK_CLOSE, pid), 0);
    }
}

static int fail_to_listen(void *arg)
{
    struct kit_shared *s = arg;
    union kit_addr a;
    socklen_t len = kit_loopback(&a, AF_INET, s->port);
    int one = 1, taken = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    /* Both may have the port, only one may listen. */
    return setsockopt(taken, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
           setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
           bind(taken, &a.any, len) != 0 || bind(fd, &a.any, len) != 0 || listen(taken, 1) != 0 ||
           listen(fd, 1) == 0;
}

static void a_socket_that_may_not_listen_is_not_told(void **state)
{
    struct kit_shared *s = kit_shared();
    s->port = kit_free_port();
    pid_t pid = kit_child(fail_to_listen, s);
    (void)kit_only(*state, LISTEN, pid);
}

struct made {
    int family, type, protocol;
};
static struct made made;

static int make_socket(void *arg)
{
    struct kit_shared *s = arg;
    s->err = socket(made.family, made.type | SOCK_CLOEXEC, made.protocol) >= 0 ? 0 : errno;
    return 0;
}

static void sockets_that_see_the_wire_are_critical(void **state)
{
    const struct made all[] = {
        {AF_INET, SOCK_RAW, IPPROTO_ICMP},
        {AF_INET6, SOCK_RAW, IPPROTO_RAW},
        {AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)},
        {AF_PACKET, SOCK_DGRAM, 0},
    };
    struct kit_shared *s = kit_shared();
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        made = all[i];
        pid_t pid = kit_child(make_socket, s);
        if (s->err == EAFNOSUPPORT) {
            continue; /* a kernel without packet sockets */
        }
        assert_int_equal(s->err, 0);
        const struct wedr_event_view *v = kit_only(*state, SOCKET, pid);
        assert_int_equal(v->h.stream, WEDR_STREAM_CRITICAL);
        assert_int_equal(rec_uint(v, "family"), made.family);
        assert_int_equal(rec_uint(v, "socket_type"), made.type);
        assert_int_equal(rec_uint(v, "socket_protocol"), made.protocol);
        assert_int_equal(rec_uint(v, "ns_net"), kit_net_ns());
        assert_int_equal(rec_uint(v, "uid"), getuid());
    }
}

static int make_as_user(void *arg)
{
    return setuid(65534) != 0 || make_socket(arg) != 0;
}

static void plain_and_refused_sockets_are_not_told(void **state)
{
    const struct made all[] = {
        {AF_INET, SOCK_STREAM, 0},
        {AF_INET6, SOCK_DGRAM, 0},
        {AF_UNIX, SOCK_DGRAM, 0},
        {AF_NETLINK, SOCK_RAW, NETLINK_ROUTE},
    };
    struct kit_shared *s = kit_shared();
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        made = all[i];
        pid_t pid = kit_child(make_socket, s);
        assert_int_equal(s->err, 0);
        kit_none(*state, SOCKET, pid);
    }
    made = (struct made){AF_INET, SOCK_RAW, IPPROTO_ICMP};
    pid_t pid = kit_child(make_as_user, s);
    assert_int_equal(s->err, EPERM);
    kit_none(*state, SOCKET, pid);
}

int main(void)
{
    int skip = rig_unable();
    if (skip) {
        return skip;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_datagram_of_a_flow_is_told),
        cmocka_unit_test(a_datagram_to_a_mapped_address_goes_to_ipv4),
        cmocka_unit_test(a_fixed_peer_is_one_flow),
        cmocka_unit_test(another_port_is_another_flow),
        cmocka_unit_test(a_flow_that_another_process_goes_on_with_is_told_again),
        cmocka_unit_test(a_socket_that_begins_to_listen_is_told_once),
        cmocka_unit_test(a_socket_that_may_not_listen_is_not_told),
        cmocka_unit_test(sockets_that_see_the_wire_are_critical),
        cmocka_unit_test(plain_and_refused_sockets_are_not_told),
    };
    return cmocka_run_group_tests(tests, rig_setup_fast, rig_teardown);
}
