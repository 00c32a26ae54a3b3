/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/bpf/net_kit.h — sockets on the loopback interface, for the tests of the network records.
 * Everything here fails the test (in a child: makes it end with status 95) when the system refuses.
 */
#pragma once

#include "rig.h"

#include <netinet/in.h>

/* What a child and the test tell each other. */
struct kit_shared {
    uint16_t port;   /* set by the test: where to connect or send to */
    int fd;          /* set by the test: a socket that the child inherits */
    int family;      /* AF_INET or AF_INET6 */
    uint64_t cookie; /* of the child's socket */
    uint16_t own_port;
    int err;           /* errno of the call that the test is about; 0 when it worked */
    pid_t pid;         /* of the child, in the test's numbers */
    uint32_t ns_net;   /* inode of the child's network namespace */
    volatile int step; /* what was reached; futex-less, the other side polls it */
};
/* Zeroed, shared over fork; lives until the test ends. */
struct kit_shared *kit_shared(void);
/* Sets step, and waits until it is at least n (30 s; false after that). */
void kit_step(struct kit_shared *s, int n);
bool kit_wait(struct kit_shared *s, int n);

union kit_addr {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};
/* Loopback address of the family with this port; returns its length. */
socklen_t kit_loopback(union kit_addr *a, int family, uint16_t port);
/* A listening TCP socket, or a bound datagram socket (backlog < 0), on a free port of loopback. */
int kit_server(int family, int backlog, uint16_t *ret_port);
/* A port of loopback that nobody has. */
uint16_t kit_free_port(void);
uint64_t kit_cookie(int fd);
uint16_t kit_own_port(int fd);
uint32_t kit_net_ns(void);
/* Leaves for a network namespace of its own with loopback up; false when refused. */
bool kit_unshare_net(void);

/* One request through io_uring: accept, connect or send by the opcode; addr and len as the opcode
 * wants them. Its result, or -ENOSYS without io_uring. */
int kit_uring(unsigned char opcode, int fd, const void *addr, unsigned len, uint64_t off);

/* In a child of its own: waits for it and for status 96. Returns its pid. */
pid_t kit_child(int (*act)(void *), struct kit_shared *s);
/* The same without waiting; kit_reap does. */
pid_t kit_start(int (*act)(void *), struct kit_shared *s);
void kit_reap(pid_t pid);

/* After this, every record of the bulk lane that was made before is in the rig. */
void kit_fence(struct rig *r);
/* The only record of a type that pid made; fails when there is none or another one. */
const struct wedr_event_view *kit_only(struct rig *r, uint16_t type, pid_t pid);
/* Fails when there is one. */
void kit_none(struct rig *r, uint16_t type, pid_t pid);
/* field is this address of loopback (or any other in text); "" when absent. */
void assert_ip(const struct wedr_event_view *v, const char *field, const char *expected);
int64_t rec_int(const struct wedr_event_view *v, const char *field);
