/* SPDX-License-Identifier: Apache-2.0 */
#include "plat_test.h"

#include "core/util/alloc.h"
#include "wedr/plat/ipc.h"
#include "wedr/plat/proc.h"
#include "wedr/plat/time.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>

struct fixture {
    struct wedr_ipc *a, *b;
    size_t fds;
};

static uint8_t big[WEDR_IPC_MSG_MAX + 4096];

static int setup(void **state)
{
    static struct fixture f;
    f.fds = count_fds();
    assert_int_equal(wedr_ipc_pair(&f.a, &f.b), 0);
    *state = &f;
    return 0;
}

/* Every test also proves that it left no descriptor open. */
static int teardown(void **state)
{
    struct fixture *f = *state;
    wedr_ipc_close(f->a);
    wedr_ipc_close(f->b);
    assert_int_equal(count_fds(), f->fds);
    return 0;
}

static int receive(struct wedr_ipc *c, size_t cap, size_t *ret_len)
{
    static uint8_t in[sizeof(big)];
    return wedr_ipc_recv(c, in, cap, ret_len, NULL, 0, NULL);
}

static void messages_keep_their_ends_and_order(void **state)
{
    struct fixture *f = *state;
    char text[16] = "";
    size_t len = 0;
    assert_int_equal(wedr_ipc_recv(f->b, text, sizeof(text), &len, NULL, 0, NULL), WEDR_E_AGAIN);
    assert_int_equal(wedr_ipc_send(f->a, "one", 3, NULL, 0), 0);
    assert_int_equal(wedr_ipc_send(f->a, "three", 5, NULL, 0), 0);
    assert_int_equal(wedr_ipc_recv(f->b, text, sizeof(text), &len, NULL, 0, NULL), 0);
    assert_int_equal(len, 3);
    assert_memory_equal(text, "one", 3);
    assert_int_equal(wedr_ipc_recv(f->b, text, sizeof(text), &len, NULL, 0, NULL), 0);
    assert_int_equal(len, 5);
    assert_int_equal(wedr_ipc_recv(f->b, text, sizeof(text), &len, NULL, 0, NULL), WEDR_E_AGAIN);
}

static void several_largest_messages_fit_before_the_peer_reads(void **state)
{
    struct fixture *f = *state;
    unsigned sent = 0;
    size_t len = 0;
    while (sent < 100 && wedr_ipc_send(f->a, big, WEDR_IPC_MSG_MAX, NULL, 0) == WEDR_OK) {
        sent++;
    }
    assert_in_range(sent, 3, 99);
    assert_int_equal(wedr_ipc_send(f->a, big, WEDR_IPC_MSG_MAX, NULL, 0), WEDR_E_AGAIN);
    for (unsigned i = 0; i < sent; i++) {
        assert_int_equal(receive(f->b, WEDR_IPC_MSG_MAX, &len), 0);
        assert_int_equal(len, WEDR_IPC_MSG_MAX);
    }
    assert_int_equal(receive(f->b, WEDR_IPC_MSG_MAX, &len), WEDR_E_AGAIN);
    assert_int_equal(wedr_ipc_send(f->a, "x", 1, NULL, 0), 0);
}

static void bad_lengths_are_refused_by_the_sender(void **state)
{
    struct fixture *f = *state;
    wedr_handle many[WEDR_IPC_HANDLES_MAX + 1] = {0};
    assert_int_equal(wedr_ipc_send(f->a, big, WEDR_IPC_MSG_MAX + 1, NULL, 0), WEDR_E_INVAL);
    assert_int_equal(wedr_ipc_send(f->a, big, 0, NULL, 0), WEDR_E_INVAL);
    assert_int_equal(wedr_ipc_send(f->a, big, 1, many, WEDR_IPC_HANDLES_MAX + 1), WEDR_E_INVAL);
    wedr_handle stale = 9999;
    assert_int_equal(wedr_ipc_send(f->a, big, 1, &stale, 1), WEDR_E_INVAL);
}

/* Sends what our own sender would refuse. */
static void send_raw(struct wedr_ipc *c, size_t len, const int *fds, size_t count)
{
    union {
        struct cmsghdr align;
        uint8_t bytes[CMSG_SPACE(sizeof(int) * 64)];
    } control;
    struct iovec iov = {big, len};
    struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};
    if (count > 0) {
        memset(&control, 0, sizeof(control));
        mh.msg_control = control.bytes;
        mh.msg_controllen = CMSG_SPACE(sizeof(int) * count);
        struct cmsghdr *cm = CMSG_FIRSTHDR(&mh);
        cm->cmsg_level = SOL_SOCKET;
        cm->cmsg_type = SCM_RIGHTS;
        cm->cmsg_len = CMSG_LEN(sizeof(int) * count);
        memcpy(CMSG_DATA(cm), fds, sizeof(int) * count);
    }
    assert_int_equal(sendmsg((int)wedr_ipc_handle(c), &mh, MSG_NOSIGNAL), len);
}

static void a_message_longer_than_the_buffer_is_refused_whole(void **state)
{
    struct fixture *f = *state;
    size_t len = 0;
    send_raw(f->a, sizeof(big), NULL, 0);
    send_raw(f->a, 10, NULL, 0);
    assert_int_equal(receive(f->b, WEDR_IPC_MSG_MAX, &len), WEDR_E_FORMAT);
    assert_int_equal(receive(f->b, 10, &len), 0); /* the next one is whole */
    assert_int_equal(len, 10);
    send_raw(f->a, 11, NULL, 0);
    assert_int_equal(receive(f->b, 10, &len), WEDR_E_FORMAT);
}

static void an_unwanted_flood_of_handles_is_closed(void **state)
{
    struct fixture *f = *state;
    int fds[64];
    uint8_t in[16];
    size_t len = 0;
    size_t count = 0;
    wedr_handle got[WEDR_IPC_HANDLES_MAX];
    for (size_t i = 0; i < 64; i++) {
        fds[i] = 2;
    }
    size_t before = count_fds();
    send_raw(f->a, 4, fds, 64);
    assert_int_equal(wedr_ipc_recv(f->b, in, sizeof(in), &len, got, WEDR_IPC_HANDLES_MAX, &count),
                     WEDR_E_FORMAT);
    send_raw(f->a, 4, fds, 9);
    assert_int_equal(wedr_ipc_recv(f->b, in, sizeof(in), &len, got, WEDR_IPC_HANDLES_MAX, &count),
                     WEDR_E_FORMAT);
    send_raw(f->a, 4, fds, 1);
    assert_int_equal(wedr_ipc_recv(f->b, in, sizeof(in), &len, NULL, 0, NULL), WEDR_E_FORMAT);
    send_raw(f->a, 20, fds, 2); /* too long and with handles */
    assert_int_equal(wedr_ipc_recv(f->b, in, sizeof(in), &len, got, 8, &count), WEDR_E_FORMAT);
    send_raw(f->a, 0, fds, 2); /* no bytes at all */
    assert_int_equal(wedr_ipc_recv(f->b, in, sizeof(in), &len, got, 8, &count), WEDR_E_FORMAT);
    assert_int_equal(count_fds(), before);
    assert_int_equal(count, 0);
    assert_int_equal(len, 0);
}

static void handles_arrive_usable_and_close_on_exec(void **state)
{
    struct fixture *f = *state;
    int p[2];
    wedr_handle got[2];
    size_t len = 0;
    size_t count = 0;
    char c = 0;
    assert_int_equal(pipe2(p, O_CLOEXEC), 0);
    wedr_handle send[2] = {p[0], p[1]};
    assert_int_equal(wedr_ipc_send(f->a, "h", 1, send, 2), 0);
    (void)close(p[0]);
    (void)close(p[1]);
    assert_int_equal(wedr_ipc_recv(f->b, &c, 1, &len, got, 2, &count), 0);
    assert_int_equal(count, 2);
    assert_int_equal(fcntl((int)got[0], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(wedr_fs_write(got[1], "z", 1), 0);
    assert_int_equal(wedr_fs_read(got[0], &c, 1, &len), 0);
    assert_int_equal(c, 'z');
    wedr_fs_close(got[0]);
    wedr_fs_close(got[1]);
    assert_int_equal(wedr_ipc_send(f->a, "n", 1, NULL, 0), 0);
    assert_int_equal(wedr_ipc_recv(f->b, &c, 1, &len, got, 2, &count), 0);
    assert_int_equal(count, 0);
}

static void a_dead_peer_is_noticed_on_both_ways(void **state)
{
    struct fixture *f = *state;
    struct wedr_wait w = {.handle = wedr_ipc_handle(f->a), .want = WEDR_WAIT_READ};
    size_t len = 0;
    size_t ready = 0;
    wedr_ipc_close(f->b);
    f->b = NULL;
    assert_int_equal(wedr_wait_any(&w, 1, 1000, &ready), 0);
    assert_int_equal(ready, 1);
    assert_int_equal(w.got & WEDR_WAIT_GONE, WEDR_WAIT_GONE);
    assert_int_equal(receive(f->a, 10, &len), WEDR_E_CLOSED);
    assert_int_equal(wedr_ipc_send(f->a, "x", 1, NULL, 0), WEDR_E_CLOSED);
}

/* The peer wrote its last words and died without reading ours. */
static void last_words_of_a_dead_peer_are_still_read(void **state)
{
    struct fixture *f = *state;
    size_t len = 0;
    assert_int_equal(wedr_ipc_send(f->a, "unread", 6, NULL, 0), 0);
    assert_int_equal(wedr_ipc_send(f->b, "last", 4, NULL, 0), 0);
    wedr_ipc_close(f->b);
    f->b = NULL;
    assert_int_equal(receive(f->a, 10, &len), 0);
    assert_int_equal(len, 4);
    assert_int_equal(receive(f->a, 10, &len), WEDR_E_CLOSED);
    assert_int_equal(receive(f->a, 10, &len), WEDR_E_CLOSED);
}

static void a_named_channel_works_at_any_path_length(void **state)
{
    char root[64];
    char dir[512];
    struct wedr_ipc *listener = NULL;
    struct wedr_ipc *client = NULL;
    struct wedr_ipc *server = NULL;
    struct wedr_ipc_peer peer = {0};
    struct stat st;
    size_t len = 0;
    (void)state;
    temp_make(root);
    (void)snprintf(dir, sizeof(dir), "%s/%0100d/%0100d", root, 1, 2); /* sun_path holds 108 bytes */
    assert_int_equal(wedr_fs_mkdir(dir, 0700, UINT32_MAX), 0);
    assert_int_equal(wedr_ipc_connect(dir, "control", &client), WEDR_E_NOENT);
    mode_t old = umask(0);
    assert_int_equal(wedr_ipc_listen(dir, "control", &listener), 0);
    (void)umask(old);
    char path[600];
    (void)snprintf(path, sizeof(path), "%s/control", dir);
    assert_int_equal(stat(path, &st), 0);
    assert_true(S_ISSOCK(st.st_mode));
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(wedr_ipc_accept(listener, &server, &peer), WEDR_E_AGAIN);
    assert_int_equal(wedr_ipc_connect(dir, "control", &client), 0);
    assert_int_equal(wedr_ipc_accept(listener, &server, &peer), 0);
    assert_int_equal(peer.pid, getpid());
    assert_int_equal(peer.uid, geteuid());
    assert_int_equal(peer.gid, getegid());
    assert_int_equal(wedr_ipc_send(client, "hi", 2, NULL, 0), 0);
    assert_int_equal(receive(server, 10, &len), 0);
    assert_int_equal(len, 2);
    wedr_ipc_close(client);
    wedr_ipc_close(server);
    wedr_ipc_close(listener);
    /* The file stays, nobody listens; the next listener takes the name over. */
    assert_int_equal(wedr_ipc_connect(dir, "control", &client), WEDR_E_NOENT);
    assert_int_equal(wedr_ipc_listen(dir, "control", &listener), 0);
    assert_int_equal(wedr_ipc_connect(dir, "control", &client), 0);
    wedr_ipc_close(client);
    wedr_ipc_close(listener);
    assert_int_equal(wedr_ipc_listen(dir, "../control", &listener), WEDR_E_INVAL);
    assert_int_equal(wedr_ipc_connect(dir, "a/b", &client), WEDR_E_INVAL);
    temp_remove(root);
}

static void a_handle_that_is_no_message_channel_is_not_wrapped(void **state)
{
    int p[2];
    int s[2];
    struct wedr_ipc *c = NULL;
    (void)state;
    assert_int_equal(pipe2(p, O_CLOEXEC), 0);
    assert_int_equal(wedr_ipc_from_handle_take(p[0], &c), WEDR_E_INVAL);
    assert_int_equal(fcntl(p[0], F_GETFD), -1); /* taken, so closed */
    (void)close(p[1]);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
    assert_int_equal(wedr_ipc_from_handle_take(s[0], &c), WEDR_E_INVAL);
    (void)close(s[1]);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s), 0);
    assert_int_equal(wedr_ipc_from_handle_take(s[0], &c), 0);
    wedr_ipc_close(c);
    (void)close(s[1]);
}

static int start_nothing(void *arg, struct wedr_ipc *channel)
{
    (void)arg;
    (void)channel;
    return 0;
}

/* The n-th allocation fails, for every n until none is left: an error each time, and (teardown) no
 * descriptor left. */
static void without_memory_nothing_is_half_made(void **state)
{
    char dir[64];
    struct wedr_ipc *a = NULL;
    struct wedr_ipc *b = NULL;
    struct wedr_child *c = NULL;
    int err = WEDR_E_NOMEM;
    unsigned failures = 0;
    (void)state;
    temp_make(dir);
    for (size_t n = 1; err != WEDR_OK; n++) {
        (void)wedr_alloc_fail_nth(n);
        err = wedr_ipc_pair(&a, &b);
        failures += err == WEDR_E_NOMEM ? 1 : 0;
    }
    wedr_ipc_close(a);
    wedr_ipc_close(b);
    for (size_t n = 1, again = 1; again != 0; n++) {
        (void)wedr_alloc_fail_nth(n);
        err = wedr_ipc_listen(dir, "x", &a);
        failures += err == WEDR_E_NOMEM ? 1 : 0;
        again = err == WEDR_OK ? 0 : 1;
    }
    wedr_ipc_close(a);
    for (size_t n = 1, again = 1; again != 0; n++) {
        (void)wedr_alloc_fail_nth(n);
        err = wedr_child_start("x", start_nothing, NULL, &c, &a);
        failures += err == WEDR_E_NOMEM ? 1 : 0;
        again = err == WEDR_OK ? 0 : 1;
    }
    (void)wedr_alloc_fail_nth(0);
    wedr_child_free(c);
    wedr_ipc_close(a);
    assert_int_equal(failures, 2 + 1 + 3);
    temp_remove(dir);
}

static void on_alarm(int sig)
{
    (void)sig;
}

static void a_wait_lasts_its_time_whatever_signals_come(void **state)
{
    struct fixture *f = *state;
    struct wedr_wait w[3] = {
        {.handle = WEDR_HANDLE_NONE, .want = WEDR_WAIT_READ},
        {.handle = wedr_ipc_handle(f->a), .want = WEDR_WAIT_READ},
        {.handle = wedr_ipc_handle(f->b), .want = WEDR_WAIT_READ | WEDR_WAIT_WRITE}};
    struct itimerval often = {{0, 10000}, {0, 10000}};
    struct itimerval never = {{0, 0}, {0, 0}};
    struct sigaction sa = {.sa_handler = on_alarm};
    size_t ready = 9;
    assert_int_equal(sigaction(SIGALRM, &sa, NULL), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
    uint64_t before = wedr_time_mono_ms();
    assert_int_equal(wedr_wait_any(w, 2, 200, &ready), 0);
    uint64_t took = wedr_time_mono_ms() - before;
    assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
    assert_int_equal(ready, 0);
    assert_in_range(took, 195, 2000);
    assert_int_equal(wedr_wait_any(w, 3, UINT32_MAX, &ready), 0);
    assert_int_equal(ready, 1);
    assert_int_equal(w[0].got, 0);
    assert_int_equal(w[2].got, WEDR_WAIT_WRITE);
    assert_int_equal(wedr_wait_any(w, WEDR_WAIT_MAX + 1, 0, &ready), WEDR_E_INVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(messages_keep_their_ends_and_order, setup, teardown),
        cmocka_unit_test_setup_teardown(several_largest_messages_fit_before_the_peer_reads, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(bad_lengths_are_refused_by_the_sender, setup, teardown),
        cmocka_unit_test_setup_teardown(a_message_longer_than_the_buffer_is_refused_whole, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_unwanted_flood_of_handles_is_closed, setup, teardown),
        cmocka_unit_test_setup_teardown(handles_arrive_usable_and_close_on_exec, setup, teardown),
        cmocka_unit_test_setup_teardown(a_dead_peer_is_noticed_on_both_ways, setup, teardown),
        cmocka_unit_test_setup_teardown(last_words_of_a_dead_peer_are_still_read, setup, teardown),
        cmocka_unit_test_setup_teardown(a_named_channel_works_at_any_path_length, setup, teardown),
        cmocka_unit_test_setup_teardown(a_handle_that_is_no_message_channel_is_not_wrapped, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(without_memory_nothing_is_half_made, setup, teardown),
        cmocka_unit_test_setup_teardown(a_wait_lasts_its_time_whatever_signals_come, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
