/* SPDX-License-Identifier: Apache-2.0 */
#include "net_kit.h"

#include "wedr/plat/time.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SO_COOKIE
#    define SO_COOKIE 57
#endif

struct kit_shared *kit_shared(void)
{
    struct kit_shared *s =
        mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(s != MAP_FAILED);
    s->family = AF_INET;
    s->fd = -1;
    return s;
}

void kit_step(struct kit_shared *s, int n)
{
    __atomic_store_n(&s->step, n, __ATOMIC_RELEASE);
}

bool kit_wait(struct kit_shared *s, int n)
{
    for (int i = 0; i < 15000; i++) {
        if (__atomic_load_n(&s->step, __ATOMIC_ACQUIRE) >= n) {
            return true;
        }
        wedr_time_sleep_ms(2);
    }
    return false;
}

socklen_t kit_loopback(union kit_addr *a, int family, uint16_t port)
{
    memset(a, 0, sizeof *a);
    a->any.sa_family = (sa_family_t)family;
    if (family == AF_INET) {
        a->in.sin_port = htons(port);
        a->in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return sizeof a->in;
    }
    a->in6.sin6_port = htons(port);
    a->in6.sin6_addr = in6addr_loopback;
    return sizeof a->in6;
}

int kit_server(int family, int backlog, uint16_t *ret_port)
{
    union kit_addr a;
    socklen_t len = kit_loopback(&a, family, 0);
    int fd = socket(family, (backlog < 0 ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0 && bind(fd, &a.any, len) == 0);
    assert_true(backlog < 0 || listen(fd, backlog) == 0);
    *ret_port = kit_own_port(fd);
    return fd;
}

uint16_t kit_free_port(void)
{
    uint16_t port = 0;
    (void)close(kit_server(AF_INET, 1, &port));
    return port;
}

uint64_t kit_cookie(int fd)
{
    uint64_t cookie = 0;
    socklen_t len = sizeof cookie;
    return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) == 0 ? cookie : 0;
}

uint16_t kit_own_port(int fd)
{
    union kit_addr a;
    socklen_t len = sizeof a;
    if (getsockname(fd, &a.any, &len) != 0) {
        return 0;
    }
    return ntohs(a.any.sa_family == AF_INET ? a.in.sin_port : a.in6.sin6_port);
}

uint32_t kit_net_ns(void)
{
    struct stat st;
    return stat("/proc/self/ns/net", &st) == 0 ? (uint32_t)st.st_ino : 0;
}

bool kit_unshare_net(void)
{
    struct ifreq ifr = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    if (unshare(CLONE_NEWNET) != 0) {
        return false;
    }
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool up = fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &ifr) == 0;
    (void)close(fd);
    return up;
}

/* Memory of the ring that offset stands for; NULL when refused. */
static uint8_t *ring_map(int ring, size_t len, uint64_t offset)
{
    void *p =
        mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, (off_t)offset);
    return p == MAP_FAILED ? NULL : p;
}

int kit_uring(unsigned char opcode, int fd, const void *addr, unsigned len, uint64_t off)
{
    struct io_uring_params p = {0};
    int ring = (int)syscall(SYS_io_uring_setup, 4, &p);
    if (ring < 0) {
        return -ENOSYS;
    }
    uint8_t *sq = ring_map(ring, 4096, IORING_OFF_SQ_RING);
    uint8_t *cq = ring_map(ring, 4096, IORING_OFF_CQ_RING);
    struct io_uring_sqe *sqe = (void *)ring_map(ring, 4 * sizeof *sqe, IORING_OFF_SQES);
    if (!sq || !cq || !sqe) {
        return -ENOMEM;
    }
    sqe->opcode = opcode;
    sqe->fd = fd;
    sqe->addr = (uint64_t)(uintptr_t)addr;
    sqe->len = len;
    sqe->off = off;
    *(uint32_t *)(void *)(sq + p.sq_off.array) = 0;
    __atomic_store_n((uint32_t *)(void *)(sq + p.sq_off.tail), 1, __ATOMIC_RELEASE);
    long done = syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0);
    const struct io_uring_cqe *cqe = (void *)(cq + p.cq_off.cqes);
    return done == 1 ? cqe->res : -EIO;
}

pid_t kit_start(int (*act)(void *), struct kit_shared *s)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* nobody runs on when the test fails */
        _exit(act(s) ? 95 : 96);
    }
    return pid;
}

void kit_reap(pid_t pid)
{
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 96);
}

pid_t kit_child(int (*act)(void *), struct kit_shared *s)
{
    pid_t pid = kit_start(act, s);
    kit_reap(pid);
    return pid;
}

static int connect_nowhere(void *arg)
{
    struct kit_shared *s = arg;
    union kit_addr a;
    socklen_t len = kit_loopback(&a, AF_INET, s->port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd >= 0 && connect(fd, &a.any, len) != 0 ? 0 : 1;
}

void kit_fence(struct rig *r)
{
    struct kit_shared s = {.port = 1};
    pid_t pid = kit_child(connect_nowhere, &s);
    assert_non_null(rig_wait(r, WEDR_EV_NETWORK_CONNECT, pid, 0));
}

const struct wedr_event_view *kit_only(struct rig *r, uint16_t type, pid_t pid)
{
    const struct wedr_event_view *v = rig_wait(r, type, pid, 0);
    if (!v) {
        fail_msg("no record of type %u by %d", type, (int)pid);
    }
    kit_fence(r);
    assert_int_equal(rig_count(r, type, pid), 1);
    return v;
}

void kit_none(struct rig *r, uint16_t type, pid_t pid)
{
    kit_fence(r);
    assert_int_equal(rig_count(r, type, pid), 0);
}

void assert_ip(const struct wedr_event_view *v, const char *field, const char *expected)
{
    char text[INET6_ADDRSTRLEN] = "";
    const struct wedr_field_info *f = wedr_event_field(v, field);
    assert_non_null(f);
    struct wedr_ip ip = wedr_event_ip(v, f);
    if (ip.family != 0) {
        assert_non_null(inet_ntop(ip.family == 4 ? AF_INET : AF_INET6, ip.addr, text, sizeof text));
    }
    assert_string_equal(text, expected);
}

int64_t rec_int(const struct wedr_event_view *v, const char *field)
{
    const struct wedr_field_info *f = wedr_event_field(v, field);
    assert_non_null(f);
    return wedr_event_int(v, f);
}
