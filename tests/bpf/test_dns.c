/* SPDX-License-Identifier: Apache-2.0
 *
 * dns_query: the messages that a process sends to port 53 and gets back, as they went over the
 * wire, with the asking process, whoever runs when a packet comes. Everything happens in a network
 * namespace of this test, where port 53 is free.
 */
#include "net_kit.h"

#include "core/base/err.h"
#include "wedr/plat/time.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define DNS WEDR_EV_DNS_QUERY
#define PORT 53

static const uint8_t question[] =
    "\x12\x34\1\0\0\1\0\0\0\0\0\0\7example\3com\0\0\1\0"; /* and NUL: \1 */
static uint8_t query[sizeof question], reply[700];

static void make_messages(void)
{
    memcpy(query, question, sizeof query);
    query[sizeof query - 1] = 1; /* class IN */
    memset(reply, 0x55, sizeof reply);
    memcpy(reply, query, sizeof query);
    reply[2] |= 0x80;
}

static int server_fd = -1;
static size_t reply_len;

/* Answers n datagrams, whoever sends them. */
static int answer_datagrams(void *arg)
{
    struct kit_shared *s = arg;
    uint8_t got[600];
    for (int n = s->step; n > 0; n--) {
        union kit_addr from;
        socklen_t len = sizeof from;
        if (recvfrom(server_fd, got, sizeof got, 0, &from.any, &len) < 0 ||
            sendto(server_fd, reply, reply_len, 0, &from.any, len) != (ssize_t)reply_len) {
            return 1;
        }
    }
    return 0;
}

static int bound(int family, int type)
{
    union kit_addr a;
    int one = 1;
    socklen_t len = kit_loopback(&a, family, PORT);
    int fd = socket(family, type | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0);
    assert_int_equal(bind(fd, &a.any, len), 0);
    assert_true(type != SOCK_STREAM || listen(fd, 5) == 0);
    return fd;
}

static int ask_datagram(void *arg)
{
    struct kit_shared *s = arg;
    union kit_addr a;
    uint8_t got[700];
    socklen_t len = kit_loopback(&a, s->family, PORT);
    int fd = socket(s->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    s->cookie = kit_cookie(fd);
    return fd < 0 || sendto(fd, query, sizeof query, 0, &a.any, len) != (ssize_t)sizeof query ||
           recv(fd, got, sizeof got, 0) != (ssize_t)reply_len;
}

static int ask_connected(void *arg)
{
    struct kit_shared *s = arg;
    union kit_addr a;
    uint8_t got[700];
    socklen_t len = kit_loopback(&a, s->family, PORT);
    int fd = socket(s->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    s->cookie = kit_cookie(fd);
    return fd < 0 || connect(fd, &a.any, len) != 0 ||
           send(fd, query, sizeof query, 0) != (ssize_t)sizeof query ||
           recv(fd, got, sizeof got, 0) != (ssize_t)reply_len;
}

static void
check(const struct wedr_event_view *v, const struct kit_shared *s, unsigned op, unsigned protocol)
{
    assert_non_null(v);
    assert_int_equal(rec_uint(v, "dns_op"), op);
    assert_int_equal(rec_uint(v, "protocol"), protocol);
    assert_int_equal(rec_uint(v, "uid"), getuid());
    assert_int_equal(rec_uint(v, "socket_id"), s->cookie);
    assert_ip(v, "dst_ip", s->family == AF_INET ? "127.0.0.1" : "::1");
    assert_true(rec_uint(v, "process_key") != 0);
}

static void check_payload(const struct wedr_event_view *v, const uint8_t *bytes, size_t len)
{
    uint16_t flags = 0;
    struct wedr_span p = rec_str(v, "payload", &flags);
    assert_int_equal(p.len, len < 512 ? len : 512);
    assert_memory_equal(p.p, bytes, p.len);
    assert_int_equal(flags, len > 512 ? WEDR_SF_CUT : 0);
}

static void exchange(struct rig *r, int family, int (*ask)(void *), size_t len)
{
    struct kit_shared *s = kit_shared();
    s->family = family;
    s->step = 1;
    reply_len = len;
    server_fd = bound(family, SOCK_DGRAM);
    pid_t server = kit_start(answer_datagrams, s);
    pid_t client = kit_child(ask, s);
    kit_reap(server);
    (void)close(server_fd);
    kit_fence(r);
    assert_int_equal(rig_count(r, DNS, client), 2);
    assert_int_equal(rig_count(r, DNS, server), 0);
    assert_int_equal(rig_count(r, DNS, 0), 0);
    const struct wedr_event_view *v = rig_wait(r, DNS, client, 0);
    check(v, s, WEDR_DNS_OP_QUERY, WEDR_NET_PROTOCOL_UDP);
    check_payload(v, query, sizeof query);
    v = rig_wait(r, DNS, client, 1);
    check(v, s, WEDR_DNS_OP_ANSWER, WEDR_NET_PROTOCOL_UDP);
    check_payload(v, reply, len);
}

static void question_and_answer_belong_to_who_asks(void **state)
{
    exchange(*state, AF_INET, ask_datagram, sizeof query);
    exchange(*state, AF_INET6, ask_datagram, sizeof query + 16);
    exchange(*state, AF_INET, ask_connected, 512);
    exchange(*state, AF_INET6, ask_connected, 600); /* more than a record carries */
}

static void a_socket_older_than_the_sensor_has_its_owner(void **state)
{
    (void)state;
    struct rig r;
    union kit_addr a;
    uint8_t got[700];
    struct kit_shared *s = kit_shared();
    s->step = 1;
    reply_len = sizeof query;
    server_fd = bound(AF_INET, SOCK_DGRAM);
    socklen_t len = kit_loopback(&a, AF_INET, PORT);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0 && connect(fd, &a.any, len) == 0);
    s->cookie = kit_cookie(fd);
    rig_open(&r, false, 0);
    pid_t server = kit_start(answer_datagrams, s);
    assert_int_equal(send(fd, query, sizeof query, 0), sizeof query);
    assert_int_equal(recv(fd, got, sizeof got, 0), reply_len);
    kit_reap(server);
    check(rig_wait(&r, DNS, getpid(), 0), s, WEDR_DNS_OP_QUERY, WEDR_NET_PROTOCOL_UDP);
    check(rig_wait(&r, DNS, getpid(), 1), s, WEDR_DNS_OP_ANSWER, WEDR_NET_PROTOCOL_UDP);
    (void)close(fd);
    (void)close(server_fd);
    rig_close(&r);
}

static uint8_t stream[2 * (sizeof reply + 2)];

/* A message behind its length, at stream + at. */
static size_t framed(size_t at, const uint8_t *bytes, size_t len)
{
    stream[at] = (uint8_t)(len >> 8);
    stream[at + 1] = (uint8_t)len;
    memcpy(stream + at + 2, bytes, len);
    return at + 2 + len;
}

/* s->step: 0: one segment; 1: the length alone, then the message; 2: two messages in one segment.
 */
static int ask_stream(void *arg)
{
    struct kit_shared *s = arg;
    union kit_addr a;
    uint8_t got[1500];
    int one = 1;
    socklen_t alen = kit_loopback(&a, s->family, PORT);
    size_t len = framed(0, query, sizeof query);
    int fd = socket(s->family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, &a.any, alen) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0) {
        return 1;
    }
    s->cookie = kit_cookie(fd);
    len = s->step == 2 ? framed(len, query, sizeof query) : len;
    size_t first = s->step == 1 ? 2 : len;
    if (send(fd, stream, first, 0) != (ssize_t)first ||
        (first < len && send(fd, stream + first, len - first, 0) != (ssize_t)(len - first))) {
        return 1;
    }
    return recv(fd, got, reply_len + 2, MSG_WAITALL) != (ssize_t)reply_len + 2;
}

static int answer_stream(void *arg)
{
    struct kit_shared *s = arg;
    uint8_t got[600];
    size_t want = (sizeof query + 2) * (s->step == 2 ? 2 : 1);
    int fd = accept4(server_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0 || recv(fd, got, want, MSG_WAITALL) != (ssize_t)want) {
        return 1;
    }
    size_t len = framed(0, reply, reply_len);
    return send(fd, stream, len, 0) != (ssize_t)len || recv(fd, got, 1, 0) != 0;
}

static void over_tcp_each_message_is_one_record(void **state)
{
    struct rig *r = *state;
    reply_len = sizeof reply;
    for (int how = 0; how < 3; how++) {
        struct kit_shared *s = kit_shared();
        s->family = how == 1 ? AF_INET6 : AF_INET;
        s->step = how;
        server_fd = bound(s->family, SOCK_STREAM);
        pid_t server = kit_start(answer_stream, s);
        pid_t client = kit_child(ask_stream, s);
        kit_reap(server);
        (void)close(server_fd);
        kit_fence(r);
        size_t questions = how == 2 ? 2 : 1;
        assert_int_equal(rig_count(r, DNS, client), questions + 1);
        assert_int_equal(rig_count(r, DNS, server), 0);
        for (size_t i = 0; i < questions; i++) {
            const struct wedr_event_view *v = rig_wait(r, DNS, client, i);
            check(v, s, WEDR_DNS_OP_QUERY, WEDR_NET_PROTOCOL_TCP);
            check_payload(v, query, sizeof query);
        }
        const struct wedr_event_view *v = rig_wait(r, DNS, client, questions);
        check(v, s, WEDR_DNS_OP_ANSWER, WEDR_NET_PROTOCOL_TCP);
        check_payload(v, reply, reply_len);
    }
}

/* Bytes that a client writes at once over TCP to a server that only reads. */
static uint8_t written[2400];
static size_t written_len, write_first; /* this much in a write of its own before */

static int write_stream(void *arg)
{
    struct kit_shared *s = arg;
    union kit_addr a;
    int one = 1;
    socklen_t len = kit_loopback(&a, s->family, PORT);
    int fd = socket(s->family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0) {
        return 1;
    }
    s->cookie = kit_cookie(fd);
    if (s->step) {
        return sendto(fd, written, written_len, MSG_FASTOPEN, &a.any, len) != (ssize_t)written_len;
    }
    return connect(fd, &a.any, len) != 0 ||
           send(fd, written, write_first, 0) != (ssize_t)write_first ||
           send(fd, written + write_first, written_len - write_first, 0) !=
               (ssize_t)(written_len - write_first);
}

/* n queries, the i-th with i in its first byte, behind `at` bytes. */
static void write_queries(size_t at, int n)
{
    for (int i = 0; i < n; i++) {
        uint8_t *w = written + at;
        w[0] = 0;
        w[1] = sizeof query;
        memcpy(w + 2, query, sizeof query);
        w[2] = (uint8_t)i;
        at += 2 + sizeof query;
        assert_true(at <= sizeof written);
    }
    written_len = at;
}

static pid_t write_all(struct rig *r, struct kit_shared *s, size_t first)
{
    write_first = first;
    server_fd = bound(s->family, SOCK_STREAM);
    pid_t client = kit_child(write_stream, s);
    (void)close(server_fd);
    kit_fence(r);
    return client;
}

static void check_queries(struct rig *r, const struct kit_shared *s, pid_t client, int n)
{
    for (int i = 0; i < n; i++) {
        uint8_t expected[sizeof query];
        memcpy(expected, query, sizeof query);
        expected[0] = (uint8_t)i;
        const struct wedr_event_view *v = rig_wait(r, DNS, client, (size_t)i);
        check(v, s, WEDR_DNS_OP_QUERY, WEDR_NET_PROTOCOL_TCP);
        check_payload(v, expected, sizeof expected);
    }
}

static void many_messages_of_one_segment_are_all_told(void **state)
{
    struct rig *r = *state;
    struct kit_shared *s = kit_shared();
    write_queries(0, 6);
    pid_t client = write_all(r, s, 0);
    assert_int_equal(rig_count(r, DNS, client), 6);
    check_queries(r, s, client, 6);
}

/* Sixteen have records of their own, the rest has one, as it is. What comes later is read on. */
static void what_is_left_of_a_segment_is_told_as_it_is(void **state)
{
    struct rig *r = *state;
    struct kit_shared *s = kit_shared();
    const size_t each = 2 + sizeof query;
    uint16_t flags = 0;
    write_queries(0, 19);
    pid_t client = write_all(r, s, 18 * each);
    assert_int_equal(rig_count(r, DNS, client), 18);
    check_queries(r, s, client, 16);
    struct wedr_span rest = rec_str(rig_wait(r, DNS, client, 16), "payload", &flags);
    assert_int_equal(rest.len, 2 * each);
    assert_memory_equal(rest.p, written + 16 * each, rest.len);
    assert_int_equal(flags, WEDR_SF_CUT);
    struct wedr_span last = rec_str(rig_wait(r, DNS, client, 17), "payload", NULL);
    assert_int_equal(last.len, sizeof query);
    assert_int_equal(last.p[0], 18);
}

static void empty_messages_do_not_hide_the_one_behind_them(void **state)
{
    struct rig *r = *state;
    struct kit_shared *s = kit_shared();
    memset(written, 0, 8);
    write_queries(8, 1);
    pid_t client = write_all(r, s, 0);
    assert_int_equal(rig_count(r, DNS, client), 1);
    check_queries(r, s, client, 1);
}

/* A thousand of them: more than is followed. The rest is told, and each segment after it. */
static void a_stream_that_cannot_be_followed_is_told_by_segments(void **state)
{
    struct rig *r = *state;
    struct kit_shared *s = kit_shared();
    uint16_t flags = 0;
    memset(written, 0, 2000);
    write_queries(2000, 1);
    pid_t client = write_all(r, s, 2000);
    assert_int_equal(rig_count(r, DNS, client), 2);
    (void)rec_str(rig_wait(r, DNS, client, 0), "payload", &flags);
    assert_int_equal(flags, WEDR_SF_CUT);
    struct wedr_span p = rec_str(rig_wait(r, DNS, client, 1), "payload", &flags);
    assert_int_equal(flags, WEDR_SF_CUT);
    assert_int_equal(p.len, 2 + sizeof query);
    assert_memory_equal(p.p, written + 2000, p.len);
}

static void a_length_in_two_segments_is_put_together(void **state)
{
    struct rig *r = *state;
    struct kit_shared *s = kit_shared();
    write_queries(0, 2);
    pid_t client = write_all(r, s, 1);
    assert_int_equal(rig_count(r, DNS, client), 2);
    check_queries(r, s, client, 2);
}

/* Client and server may, without a cookie, whatever the socket says. */
static bool allow_fast_open(void)
{
    int fd = open("/proc/sys/net/ipv4/tcp_fastopen", O_WRONLY | O_CLOEXEC);
    bool allowed = fd >= 0 && write(fd, "1543", 4) == 4;
    (void)close(fd);
    return allowed;
}

static void a_query_that_opens_the_connection_is_told(void **state)
{
    struct rig *r = *state;
    struct kit_shared *s = kit_shared();
    if (!allow_fast_open()) {
        print_message("no TCP Fast Open here\n");
        skip();
    }
    s->step = 1;
    write_queries(0, 2);
    pid_t client = write_all(r, s, 0);
    assert_int_equal(rig_count(r, DNS, client), 2);
    check_queries(r, s, client, 2);
}

static int send_elsewhere(void *arg)
{
    struct kit_shared *s = arg;
    union kit_addr a;
    socklen_t len = kit_loopback(&a, AF_INET, 5353);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    s->cookie = kit_cookie(fd);
    return fd < 0 || sendto(fd, query, sizeof query, 0, &a.any, len) != (ssize_t)sizeof query;
}

static void another_port_is_no_dns(void **state)
{
    struct kit_shared *s = kit_shared();
    pid_t pid = kit_child(send_elsewhere, s);
    kit_none(*state, DNS, pid);
}

static int send_garbage(void *arg)
{
    struct kit_shared *s = arg;
    union kit_addr a;
    socklen_t len = kit_loopback(&a, AF_INET, PORT);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    s->cookie = kit_cookie(fd);
    return fd < 0 || sendto(fd, "\xff\1\2", 3, 0, &a.any, len) != 3;
}

static void what_is_no_dns_at_its_port_is_shown_as_it_is(void **state)
{
    struct kit_shared *s = kit_shared();
    server_fd = bound(AF_INET, SOCK_DGRAM);
    pid_t pid = kit_child(send_garbage, s);
    const struct wedr_event_view *v = kit_only(*state, DNS, pid);
    check(v, s, WEDR_DNS_OP_QUERY, WEDR_NET_PROTOCOL_UDP);
    check_payload(v, (const uint8_t *)"\xff\1\2", 3);
    (void)close(server_fd);
}

#define FLOOD 20000

static int flood(void *arg)
{
    struct kit_shared *s = arg;
    union kit_addr a;
    socklen_t len = kit_loopback(&a, s->family, PORT);
    int fd = socket(s->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    for (int i = 0; i < FLOOD; i++) {
        if (sendto(fd, query, sizeof query, 0, &a.any, len) != (ssize_t)sizeof query) {
            return 1;
        }
    }
    return 0;
}

/* Two processes ask as fast as they can, nobody reads: what the ring or the budget holds back is
 * counted. */
static void a_flood_is_counted_to_the_unit(void **state)
{
    (void)state;
    static struct rig r;
    const struct wedr_sensor_state *st = NULL;
    struct wedr_sensor_handles h;
    struct kit_shared *s = kit_shared();
    server_fd = bound(AF_INET, SOCK_DGRAM);
    rig_open(&r, false, 65536);
    wedr_sensor_handles(r.sensor, &h);
    assert_int_equal(wedr_sensor_state_map(h.state, &st), WEDR_OK);
    pid_t one = kit_start(flood, s), other = kit_start(flood, s);
    kit_reap(one);
    kit_reap(other);
    rig_pump(&r);
    const struct wedr_sensor_lane *lane = &st->lane[WEDR_LANE_BULK];
    uint64_t lost = wedr_sensor_count(&lane->lost[WEDR_LOSS_REASON_RING_FULL]) +
                    wedr_sensor_count(&lane->lost[WEDR_LOSS_REASON_SCRATCH]);
    uint64_t held_back = wedr_sensor_count(&st->suppressed[DNS]);
    uint64_t produced = wedr_sensor_count(&lane->seq);
    assert_true(lost > 0 || held_back > 0);
    assert_int_equal(produced, rig_lane_count(&r, WEDR_LANE_BULK) + lost);
    assert_true(produced + held_back >= 2 * FLOOD);
    wedr_sensor_state_unmap(st);
    (void)close(server_fd);
    rig_close(&r);
}

int main(void)
{
    int skip = rig_unable();
    if (skip) {
        return skip;
    }
    if (!kit_unshare_net()) {
        return 77;
    }
    make_messages();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(question_and_answer_belong_to_who_asks),
        cmocka_unit_test(over_tcp_each_message_is_one_record),
        cmocka_unit_test(many_messages_of_one_segment_are_all_told),
        cmocka_unit_test(what_is_left_of_a_segment_is_told_as_it_is),
        cmocka_unit_test(empty_messages_do_not_hide_the_one_behind_them),
        cmocka_unit_test(a_stream_that_cannot_be_followed_is_told_by_segments),
        cmocka_unit_test(a_length_in_two_segments_is_put_together),
        cmocka_unit_test(a_query_that_opens_the_connection_is_told),
        cmocka_unit_test(another_port_is_no_dns),
        cmocka_unit_test(what_is_no_dns_at_its_port_is_shown_as_it_is),
        cmocka_unit_test(a_socket_older_than_the_sensor_has_its_owner),
        cmocka_unit_test(a_flood_is_counted_to_the_unit),
    };
    return cmocka_run_group_tests(tests, rig_setup_fast, rig_teardown);
}
