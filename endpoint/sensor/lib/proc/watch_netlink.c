/* SPDX-License-Identifier: Apache-2.0
 *
 * The process connector: a netlink group that tells of forks, execs, ends and changes of identity.
 * Every field is the kernel's; a message from anybody else is dropped by the sender's address. */
#include "watch_priv.h"

#include "core/base/err.h"
#include "core/util/errinfo.h"
#include <errno.h>
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/netlink.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RECEIVE_BYTES (8 << 20)
#define ANSWER_MS 1000

/* Head, message and enum proc_cn_mcast_op, one behind the other. */
static int ask_to_listen(int fd)
{
    struct cn_msg m = {.id = {CN_IDX_PROC, CN_VAL_PROC}, .len = sizeof(uint32_t)};
    const uint32_t op = PROC_CN_MCAST_LISTEN;
    uint8_t rq[NLMSG_HDRLEN + sizeof m + sizeof op];
    const struct nlmsghdr head = {.nlmsg_len = sizeof rq, .nlmsg_type = NLMSG_DONE};
    memset(rq, 0, sizeof rq);
    memcpy(rq, &head, sizeof head);
    memcpy(rq + NLMSG_HDRLEN, &m, sizeof m);
    memcpy(rq + NLMSG_HDRLEN + sizeof m, &op, sizeof op);
    return send(fd, rq, sizeof rq, 0) == (ssize_t)sizeof rq ? WEDR_OK : wedr_err_from_os(errno);
}

/* One datagram. It is copied: the kernel puts the event behind 36 bytes of heads, where its fields
 * of eight bytes are not aligned. Errors as watch_netlink_next. */
static int receive(int fd, struct proc_event *ret)
{
    uint8_t mem[1024] __attribute__((aligned(8)));
    struct sockaddr_nl from = {0};
    socklen_t from_len = sizeof from;
    ssize_t n = recvfrom(fd, mem, sizeof mem, MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);
    if (n < 0) {
        return errno == ENOBUFS ? WEDR_E_FULL
               : errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR
                   ? WEDR_E_AGAIN
                   : wedr_err_from_os(errno);
    }
    const struct nlmsghdr *head = (const struct nlmsghdr *)(const void *)mem;
    const struct cn_msg *m = (const struct cn_msg *)NLMSG_DATA(head);
    if (from.nl_pid != 0 || (size_t)n < NLMSG_LENGTH(sizeof *m + sizeof *ret) ||
        m->id.idx != CN_IDX_PROC || m->id.val != CN_VAL_PROC || m->len < sizeof *ret) {
        return WEDR_E_FORMAT;
    }
    memcpy(ret, m->data, sizeof *ret);
    return WEDR_OK;
}

/* The kernel answers that it listens; where it has no connector nobody does. */
static int wait_for_answer(int fd)
{
    struct proc_event e;
    for (int tries = 0; tries < 4096; tries++) {
        struct pollfd p = {fd, POLLIN, 0};
        if (poll(&p, 1, ANSWER_MS) <= 0) {
            return WEDR_E_UNSUP;
        }
        if (receive(fd, &e) == WEDR_OK && e.what == PROC_EVENT_NONE) {
            return e.event_data.ack.err ? wedr_err_from_os((int)e.event_data.ack.err) : WEDR_OK;
        }
    }
    return WEDR_OK; /* events flow: somebody answers */
}

int watch_netlink_open(int *ret_fd, struct wedr_errinfo *ei)
{
    struct sockaddr_nl own = {.nl_family = AF_NETLINK, .nl_groups = CN_IDX_PROC};
    int size = RECEIVE_BYTES;
    int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_CONNECTOR);
    if (fd < 0) {
        int err = errno == EPROTONOSUPPORT ? WEDR_E_UNSUP : wedr_err_from_os(errno);
        return wedr_fail(ei, err, "the kernel has no process connector (CONFIG_PROC_EVENTS)");
    }
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0) {
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    }
    int err =
        bind(fd, (struct sockaddr *)&own, sizeof own) == 0 ? WEDR_OK : wedr_err_from_os(errno);
    if (!err) {
        err = ask_to_listen(fd);
    }
    if (!err) {
        err = wait_for_answer(fd);
    }
    if (err) {
        (void)close(fd);
        return wedr_fail(ei, err,
                         err == WEDR_E_PERM
                             ? "the process connector is for CAP_NET_ADMIN in the host's own "
                               "namespaces"
                             : "the process connector does not answer (a container's namespace, or "
                               "a kernel without CONFIG_PROC_EVENTS)");
    }
    *ret_fd = fd;
    return WEDR_OK;
}

int watch_netlink_next(int fd, struct watch_event *ret)
{
    struct proc_event e;
    int err = receive(fd, &e);
    if (err != WEDR_OK) {
        return err;
    }
    memset(ret, 0, sizeof *ret);
    ret->mono_ns = e.timestamp_ns;
    switch (e.what) {
    case PROC_EVENT_FORK:
        ret->kind = WATCH_FORK;
        ret->pid = (uint32_t)e.event_data.fork.child_pid;
        ret->tgid = (uint32_t)e.event_data.fork.child_tgid;
        ret->parent_tgid = (uint32_t)e.event_data.fork.parent_tgid;
        return WEDR_OK;
    case PROC_EVENT_EXEC:
        ret->kind = WATCH_EXEC;
        ret->pid = (uint32_t)e.event_data.exec.process_pid;
        ret->tgid = (uint32_t)e.event_data.exec.process_tgid;
        return WEDR_OK;
    case PROC_EVENT_EXIT:
        ret->kind = WATCH_EXIT;
        ret->pid = (uint32_t)e.event_data.exit.process_pid;
        ret->tgid = (uint32_t)e.event_data.exit.process_tgid;
        ret->exit_code = e.event_data.exit.exit_code;
        return WEDR_OK;
    case PROC_EVENT_UID:
    case PROC_EVENT_GID:
        ret->kind = WATCH_ID;
        ret->group = e.what == PROC_EVENT_GID;
        ret->pid = (uint32_t)e.event_data.id.process_pid;
        ret->tgid = (uint32_t)e.event_data.id.process_tgid;
        ret->real = e.event_data.id.r.ruid;
        ret->effective = e.event_data.id.e.euid;
        return WEDR_OK;
    case PROC_EVENT_COMM:
        ret->kind = WATCH_COMM;
        ret->pid = (uint32_t)e.event_data.comm.process_pid;
        ret->tgid = (uint32_t)e.event_data.comm.process_tgid;
        memcpy(ret->comm, e.event_data.comm.comm, sizeof ret->comm);
        ret->comm[sizeof ret->comm - 1] = 0;
        return WEDR_OK;
    default:
        return WEDR_E_FORMAT;
    }
}
