/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/bpf/victim_uring.c — asks the kernel through io_uring, by system calls of its own:
 * victim_uring [sqpoll] [async] STEP[:ARGUMENT[,ARGUMENT...]] ... Each step is one request, waited
 * for; one that fails ends it with 90. Static. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ARGS_MAX 3

struct uring {
    int fd;
    bool sqpoll, async;
    struct io_uring_params p;
    unsigned char *sq, *cq;
    struct io_uring_sqe *sqes;
    struct io_uring_cqe *cqes;
};

static unsigned *word(unsigned char *ring, unsigned offset)
{
    return (unsigned *)(void *)(ring + offset);
}

static void *map(const struct uring *u, size_t len, off_t what)
{
    void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, u->fd, what);
    return p == MAP_FAILED ? NULL : p;
}

static int setup(struct uring *u)
{
    u->p.flags = u->sqpoll ? IORING_SETUP_SQPOLL : 0;
    u->p.sq_thread_idle = 1000;
    u->fd = (int)syscall(SYS_io_uring_setup, 4, &u->p);
    if (u->fd < 0) {
        return -1;
    }
    u->sq = map(u, u->p.sq_off.array + u->p.sq_entries * sizeof(unsigned), IORING_OFF_SQ_RING);
    u->cq = map(u, u->p.cq_off.cqes + u->p.cq_entries * sizeof(struct io_uring_cqe),
                IORING_OFF_CQ_RING);
    u->sqes = map(u, u->p.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
    if (!u->sq || !u->cq || !u->sqes) {
        return -1;
    }
    u->cqes = (struct io_uring_cqe *)(void *)(u->cq + u->p.cq_off.cqes);
    return 0;
}

/* One request to its end: its result, or -1 with errno. */
static int ask(struct uring *u, const struct io_uring_sqe *sqe)
{
    unsigned *tail = word(u->sq, u->p.sq_off.tail), *head = word(u->cq, u->p.cq_off.head);
    unsigned slot = *tail & *word(u->sq, u->p.sq_off.ring_mask);
    unsigned flags = IORING_ENTER_GETEVENTS;
    u->sqes[slot] = *sqe;
    u->sqes[slot].flags |= u->async ? IOSQE_ASYNC : 0;
    word(u->sq, u->p.sq_off.array)[slot] = slot;
    __atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
    if (u->sqpoll) {
        flags |= IORING_ENTER_SQ_WAKEUP;
    }
    if (syscall(SYS_io_uring_enter, u->fd, 1, 1, flags, NULL, 0) < 0) {
        return -1;
    }
    while (__atomic_load_n(word(u->cq, u->p.cq_off.tail), __ATOMIC_ACQUIRE) == *head) {
        (void)usleep(1000);
    }
    int result = u->cqes[*head & *word(u->cq, u->p.cq_off.ring_mask)].res;
    __atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
    if (result < 0) {
        errno = -result;
        return -1;
    }
    return result;
}

static struct io_uring_sqe request(unsigned opcode, int fd, const void *addr)
{
    struct io_uring_sqe s;
    memset(&s, 0, sizeof s);
    s.opcode = (unsigned char)opcode;
    s.fd = fd;
    s.addr = (unsigned long)addr;
    return s;
}

static int open_by(struct uring *u, const char *path, int flags)
{
    struct io_uring_sqe s = request(IORING_OP_OPENAT, AT_FDCWD, path);
    s.open_flags = (unsigned)flags;
    s.len = 0644;
    return ask(u, &s);
}

static int do_write(struct uring *u, char *const *arg)
{
    return open_by(u, arg[0], O_WRONLY | O_CREAT);
}

static int do_read(struct uring *u, char *const *arg)
{
    char text[16];
    int fd = open_by(u, arg[0], O_RDONLY);
    struct io_uring_sqe s = request(IORING_OP_READ, fd, text);
    s.len = sizeof text;
    return fd < 0 ? -1 : ask(u, &s);
}

/* openat2 relative to a folder: FOLDER,NAME */
static int do_write_at(struct uring *u, char *const *arg)
{
    struct open_how {
        unsigned long long flags, mode, resolve;
    } how = {O_RDWR | O_CREAT | O_EXCL, 0600, 0};
    struct io_uring_sqe s =
        request(IORING_OP_OPENAT2, open(arg[0], O_PATH | O_DIRECTORY | O_CLOEXEC), arg[1]);
    s.off = (unsigned long)&how;
    s.len = sizeof how;
    return ask(u, &s);
}

/* Opened into a slot of the ring's own table: the process gets no descriptor. */
static int do_write_direct(struct uring *u, char *const *arg)
{
    int none[1] = {-1};
    if (syscall(SYS_io_uring_register, u->fd, IORING_REGISTER_FILES, none, 1) < 0) {
        return -1;
    }
    struct io_uring_sqe s = request(IORING_OP_OPENAT, AT_FDCWD, arg[0]);
    s.open_flags = O_WRONLY | O_CREAT;
    s.len = 0644;
    s.file_index = 1;
    return ask(u, &s);
}

static int two_names(struct uring *u, unsigned opcode, char *const *arg)
{
    struct io_uring_sqe s = request(opcode, AT_FDCWD, arg[0]);
    s.off = (unsigned long)arg[1];
    s.len = (unsigned)AT_FDCWD;
    return ask(u, &s);
}

static int do_rename(struct uring *u, char *const *arg)
{
    return two_names(u, IORING_OP_RENAMEAT, arg);
}

static int do_link(struct uring *u, char *const *arg)
{
    return two_names(u, IORING_OP_LINKAT, arg);
}

/* symlink:TEXT,NAME */
static int do_symlink(struct uring *u, char *const *arg)
{
    struct io_uring_sqe s = request(IORING_OP_SYMLINKAT, AT_FDCWD, arg[0]);
    s.off = (unsigned long)arg[1];
    return ask(u, &s);
}

static int do_unlink(struct uring *u, char *const *arg)
{
    struct io_uring_sqe s = request(IORING_OP_UNLINKAT, AT_FDCWD, arg[0]);
    return ask(u, &s);
}

/* connect:PORT and send one byte, on the loopback */
static int do_connect(struct uring *u, char *const *arg)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    to.sin_port = htons((unsigned short)strtol(arg[0], NULL, 10));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct io_uring_sqe s = request(IORING_OP_CONNECT, fd, &to);
    s.off = sizeof to;
    if (fd < 0 || ask(u, &s) < 0) {
        return -1;
    }
    s = request(IORING_OP_SEND, fd, "x");
    s.len = 1;
    return ask(u, &s);
}

/* sendto:PORT, one datagram to the loopback from a socket that is not connected */
static int do_sendto(struct uring *u, char *const *arg)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    struct iovec part = {"x", 1};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    to.sin_port = htons((unsigned short)strtol(arg[0], NULL, 10));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct msghdr m = {
        .msg_name = &to, .msg_namelen = sizeof to, .msg_iov = &part, .msg_iovlen = 1};
    struct io_uring_sqe s = request(IORING_OP_SENDMSG, fd, &m);
    s.len = 1;
    return fd < 0 ? -1 : ask(u, &s);
}

/* memory:PID, its memory opened for reading */
static int do_memory(struct uring *u, char *const *arg)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%s/mem", arg[0]);
    return open_by(u, path, O_RDONLY);
}

static const struct {
    const char *name;
    int (*run)(struct uring *u, char *const *arg);
} verbs[] = {
    {"write", do_write},     {"write-at", do_write_at}, {"write-direct", do_write_direct},
    {"read", do_read},       {"rename", do_rename},     {"link", do_link},
    {"symlink", do_symlink}, {"unlink", do_unlink},     {"connect", do_connect},
    {"sendto", do_sendto},   {"memory", do_memory},
};

/* 0 done, -1 failed, -2 no such step. */
static int run_step(struct uring *u, char *text)
{
    static char none[] = "";
    char *args[ARGS_MAX] = {none, none, none};
    char *arg = strchr(text, ':');
    if (arg) {
        *arg++ = 0;
    }
    for (int i = 0; arg && i < ARGS_MAX; i++) {
        args[i] = arg;
        arg = strchr(arg, ',');
        if (arg) {
            *arg++ = 0;
        }
    }
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(text, verbs[i].name) == 0) {
            return verbs[i].run(u, args) < 0 ? -1 : 0;
        }
    }
    return -2;
}

int main(int argc, char **argv)
{
    struct uring u = {.fd = -1};
    int i = 1;
    for (; i < argc; i++) {
        if (strcmp(argv[i], "sqpoll") == 0) {
            u.sqpoll = true;
        } else if (strcmp(argv[i], "async") == 0) {
            u.async = true;
        } else {
            break;
        }
    }
    if (setup(&u) != 0) {
        (void)fprintf(stderr, "io_uring_setup: %s\n", strerror(errno));
        return 91;
    }
    for (; i < argc; i++) {
        int err = run_step(&u, argv[i]);
        if (err) {
            (void)fprintf(stderr, "%s: %s\n", argv[i], err == -2 ? "unknown" : strerror(errno));
            return 90;
        }
    }
    return 0;
}
