/* SPDX-License-Identifier: Apache-2.0 */
#include "wedr/plat/ipc.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/obj.h"
#include "fs_path.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define IPC_MAGIC 0x57495043u
#define SEND_BUFFER_BYTES (1 << 20) /* room for several of the largest messages */
#define BACKLOG 16
#define CONNECT_TIMEOUT_S 5
#define FDS_SPACE CMSG_SPACE(sizeof(int) * WEDR_IPC_HANDLES_MAX)

struct wedr_ipc {
    uint32_t magic;
    int fd;
};

static struct wedr_ipc *ipc_new(int fd)
{
    struct wedr_ipc *c = wedr_alloc(1, sizeof(*c));
    if (c != NULL) {
        c->magic = IPC_MAGIC;
        c->fd = fd;
    }
    return c;
}

/* Beyond the system's limit with the right for it, up to the limit without; a smaller buffer only
 * means that WEDR_E_AGAIN comes sooner. */
static void enlarge_send_buffer(int fd)
{
    int bytes = SEND_BUFFER_BYTES;
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) != 0) {
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
    }
}

int wedr_ipc_pair(struct wedr_ipc **ret_a, struct wedr_ipc **ret_b)
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0) {
        return wedr_err_from_os(errno);
    }
    enlarge_send_buffer(fds[0]);
    enlarge_send_buffer(fds[1]);
    struct wedr_ipc *a = ipc_new(fds[0]);
    struct wedr_ipc *b = ipc_new(fds[1]);
    if (a == NULL || b == NULL) {
        (void)close(fds[0]);
        (void)close(fds[1]);
        wedr_free(a);
        wedr_free(b);
        return WEDR_E_NOMEM;
    }
    *ret_a = a;
    *ret_b = b;
    return WEDR_OK;
}

int wedr_ipc_from_handle_take(wedr_handle h, struct wedr_ipc **ret_c)
{
    int type = 0;
    socklen_t len = sizeof(type);
    int err = WEDR_OK;
    struct wedr_ipc *c = NULL;
    if (getsockopt((int)h, SOL_SOCKET, SO_TYPE, &type, &len) != 0 || type != SOCK_SEQPACKET) {
        err = WEDR_E_INVAL; /* byte streams have no message ends: the limits below would mean
                               nothing */
    } else {
        c = ipc_new((int)h);
        err = c == NULL ? WEDR_E_NOMEM : WEDR_OK;
    }
    if (err != WEDR_OK) {
        wedr_fs_close(h);
        return err;
    }
    *ret_c = c;
    return WEDR_OK;
}

/* Address of dir/name through the open folder, so that the path may be longer than sun_path. */
static int address_in(int dir, const char *name, struct sockaddr_un *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->sun_family = AF_UNIX;
    int n = snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/%s", dir, name);
    return wedr_path_is_name(name) && n > 0 && (size_t)n < sizeof(ret->sun_path) ? WEDR_OK
                                                                                 : WEDR_E_INVAL;
}

static int bind_and_listen(int fd, int dir, const char *name)
{
    struct sockaddr_un sa;
    int err = address_in(dir, name, &sa);
    if (err != WEDR_OK) {
        return err;
    }
    if (unlinkat(dir, name, 0) != 0 && errno != ENOENT) {
        return wedr_err_from_os(errno);
    }
    /* Linux gives the socket file the mode of the socket: it never exists with a wider one. */
    if (fchmod(fd, 0600) != 0 || bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) != 0 ||
        listen(fd, BACKLOG) != 0) {
        return wedr_err_from_os(errno);
    }
    return WEDR_OK;
}

static int connect_in(int fd, int dir, const char *name)
{
    struct sockaddr_un sa;
    struct timeval tv = {CONNECT_TIMEOUT_S,
                         0}; /* a full backlog must not hold the caller for ever */
    int err = address_in(dir, name, &sa);
    if (err != WEDR_OK) {
        return err;
    }
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) != 0) {
        return wedr_err_from_os(errno);
    }
    int e;
    do {
        e = connect(fd, (const struct sockaddr *)&sa, sizeof(sa));
    } while (e != 0 && errno == EINTR);
    if (e != 0) {
        return errno == EAGAIN ? WEDR_E_TIMEOUT : wedr_err_from_os(errno);
    }
    return WEDR_OK;
}

static int open_named(const char *dir,
                      const char *name,
                      int (*attach)(int fd, int dir, const char *name),
                      struct wedr_ipc **ret_c)
{
    wedr_handle d = WEDR_HANDLE_NONE;
    struct wedr_ipc *c = NULL;
    int err = wedr_fs_open_dir(dir, &d);
    if (err != WEDR_OK) {
        return err;
    }
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        err = wedr_err_from_os(errno);
        goto out;
    }
    enlarge_send_buffer(fd);
    err = attach(fd, (int)d, name);
    if (err != WEDR_OK) {
        goto out;
    }
    c = ipc_new(fd);
    if (c == NULL) {
        err = WEDR_E_NOMEM;
        goto out;
    }
    fd = -1;
    *ret_c = c;
out:
    if (fd >= 0) {
        (void)close(fd);
    }
    wedr_fs_close(d);
    return err;
}

int wedr_ipc_listen(const char *dir, const char *name, struct wedr_ipc **ret_listener)
{
    return open_named(dir, name, bind_and_listen, ret_listener);
}

int wedr_ipc_connect(const char *dir, const char *name, struct wedr_ipc **ret_c)
{
    return open_named(dir, name, connect_in, ret_c);
}

int wedr_ipc_accept(struct wedr_ipc *listener,
                    struct wedr_ipc **ret_c,
                    struct wedr_ipc_peer *ret_peer)
{
    struct ucred cred;
    socklen_t len = sizeof(cred);
    struct pollfd pending = {.fd = -1, .events = POLLIN};
    WEDR_OBJ_CHECK(listener, IPC_MAGIC);
    pending.fd = listener->fd;
    if (poll(&pending, 1, 0) == 0) {
        return WEDR_E_AGAIN; /* the client that woke us may have gone again */
    }
    int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) {
        return errno == EINTR || errno == ECONNABORTED ? WEDR_E_AGAIN : wedr_err_from_os(errno);
    }
    enlarge_send_buffer(fd);
    struct wedr_ipc *c = NULL;
    int err = WEDR_OK;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0) {
        err = wedr_err_from_os(errno);
    } else {
        c = ipc_new(fd);
        err = c == NULL ? WEDR_E_NOMEM : WEDR_OK;
    }
    if (err != WEDR_OK) {
        (void)close(fd);
        return err;
    }
    *ret_peer = (struct wedr_ipc_peer){.pid = (uint32_t)cred.pid, .uid = cred.uid, .gid = cred.gid};
    *ret_c = c;
    return WEDR_OK;
}

void wedr_ipc_close(struct wedr_ipc *c)
{
    if (c != NULL && c->magic == IPC_MAGIC) {
        c->magic = 0;
        (void)close(c->fd);
        wedr_free(c);
    }
}

wedr_handle wedr_ipc_handle(const struct wedr_ipc *c)
{
    return c == NULL ? WEDR_HANDLE_NONE : c->fd;
}

int wedr_ipc_send(
    struct wedr_ipc *c, const void *msg, size_t len, const wedr_handle *handles, size_t count)
{
    union {
        struct cmsghdr align;
        uint8_t bytes[FDS_SPACE];
    } control;
    struct iovec iov = {(void *)(uintptr_t)msg, len};
    struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};
    WEDR_OBJ_CHECK(c, IPC_MAGIC);
    /* An empty message could not be told from the end of the channel. */
    if (len == 0 || len > WEDR_IPC_MSG_MAX || count > WEDR_IPC_HANDLES_MAX) {
        return WEDR_E_INVAL;
    }
    if (count > 0) {
        int fds[WEDR_IPC_HANDLES_MAX];
        for (size_t i = 0; i < count; i++) {
            fds[i] = (int)handles[i];
        }
        memset(&control, 0, sizeof(control));
        mh.msg_control = control.bytes;
        mh.msg_controllen = CMSG_SPACE(sizeof(int) * count);
        struct cmsghdr *cm = CMSG_FIRSTHDR(&mh);
        cm->cmsg_level = SOL_SOCKET;
        cm->cmsg_type = SCM_RIGHTS;
        cm->cmsg_len = CMSG_LEN(sizeof(int) * count);
        memcpy(CMSG_DATA(cm), fds, sizeof(int) * count);
    }
    ssize_t n;
    do {
        n = sendmsg(c->fd, &mh, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return errno == ENOTCONN ? WEDR_E_CLOSED : wedr_err_from_os(errno);
    }
    return WEDR_OK;
}

/* One message off the socket. After the peer died with something unread, Linux reports ECONNRESET
 * once and only then what the peer had sent before: that is taken too. */
static ssize_t receive(int fd, struct msghdr *mh)
{
    size_t controllen = mh->msg_controllen;
    int resets = 0;
    for (;;) {
        mh->msg_controllen = controllen;
        ssize_t n = recvmsg(fd, mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (n >= 0 || (errno != EINTR && !(errno == ECONNRESET && resets++ == 0))) {
            return n;
        }
    }
}

/* Every descriptor that came, into fds (room for all that the control buffer can hold). */
static size_t collect_fds(struct msghdr *mh, int fds[WEDR_IPC_HANDLES_MAX])
{
    size_t count = 0;
    for (struct cmsghdr *cm = CMSG_FIRSTHDR(mh); cm != NULL; cm = CMSG_NXTHDR(mh, cm)) {
        if (cm->cmsg_level != SOL_SOCKET || cm->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        size_t n = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(cm) + i * sizeof(int), sizeof(fd));
            if (count < WEDR_IPC_HANDLES_MAX) {
                fds[count++] = fd;
            } else {
                (void)close(fd);
                mh->msg_flags |= MSG_CTRUNC;
            }
        }
    }
    return count;
}

int wedr_ipc_recv(struct wedr_ipc *c,
                  void *msg,
                  size_t cap,
                  size_t *ret_len,
                  wedr_handle *ret_handles,
                  size_t handles_cap,
                  size_t *ret_count)
{
    union {
        struct cmsghdr align;
        uint8_t bytes[FDS_SPACE];
    } control;
    int fds[WEDR_IPC_HANDLES_MAX];
    struct iovec iov = {msg, cap};
    struct msghdr mh = {.msg_iov = &iov,
                        .msg_iovlen = 1,
                        .msg_control = control.bytes,
                        .msg_controllen = sizeof(control.bytes)};
    WEDR_OBJ_CHECK(c, IPC_MAGIC);
    ssize_t n = receive(c->fd, &mh);
    if (n < 0) {
        return errno == ENOTCONN ? WEDR_E_CLOSED : wedr_err_from_os(errno);
    }
    size_t count = collect_fds(&mh, fds);
    bool odd = (mh.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 || count > handles_cap;
    if (odd || n == 0) {
        odd = odd || count > 0;
        for (size_t i = 0; i < count; i++) {
            (void)close(fds[i]);
        }
        return odd ? WEDR_E_FORMAT : WEDR_E_CLOSED;
    }
    for (size_t i = 0; i < count; i++) {
        ret_handles[i] = fds[i];
    }
    *ret_len = (size_t)n;
    if (ret_count != NULL) {
        *ret_count = count;
    }
    return WEDR_OK;
}

static uint64_t now_ms(void)
{
    struct timespec ts = {0, 0};
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000u + (uint64_t)ts.tv_nsec / 1000000u;
}

/* poll for timeout_ms in all, however often a signal interrupts it. */
static int poll_for(struct pollfd *p, size_t count, uint32_t timeout_ms)
{
    uint64_t start = now_ms();
    uint64_t left = timeout_ms;
    for (;;) {
        int ms = timeout_ms == UINT32_MAX ? -1 : left > INT32_MAX ? INT32_MAX : (int)left;
        int n = poll(p, count, ms);
        if (n >= 0 || errno != EINTR) {
            return n;
        }
        uint64_t gone = now_ms() - start;
        left = gone >= timeout_ms ? 0 : timeout_ms - gone;
    }
}

int wedr_wait_any(struct wedr_wait *w, size_t count, uint32_t timeout_ms, size_t *ret_ready)
{
    struct pollfd p[WEDR_WAIT_MAX];
    if (count > WEDR_WAIT_MAX) {
        return WEDR_E_INVAL;
    }
    for (size_t i = 0; i < count; i++) {
        p[i].fd = w[i].handle == WEDR_HANDLE_NONE ? -1 : (int)w[i].handle;
        p[i].events = (short)(((w[i].want & WEDR_WAIT_READ) != 0 ? POLLIN : 0) |
                              ((w[i].want & WEDR_WAIT_WRITE) != 0 ? POLLOUT : 0));
        p[i].revents = 0;
    }
    if (poll_for(p, count, timeout_ms) < 0) {
        return wedr_err_from_os(errno);
    }
    size_t ready = 0;
    for (size_t i = 0; i < count; i++) {
        w[i].got = ((p[i].revents & POLLIN) != 0 ? WEDR_WAIT_READ : 0) |
                   ((p[i].revents & POLLOUT) != 0 ? WEDR_WAIT_WRITE : 0) |
                   ((p[i].revents & (POLLHUP | POLLERR | POLLNVAL)) != 0 ? WEDR_WAIT_GONE : 0);
        ready += w[i].got != 0 ? 1 : 0;
    }
    if (ret_ready != NULL) {
        *ret_ready = ready;
    }
    return WEDR_OK;
}
