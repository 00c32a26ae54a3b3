/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * endpoint/sensor/bpf/net_tcp.bpf.h — TCP by its changes of state. The first one of a connection
 * that a process opens, and the one that makes a socket listen, run in the caller; all later ones
 * in whatever runs when a packet or a timer comes.
 */
#pragma once

#include "net.bpf.h"

#define ECANCELED 125
#define ECONNABORTED 103
#define SOCK_DONE 1 /* bit of sk_flags: the other side said that it sends no more */
#define NR_X86_LISTEN 50
#define NR_ARM64_LISTEN 201

enum {
    TCP_ESTABLISHED = 1,
    TCP_SYN_SENT,
    TCP_SYN_RECV,
    TCP_FIN_WAIT1,
    TCP_FIN_WAIT2,
    TCP_TIME_WAIT,
    TCP_CLOSE,
    TCP_CLOSE_WAIT,
    TCP_LAST_ACK,
    TCP_LISTEN,
    TCP_CLOSING,
};

/* A thread inside connect() or listen(). The end of the call tells how it went where nothing else
 * does: an address without a route, a datagram socket, the port that listen() chose. */
enum fate {
    FATE_OPEN,   /* nothing was seen yet */
    FATE_TOLD,   /* the connection's own states tell the rest */
    FATE_SILENT, /* it was given up without an error on the socket */
    FATE_LISTEN,
};
struct call {
    u64 cookie;
    u64 sk;
    struct tuple to;
    u16 protocol;
    u8 fate;
    u8 unused;
    u32 ns_net;
};
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 4096);
    __type(key, u64); /* thread group and thread */
    __type(value, struct call);
} net_calls SEC(".maps");

struct connect {
    struct task_head who;
    struct tuple at;
    u64 cookie;
    u32 ns_net;
    s32 result;
    u16 protocol;
    u8 via;
};

static __always_inline void emit_connect(const struct connect *c)
{
    struct wedr_linux_network_connect *r;
    struct emit e;
    if (!budget_take_for(WEDR_EV_NETWORK_CONNECT, &c->who)) {
        return;
    }
    r = emit_reserve(&e, WEDR_LANE_BULK, sizeof *r);
    if (!r) {
        return;
    }
    PUT_HEAD(r, &c->who);
    PUT(r, socket_id, c->cookie);
    PUT(r, ns_net, c->ns_net);
    PUT(r, protocol, c->protocol);
    ip_put(&r->src_ip, &c->at.local);
    ip_put(&r->dst_ip, &c->at.remote);
    PUT(r, src_port, c->at.local_port);
    PUT(r, dst_port, c->at.remote_port);
    PUT(r, result, c->result);
    PUT(r, via, c->via);
    emit_submit(&e, r, WEDR_EV_NETWORK_CONNECT, sizeof *r, sizeof *r);
}

/* TCP: one record when the outcome is known, whoever is on the CPU then. */
static __always_inline void
tell_connection(struct sock *sk, u64 cookie, const struct conn *c, s32 result)
{
    struct connect k = {.cookie = cookie, .result = result, .protocol = IPPROTO_TCP};
    if (!kind_on(WEDR_EV_NETWORK_CONNECT)) {
        return;
    }
    if (c) {
        if (c->hidden) {
            return;
        }
        k.who = c->who;
        k.via = c->via;
    }
    k.ns_net = net_namespace(sk);
    tuple_read(&k.at, sk);
    emit_connect(&k);
}

static __always_inline struct call *call_of_current(u64 *ret_key)
{
    *ret_key = bpf_get_current_pid_tgid();
    return bpf_map_lookup_elem(&net_calls, ret_key);
}

static __always_inline void on_connecting(struct sock *sk, u64 cookie)
{
    struct conn c = {.phase = PHASE_CONNECTING};
    u64 key;
    task_head(&c.who);
    budget_open(&c.who);
    c.via = via_current();
    c.hidden = !wanted(WEDR_EV_NETWORK_CONNECT);
    bpf_map_update_elem(&net_conns, &cookie, &c, BPF_ANY);
    struct call *call = call_of_current(&key);
    if (call && call->cookie == cookie) {
        call->fate = FATE_TOLD;
    }
}

static __always_inline void on_established(struct sock *sk, u64 cookie, int old)
{
    struct conn *c = bpf_map_lookup_elem(&net_conns, &cookie);
    u64 now = bpf_ktime_get_boot_ns();
    if (old == TCP_SYN_SENT || (c && c->phase == PHASE_CONNECTING)) {
        tell_connection(sk, cookie, c, 0);
    }
    if (c) {
        c->phase = PHASE_OPEN;
        c->since = now;
        return;
    }
    struct conn fresh = {.since = now, .phase = PHASE_OPEN, .incoming = old == TCP_SYN_RECV};
    bpf_map_update_elem(&net_conns, &cookie, &fresh, BPF_ANY);
}

static __always_inline void emit_close(struct sock *sk, u64 cookie, const struct conn *c)
{
    struct wedr_linux_network_close *r;
    struct tcp_sock *tcp = (struct tcp_sock *)sk;
    struct tuple at;
    struct task_head who = {};
    struct emit e;
    if (c) {
        who = c->who;
    }
    if (!kind_on(WEDR_EV_NETWORK_CLOSE) || (c && c->hidden) ||
        !budget_take_for(WEDR_EV_NETWORK_CLOSE, &who)) {
        return;
    }
    tuple_read(&at, sk);
    r = emit_reserve(&e, WEDR_LANE_BULK, sizeof *r);
    if (!r) {
        return;
    }
    PUT_HEAD(r, &who);
    if (c) {
        PUT(r, incoming, c->incoming);
        PUT(r, duration_us, c->since ? (bpf_ktime_get_boot_ns() - c->since) / 1000 : 0);
    }
    PUT(r, socket_id, cookie);
    PUT(r, ns_net, net_namespace(sk));
    PUT(r, protocol, IPPROTO_TCP);
    ip_put(&r->src_ip, &at.local);
    ip_put(&r->dst_ip, &at.remote);
    PUT(r, src_port, at.local_port);
    PUT(r, dst_port, at.remote_port);
    /* What the application sent, each byte once; the end of the other side's stream counts as a
     * byte in the kernel's number. */
    u64 fin = BPF_CORE_READ(sk, __sk_common.skc_flags) >> SOCK_DONE & 1;
    u64 received = BPF_CORE_READ(tcp, bytes_received);
    PUT(r, bytes_sent, BPF_CORE_READ(tcp, bytes_sent) - BPF_CORE_READ(tcp, bytes_retrans));
    PUT(r, bytes_received, received > fin ? received - fin : 0);
    emit_submit(&e, r, WEDR_EV_NETWORK_CLOSE, sizeof *r, sizeof *r);
}

/* A process holds the socket's lock: then current is that process, and not whoever was interrupted.
 */
static __always_inline bool in_process(struct sock *sk)
{
    return sk->sk_lock.owned != 0 && !(bpf_get_current_task_btf()->flags & PF_KTHREAD);
}

/* Current took the connection. */
static __always_inline void
emit_accept(struct sock *sk, u64 cookie, const struct task_head *who, u8 via)
{
    struct wedr_linux_network_accept *r;
    struct tuple at;
    struct emit e;
    if (!budget_take(WEDR_EV_NETWORK_ACCEPT, who)) {
        return;
    }
    tuple_read(&at, sk);
    r = emit_reserve(&e, WEDR_LANE_BULK, sizeof *r);
    if (!r) {
        return;
    }
    PUT_SOCKET(r, who, cookie, sk);
    PUT(r, protocol, IPPROTO_TCP);
    PUT(r, via, via);
    ip_put(&r->src_ip, &at.remote);
    ip_put(&r->dst_ip, &at.local);
    PUT(r, src_port, at.remote_port);
    PUT(r, dst_port, at.local_port);
    emit_submit(&e, r, WEDR_EV_NETWORK_ACCEPT, sizeof *r, sizeof *r);
}

/* A connection without an owner gets it when a process closes it: one that is older than the
 * sensor, and one that was taken by a call that no hook sees (io_uring, the 32-bit table); the
 * latter is told now. */
static __always_inline struct conn *find_owner(struct sock *sk, u64 cookie)
{
    struct conn *c = bpf_map_lookup_elem(&net_conns, &cookie);
    if ((c && c->who.pid) || !in_process(sk) || sk->sk_err == ECONNABORTED) {
        return c;
    }
    struct conn fresh = {.phase = PHASE_OPEN};
    if (c) {
        fresh = *c;
    }
    task_head(&fresh.who);
    fresh.hidden = !wanted(WEDR_EV_NETWORK_CLOSE);
    bpf_map_update_elem(&net_conns, &cookie, &fresh, BPF_ANY);
    if (fresh.incoming && wanted(WEDR_EV_NETWORK_ACCEPT)) {
        emit_accept(sk, cookie, &fresh.who, via_current());
    }
    return bpf_map_lookup_elem(&net_conns, &cookie);
}

static __always_inline void connect_failed(struct sock *sk, u64 cookie, const struct conn *c)
{
    s32 err = sk->sk_err;
    u64 key;
    if (err == 0) {
        struct call *call = call_of_current(&key);
        if (call && call->cookie == cookie) {
            call->fate = FATE_SILENT; /* connect() is about to return why */
            return;
        }
        err = ECANCELED; /* closed by its process before there was an answer */
    }
    tell_connection(sk, cookie, c, -err);
}

static __always_inline void on_closed(struct sock *sk, u64 cookie, int old)
{
    struct conn *c = bpf_map_lookup_elem(&net_conns, &cookie);
    if (old == TCP_SYN_SENT || (c && c->phase == PHASE_CONNECTING)) {
        connect_failed(sk, cookie, c);
    } else if (old != TCP_SYN_RECV && old != TCP_LISTEN && old != TCP_CLOSE) {
        emit_close(sk, cookie, find_owner(sk, cookie));
    }
    bpf_map_delete_elem(&net_conns, &cookie);
}

static __always_inline void emit_listen(struct sock *sk, u64 cookie)
{
    struct wedr_linux_network_listen *r;
    struct task_head who;
    struct tuple at;
    struct emit e;
    task_head(&who);
    if (!wanted(WEDR_EV_NETWORK_LISTEN) || !budget_take(WEDR_EV_NETWORK_LISTEN, &who)) {
        return;
    }
    tuple_read(&at, sk);
    r = emit_reserve(&e, WEDR_LANE_BULK, sizeof *r);
    if (!r) {
        return;
    }
    PUT_SOCKET(r, &who, cookie, sk);
    PUT(r, protocol, IPPROTO_TCP);
    ip_put(&r->src_ip, &at.local);
    PUT(r, src_port, at.local_port);
    PUT(r, backlog, BPF_CORE_READ(sk, sk_max_ack_backlog));
    emit_submit(&e, r, WEDR_EV_NETWORK_LISTEN, sizeof *r, sizeof *r);
}

/* The port is not chosen yet when a socket that was not bound begins to listen. */
static __always_inline void on_listen(struct sock *sk, u64 cookie)
{
    struct call call = {.cookie = cookie, .sk = (u64)sk, .fate = FATE_LISTEN};
    u64 key = bpf_get_current_pid_tgid();
    if (in_syscall(NR_X86_LISTEN, NR_ARM64_LISTEN)) {
        bpf_map_update_elem(&net_calls, &key, &call, BPF_ANY);
    } else {
        emit_listen(sk, cookie);
    }
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(wedr_sock_state, struct sock *sk, int old, int new)
{
    if (sk->sk_protocol != IPPROTO_TCP) {
        return 0;
    }
    u64 cookie = bpf_get_socket_cookie(sk);
    switch (new) {
    case TCP_SYN_SENT:
        on_connecting(sk, cookie);
        break;
    case TCP_ESTABLISHED:
        on_established(sk, cookie, old);
        break;
    case TCP_FIN_WAIT1:
    case TCP_LAST_ACK:
        find_owner(sk, cookie);
        break;
    case TCP_LISTEN:
        on_listen(sk, cookie);
        break;
    case TCP_CLOSE:
        on_closed(sk, cookie, old);
        break;
    default:
        break;
    }
    return 0;
}
