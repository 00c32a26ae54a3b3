/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * endpoint/sensor/bpf/net.bpf.c — connections, flows, listening and raw sockets, DNS. Observes
 * only: every program that could refuse something says yes. docs/sensor.md has the rules in words.
 */
#include "dns.bpf.h"
#include "net_tcp.bpf.h"

#define EINPROGRESS 115
#define SOCK_RAW 3
#define SOCK_PACKET 10
#define SOCK_TYPE_MASK 0xf
#define AF_PACKET 17
#define AF_XDP 44
#define NR_X86_CONNECT 42
#define NR_X86_SOCKET 41
#define NR_ARM64_CONNECT 203
#define NR_ARM64_SOCKET 198

/* Datagram flows that were told lately. */
#define FLOW_NS (60ull * 1000000000)
struct flow_key {
    u64 cookie;
    struct addr to;
    u32 port;
};
struct flow {
    u64 at;
    u64 pid;
};
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 16384);
    __type(key, struct flow_key);
    __type(value, struct flow);
} net_flows SEC(".maps");

/* True when the flow was not told lately, or by another process. */
static __always_inline bool flow_is_new(u64 cookie, const struct tuple *to)
{
    struct flow_key key = {.cookie = cookie, .to = to->remote, .port = to->remote_port};
    struct flow now = {bpf_ktime_get_boot_ns(), bpf_get_current_pid_tgid() >> 32};
    struct flow *f = bpf_map_lookup_elem(&net_flows, &key);
    if (f && f->pid == now.pid && now.at - f->at < FLOW_NS) {
        return false;
    }
    bpf_map_update_elem(&net_flows, &key, &now, BPF_ANY);
    return true;
}

static __always_inline void own_datagrams(u64 cookie, bool hidden)
{
    struct owner o = {.hidden = hidden};
    task_head(&o.who);
    budget_open(&o.who);
    bpf_map_update_elem(&net_owners, &cookie, &o, BPF_ANY);
}

/* A datagram socket gets a fixed peer, or sends to one: current does it. */
static __always_inline void tell_flow(u64 cookie, struct tuple *to, u32 ns_net, s32 result)
{
    struct connect k = {.cookie = cookie, .ns_net = ns_net, .protocol = IPPROTO_UDP};
    bool hidden = !wanted(WEDR_EV_NETWORK_CONNECT);
    own_datagrams(cookie, hidden);
    if (hidden) {
        return;
    }
    task_head(&k.who);
    k.at = *to;
    k.result = result;
    k.via = via_current();
    emit_connect(&k);
}

static __always_inline void peer4(struct bpf_sock_addr *ctx, struct tuple *to)
{
    to->remote_port = port_of(ctx->user_port);
    addr4(&to->remote, ctx->user_ip4);
}

static __always_inline void peer6(struct bpf_sock_addr *ctx, struct tuple *to)
{
    to->remote_port = port_of(ctx->user_port);
    addr6(&to->remote, ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3]);
}

static __always_inline void before_connect(struct bpf_sock_addr *ctx, struct tuple *to)
{
    struct sock *sk = ctx_sock(ctx->sk);
    struct call call = {.cookie = bpf_get_socket_cookie(ctx), .sk = (u64)sk};
    u64 key = bpf_get_current_pid_tgid();
    u32 protocol = ctx->protocol;
    if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP) {
        return;
    }
    if (in_syscall(NR_X86_CONNECT, NR_ARM64_CONNECT)) {
        call.to = *to;
        call.protocol = (u16)protocol;
        call.ns_net = net_namespace(sk);
        bpf_map_update_elem(&net_calls, &key, &call, BPF_ANY);
    } else if (protocol == IPPROTO_UDP && flow_is_new(call.cookie, to)) {
        tell_flow(call.cookie, to, net_namespace(sk), 0);
    }
}

SEC("cgroup/connect4")
int wedr_connect4(struct bpf_sock_addr *ctx)
{
    struct tuple to = {};
    peer4(ctx, &to);
    before_connect(ctx, &to);
    return 1;
}

SEC("cgroup/connect6")
int wedr_connect6(struct bpf_sock_addr *ctx)
{
    struct tuple to = {};
    peer6(ctx, &to);
    before_connect(ctx, &to);
    return 1;
}

static __always_inline void before_send(struct bpf_sock_addr *ctx, struct tuple *to)
{
    u64 cookie = bpf_get_socket_cookie(ctx);
    struct tuple own;
    if (ctx->protocol != IPPROTO_UDP || !flow_is_new(cookie, to)) {
        return;
    }
    struct sock *sk = ctx_sock(ctx->sk);
    tuple_read(&own, sk);
    to->local = own.local;
    to->local_port = own.local_port;
    tell_flow(cookie, to, net_namespace(sk), 0);
}

SEC("cgroup/sendmsg4")
int wedr_send4(struct bpf_sock_addr *ctx)
{
    struct tuple to = {};
    peer4(ctx, &to);
    before_send(ctx, &to);
    return 1;
}

SEC("cgroup/sendmsg6")
int wedr_send6(struct bpf_sock_addr *ctx)
{
    struct tuple to = {};
    peer6(ctx, &to);
    before_send(ctx, &to);
    return 1;
}

/* Address of the struct sock behind a descriptor that the kernel just gave out; 0 when another
 * thread closed it already. */
static __always_inline u64 fd_sock(u32 fd)
{
    struct file *f = (struct file *)fd_file(fd);
    struct socket *s = BPF_CORE_READ(f, private_data);
    return (u64)BPF_CORE_READ(s, sk);
}

static __always_inline bool is_inet(struct sock *sk)
{
    u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);
    return family == AF_INET || family == AF_INET6;
}

/* Where no program could be attached to the cgroup: a datagram socket that has a peer now. */
static __always_inline void connected_unseen(void)
{
    struct sock *sk = (struct sock *)fd_sock((u32)syscall_arg(0));
    struct tuple to;
    if (!sk || !is_inet(sk) || BPF_CORE_READ(sk, sk_protocol) != IPPROTO_UDP) {
        return;
    }
    tuple_read(&to, sk);
    if (flow_is_new(cookie_of(sk), &to)) {
        tell_flow(cookie_of(sk), &to, net_namespace(sk), 0);
    }
}

static __always_inline void connect_returned(const struct call *call, s32 ret)
{
    struct connect k = {.cookie = call->cookie, .ns_net = call->ns_net, .result = ret};
    struct sock *sk = (struct sock *)call->sk;
    k.at = call->to;
    if (ret == 0 && cookie_of(sk) == call->cookie) {
        tuple_read(&k.at, sk);
    }
    if (call->protocol == IPPROTO_UDP) {
        if (ret != 0 || flow_is_new(call->cookie, &k.at)) {
            tell_flow(call->cookie, &k.at, call->ns_net, ret);
        }
    } else if (ret < 0 && ret != -EINPROGRESS && wanted(WEDR_EV_NETWORK_CONNECT)) {
        task_head(&k.who);
        k.protocol = IPPROTO_TCP;
        emit_connect(&k);
    }
}

SEC("tp/syscalls/sys_exit_connect")
int wedr_connected(struct sys_exit *ctx)
{
    u64 key;
    struct call *found = call_of_current(&key);
    if (!found) {
        if (ctx->ret == 0) {
            connected_unseen();
        }
        return 0;
    }
    struct call call = *found;
    bpf_map_delete_elem(&net_calls, &key);
    if (call.fate == FATE_OPEN || call.fate == FATE_SILENT) {
        connect_returned(&call, (s32)ctx->ret);
    }
    return 0;
}

SEC("tp/syscalls/sys_exit_listen")
int wedr_listening(struct sys_exit *ctx)
{
    u64 key;
    struct call *found = call_of_current(&key);
    if (!found || found->fate != FATE_LISTEN) {
        return 0;
    }
    struct call call = *found;
    struct sock *sk = (struct sock *)call.sk;
    bpf_map_delete_elem(&net_calls, &key);
    if (ctx->ret == 0 && cookie_of(sk) == call.cookie) {
        emit_listen(sk, call.cookie);
    }
    return 0;
}

static __always_inline void own_connection(u64 cookie, const struct task_head *who, bool hidden)
{
    struct conn fresh = {.phase = PHASE_OPEN, .incoming = 1};
    struct conn *c = bpf_map_lookup_elem(&net_conns, &cookie);
    if (c) {
        fresh = *c;
    }
    fresh.who = *who;
    fresh.hidden = hidden;
    bpf_map_update_elem(&net_conns, &cookie, &fresh, BPF_ANY);
}

static __always_inline int accepted(struct sys_exit *ctx)
{
    struct task_head who;
    struct sock *sk = ctx->ret < 0 ? NULL : (struct sock *)fd_sock((u32)ctx->ret);
    u16 protocol = BPF_CORE_READ(sk, sk_protocol);
    if (!sk || !is_inet(sk) || (protocol != IPPROTO_TCP && protocol != IPPROTO_MPTCP)) {
        return 0;
    }
    u64 cookie = cookie_of(sk);
    bool hidden = !wanted(WEDR_EV_NETWORK_ACCEPT);
    task_head(&who);
    if (cookie) {
        own_connection(cookie, &who, hidden);
    }
    if (!hidden) {
        emit_accept(sk, cookie, &who, 0);
    }
    return 0;
}

SEC("tp/syscalls/sys_exit_accept")
int wedr_accept(struct sys_exit *ctx)
{
    return accepted(ctx);
}

SEC("tp/syscalls/sys_exit_accept4")
int wedr_accept4(struct sys_exit *ctx)
{
    return accepted(ctx);
}

static __always_inline bool reads_the_wire(u32 family, u32 type)
{
    return family == AF_PACKET || family == AF_XDP ||
           ((family == AF_INET || family == AF_INET6) && (type == SOCK_RAW || type == SOCK_PACKET));
}

static __always_inline void emit_socket(u32 family, u32 type, u32 protocol)
{
    struct wedr_linux_socket_create *r;
    struct task_head who;
    struct emit e;
    if (!wanted(WEDR_EV_SOCKET_CREATE)) {
        return;
    }
    task_head(&who);
    r = emit_reserve(&e, WEDR_LANE_CRITICAL, sizeof *r);
    if (!r) {
        return;
    }
    struct task_struct *t = bpf_get_current_task_btf();
    PUT_HEAD(r, &who);
    PUT(r, family, family);
    PUT(r, socket_type, type);
    PUT(r, socket_protocol, protocol);
    PUT(r, ns_net, BPF_CORE_READ(t, nsproxy, net_ns, ns.inum));
    emit_submit(&e, r, WEDR_EV_SOCKET_CREATE, sizeof *r, sizeof *r);
}

/* The arguments are numbers in saved registers: nobody changes them after the kernel used them. */
SEC("tp/syscalls/sys_exit_socket")
int wedr_socket(struct sys_exit *ctx)
{
    u32 family = (u32)syscall_arg(0), type = (u32)syscall_arg(1) & SOCK_TYPE_MASK;
    if (ctx->ret >= 0 && reads_the_wire(family, type)) {
        emit_socket(family, type, (u32)syscall_arg(2));
    }
    return 0;
}

/* Raw sockets that were made in another way: io_uring, the 32-bit table. */
SEC("cgroup/sock_create")
int wedr_rawsock(struct bpf_sock *ctx)
{
    if (ctx->type == SOCK_RAW && !in_syscall(NR_X86_SOCKET, NR_ARM64_SOCKET)) {
        emit_socket(ctx->family, ctx->type, ctx->protocol);
    }
    return 1;
}

SEC("cgroup_skb/egress")
int wedr_dns_out(struct __sk_buff *skb)
{
    dns_look(skb, true);
    return 1;
}

SEC("cgroup_skb/ingress")
int wedr_dns_in(struct __sk_buff *skb)
{
    dns_look(skb, false);
    return 1;
}

/* A socket that is older than the sensor, found in a process's table: whoever has it first by pid
 * is taken for its owner. Runs once, after the other programs: what they saw meanwhile stays. */
static __always_inline void own_older(struct sock *sk, const struct task_head *who)
{
    u64 cookie = bpf_get_socket_cookie(sk);
    u32 state = sk->__sk_common.skc_state;
    if (sk->sk_protocol == IPPROTO_UDP) {
        struct owner o = {.who = *who};
        bpf_map_update_elem(&net_owners, &cookie, &o, BPF_NOEXIST);
    } else if (sk->sk_protocol == IPPROTO_TCP && state != TCP_LISTEN && state != TCP_CLOSE) {
        struct conn c = {.who = *who};
        c.phase = state == TCP_SYN_SENT ? PHASE_CONNECTING : PHASE_OPEN;
        bpf_map_update_elem(&net_conns, &cookie, &c, BPF_NOEXIST);
    }
}

SEC("iter/task_file")
int wedr_net_list(struct bpf_iter__task_file *ctx)
{
    struct task_struct *t = ctx->task;
    struct file *f = ctx->file;
    struct socket *s = t && f ? bpf_sock_from_file(f) : NULL;
    struct sock *sk = s ? s->sk : NULL;
    if (!sk || !is_inet(sk)) {
        return 0;
    }
    const struct cred *c = t->cred;
    struct task_head who = {.key = task_key(t), .pid = (u32)t->tgid, .uid = c ? c->uid.val : 0};
    own_older(sk, &who);
    return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
