/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * endpoint/sensor/bpf/net.bpf.h — who owns a socket, and where it leads. A connection's packets and
 * changes of state are often handled in an interrupt, where the current process is an innocent one:
 * the owner is noted when a process acts on the socket (connect, accept, send) and looked up by the
 * socket's cookie later. A cookie is never given twice in the life of a kernel.
 */
#pragma once

#include "filter.bpf.h"
#include "syscall.bpf.h"

#define CONNS_MAX 32768u
#define OWNERS_MAX 16384u

#define AF_INET 2
#define AF_INET6 10
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define IPPROTO_MPTCP 262 /* what accept() of a multipath listener gives; its parts are TCP */

#define PF_IO_WORKER 0x10
#define NR_IO_URING_ENTER 426 /* the same number everywhere */

/* One TCP connection from its first step to its end. */
enum phase { PHASE_CONNECTING = 1, PHASE_OPEN = 2 };
struct conn {
    struct task_head who; /* pid 0: not known */
    u64 since;            /* it opened; 0: not known */
    u8 phase;
    u8 incoming;
    u8 via;
    u8 hidden; /* of a process that is left out: nothing of it is reported */
    u32 unused;
};
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, CONNS_MAX);
    __type(key, u64); /* cookie */
    __type(value, struct conn);
} net_conns SEC(".maps");

/* Who sent last through a socket without connections. */
struct owner {
    struct task_head who;
    u32 hidden;
    u32 unused;
};
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, OWNERS_MAX);
    __type(key, u64); /* cookie */
    __type(value, struct owner);
} net_owners SEC(".maps");

static __always_inline u8 via_current(void)
{
    struct task_struct *t = bpf_get_current_task_btf();
    if ((t->flags & PF_IO_WORKER) || in_syscall(NR_IO_URING_ENTER, NR_IO_URING_ENTER)) {
        return WEDR_VIA_IO_URING;
    }
    return in_compat_call(t) ? WEDR_VIA_COMPAT : 0;
}

/* struct wedr_ip in words; network order. */
struct addr {
    u32 family; /* 0, 4 or 6 */
    u32 word[4];
};
/* Where a socket leads; the ports in the machine's order. */
struct tuple {
    struct addr local, remote;
    u16 local_port, remote_port;
};

static __always_inline u16 port_of(u32 network_order)
{
    return (u16)__builtin_bswap16((u16)network_order);
}

static __always_inline void ip_put(struct wedr_ip *to, const struct addr *from)
{
    to->family = (u8)from->family;
    for (int i = 0; i < 4; i++) {
        ((u32 *)(void *)to->addr)[i] = from->word[i];
    }
}

static __always_inline void addr4(struct addr *a, u32 word)
{
    a->family = 4;
    a->word[0] = word;
}

/* An IPv4 address in IPv6 clothes is shown as what it is. */
static __always_inline void addr6(struct addr *a, u32 w0, u32 w1, u32 w2, u32 w3)
{
    if (w0 == 0 && w1 == 0 && w2 == __builtin_bswap32(0xffff)) {
        addr4(a, w3);
        return;
    }
    a->family = 6;
    a->word[0] = w0;
    a->word[1] = w1;
    a->word[2] = w2;
    a->word[3] = w3;
}

/* A socket's own side may be "any address": that is no address. */
static __always_inline void tuple_read(struct tuple *t, struct sock *sk)
{
    struct inet_sock *inet = (struct inet_sock *)sk;
    __builtin_memset(t, 0, sizeof *t);
    t->local_port = port_of(BPF_CORE_READ(inet, inet_sport));
    t->remote_port = port_of(BPF_CORE_READ(sk, __sk_common.skc_dport));
    if (BPF_CORE_READ(sk, __sk_common.skc_family) == AF_INET) {
        u32 local = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
        if (local) {
            addr4(&t->local, local);
        }
        addr4(&t->remote, BPF_CORE_READ(sk, __sk_common.skc_daddr));
        return;
    }
    u32 w[4] = {};
    bpf_probe_read_kernel(w, sizeof w, &sk->__sk_common.skc_v6_rcv_saddr);
    if (w[0] | w[1] | w[2] | w[3]) {
        addr6(&t->local, w[0], w[1], w[2], w[3]);
    }
    bpf_probe_read_kernel(w, sizeof w, &sk->__sk_common.skc_v6_daddr);
    addr6(&t->remote, w[0], w[1], w[2], w[3]);
}

static __always_inline u32 net_namespace(struct sock *sk)
{
    struct net *net = BPF_CORE_READ(sk, __sk_common.skc_net.net);
    return BPF_CORE_READ(net, ns.inum);
}

/* A context's socket as an address: its own type forbids to read more than a few members. */
static __always_inline struct sock *ctx_sock(const void *sk)
{
    u64 address = 0;
    bpf_probe_read_kernel(&address, sizeof address, &sk);
    return (struct sock *)address;
}

static __always_inline u64 cookie_of(struct sock *sk)
{
    return (u64)BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
}

/* The process acts on a socket: what its packets do later, in interrupts, counts on its own budget.
 */
static __always_inline void budget_open(const struct task_head *h)
{
    u64 key = h->key;
    if (!bpf_map_lookup_elem(&budgets, &key)) {
        budget_make(h);
    }
}

/* What every record of this area says about its process and socket. */
#define PUT_SOCKET(rec, head, cookie, sk)    \
    do {                                     \
        PUT_HEAD(rec, head);                 \
        PUT(rec, socket_id, cookie);         \
        PUT(rec, ns_net, net_namespace(sk)); \
    } while (0)
