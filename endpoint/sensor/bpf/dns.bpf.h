/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * endpoint/sensor/bpf/dns.bpf.h — DNS messages of the process that asks, out of the packets of its
 * socket: what leaves for port 53 and what comes back from there, over UDP and TCP. The message
 * goes to the agent as it is. Packets come in interrupts: the process is the socket's owner.
 *
 * Every packet of the machine passes here: the ports are looked at first.
 */
#pragma once

#include "net.bpf.h"

#define DNS_PORT 53
#define DNS_COPY 512u      /* bytes of a message that a record carries */
#define DNS_SLOTS 4u       /* per CPU: a program can be interrupted by the next */
#define DNS_PER_SEGMENT 16 /* messages of a segment with a record of their own */
#define DNS_STEPS 192      /* in a segment; a message takes three: two bytes of length, its text */

#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86dd
#define IP_OFFSET_MASK 0x1fff
#define TCP_FLAG_SYN 0x02

struct ip4_head {
    u8 version_ihl, tos;
    u16 total, id, fragment;
    u8 ttl, protocol;
    u16 sum;
    u32 from, to;
};
struct ip6_head {
    u32 first;
    u16 payload;
    u8 next, hops;
    u32 from[4], to[4];
};
struct udp_head {
    u16 from, to, len, sum;
};
struct tcp_head {
    u16 from, to;
    u32 seq, ack;
    u8 data_offset, flags;
};

/* How far a TCP stream of one direction was read. */
struct dns_stream {
    u32 next; /* sequence number of the next byte to look at */
    u32 body; /* what begins there: 0: a length; DNS_HALF: the second byte of one; else a message of
                 that many bytes */
};
#define DNS_HALF 0x10000u   /* or the first byte */
#define DNS_ASTRAY 0x20000u /* where messages begin is not known any more */
struct dns_stream_key {
    u64 cookie;
    u64 out;
};
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 1024);
    __type(key, struct dns_stream_key);
    __type(value, struct dns_stream);
} net_dns_streams SEC(".maps");

struct dns_slot {
    u64 busy;
    struct wedr_linux_dns_query r;
    u8 payload[DNS_COPY + 8];
};
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, DNS_SLOTS);
    __type(key, u32);
    __type(value, struct dns_slot);
} net_dns_slots SEC(".maps");

/* What of the packet can be read at once. */
struct bytes {
    void *data, *end;
};

/* A packet to or from port 53. Without holes: 6.1 passes nothing to a global function that was not
 * written before. */
struct dns_packet {
    struct addr server;
    u32 at; /* of the payload in the packet */
    u64 cookie;
    u32 len; /* of the payload */
    u32 seq; /* TCP */
    bool out, tcp, syn;
    u8 unused[5];
};
_Static_assert(sizeof(struct dns_packet) == 48, "no holes");

static __always_inline struct dns_slot *dns_slot_take(void)
{
    for (u32 i = 0; i < DNS_SLOTS; i++) {
        u32 key = i;
        struct dns_slot *s = bpf_map_lookup_elem(&net_dns_slots, &key);
        if (s && __sync_val_compare_and_swap(&s->busy, 0, 1) == 0) {
            return s;
        }
    }
    return NULL;
}

/* The owner of the packet's socket. What goes out of a datagram socket goes in its sender's own
 * context: that is how a socket that is older than the sensor gets its owner. */
static __always_inline bool dns_owner(const struct dns_packet *p, struct task_head *who)
{
    u64 cookie = p->cookie; /* 6.1 takes no key from the memory of a global function's caller */
    if (p->tcp) {
        struct conn *c = bpf_map_lookup_elem(&net_conns, &cookie);
        if (c) {
            *who = c->who;
        }
        return !c || !c->hidden;
    }
    struct owner *o = bpf_map_lookup_elem(&net_owners, &cookie);
    if (o) {
        *who = o->who;
        return !o->hidden;
    }
    if (p->out) {
        struct owner fresh = {};
        task_head(&fresh.who);
        bpf_map_update_elem(&net_owners, &cookie, &fresh, BPF_ANY);
        *who = fresh.who;
    }
    return true;
}

static __always_inline void
dns_fill(struct wedr_linux_dns_query *r, const struct dns_packet *p, const struct task_head *who)
{
    __builtin_memset(r, 0, sizeof *r);
    PUT_HEAD(r, who);
    ip_put(&r->dst_ip, &p->server);
    PUT(r, dns_op, p->out ? WEDR_DNS_OP_QUERY : WEDR_DNS_OP_ANSWER);
    PUT(r, protocol, p->tcp ? IPPROTO_TCP : IPPROTO_UDP);
    PUT(r, socket_id, p->cookie);
}

/* A message of `whole` bytes of which `len` are in the packet from `at` on. A global function:
 * verified once. Returns 1, of which the verifier only knows that it is a number: it would follow
 * each count of messages by itself. */
__attribute__((noinline)) int
dns_emit(struct __sk_buff *skb, const struct dns_packet *p, u32 at, u32 len, u32 whole)
{
    struct task_head who = {};
    struct wedr_sensor_state *st = state_get();
    int one = 1;
    barrier_var(one);
    if (!p || !st || len == 0 || !kind_on(WEDR_EV_DNS_QUERY) || !dns_owner(p, &who) ||
        !budget_take_for(WEDR_EV_DNS_QUERY, &who)) {
        return one;
    }
    struct wedr_sensor_lane *lane = &st->lane[WEDR_LANE_BULK];
    u64 seq = lane_next(lane);
    struct dns_slot *s = dns_slot_take();
    if (!s) {
        lane_lost(lane, WEDR_LOSS_REASON_SCRATCH);
        return one;
    }
    u32 flags = 0;
    if (len > DNS_COPY) {
        len = DNS_COPY;
    }
    if (len < whole) {
        flags = WEDR_SF_CUT;
        __sync_fetch_and_add(&lane->trunc, 1);
    }
    dns_fill(&s->r, p, &who);
    /* 6.1 believes only a mask, and wants to see that it is not 0. */
    u64 copy = len - 1u;
    barrier_var(copy);
    copy = (copy & (DNS_COPY - 1)) + 1;
    if (len > 0 && bpf_skb_load_bytes(skb, at, s->payload, (u32)copy) == 0) {
        ref_put(&s->r.payload, sizeof s->r, len, flags);
    } else {
        len = 0;
        ref_put(&s->r.payload, 0, 0, WEDR_SF_UNREADABLE);
    }
    header_put(&s->r.h, lane, seq, WEDR_EV_DNS_QUERY, sizeof s->r + len, sizeof s->r,
               WEDR_STREAM_BULK, 0);
    barrier_var(len);
    if (len > DNS_COPY ||
        bpf_ringbuf_output(&ring1, &s->r, sizeof s->r + len, ring_flags(&ring1, seq))) {
        lane_lost(lane, WEDR_LOSS_REASON_RING_FULL);
    }
    __sync_lock_test_and_set(&s->busy, 0);
    return one;
}

/* What is left of a segment, as it is and marked as cut: what begins in it has no records. */
static __always_inline int dns_rest(struct __sk_buff *skb, const struct dns_packet *p, u32 at)
{
    return dns_emit(skb, p, p->at + at, p->len - at, p->len - at + 1);
}

/* Reads a segment from `at` on: the messages that begin in it, the first DNS_PER_SEGMENT of them
 * with a record each. Lengths of 0 are passed over. Returns how much was read. */
static __always_inline u32 dns_read(struct __sk_buff *skb,
                                    const struct dns_packet *p,
                                    struct dns_stream *st,
                                    u32 at)
{
    u32 told = 0, length_at = at;
    for (int i = 0; i < DNS_STEPS && at < p->len; i++) {
        u32 body = st->body;
        if (body == DNS_ASTRAY) {
            break;
        }
        if (body == 0 || body & DNS_HALF) {
            u8 byte = 0;
            if (bpf_skb_load_bytes(skb, p->at + at, &byte, sizeof byte)) {
                return at;
            }
            length_at = body == 0 ? at : length_at;
            st->body = body == 0 ? DNS_HALF | byte : (body & 0xff) << 8 | byte;
            at++;
            continue;
        }
        if (told < DNS_PER_SEGMENT) {
            told += dns_emit(skb, p, p->at + at, p->len - at < body ? p->len - at : body, body);
        } else if (told == DNS_PER_SEGMENT) {
            told += dns_rest(skb, p, length_at);
        }
        at += body;
        st->body = 0;
    }
    if (at < p->len) { /* more than can be followed */
        if (told <= DNS_PER_SEGMENT) {
            dns_rest(skb, p, st->body ? length_at : at);
        }
        st->body = DNS_ASTRAY;
        return p->len;
    }
    return at;
}

/* One segment of a TCP stream. Bytes that the stream had before, or that belong to a message whose
 * beginning was told, are passed over; a hole is not waited for. */
static __always_inline void dns_segment(struct __sk_buff *skb, const struct dns_packet *p)
{
    struct dns_stream_key key = {p->cookie, p->out};
    u32 seq = p->seq + p->syn; /* of the payload: Fast Open sends one together with SYN */
    struct dns_stream st = {.next = seq};
    struct dns_stream *known = bpf_map_lookup_elem(&net_dns_streams, &key);
    if (known && !p->syn && (s32)(seq - known->next) <= 0) {
        st = *known;
    } else if (known && !p->syn && known->body == DNS_ASTRAY) {
        st.body = DNS_ASTRAY;
    }
    st.next = seq + dns_read(skb, p, &st, st.next - seq);
    bpf_map_update_elem(&net_dns_streams, &key, &st, BPF_ANY);
}

static __always_inline bool dns_udp(const struct bytes *b, u32 size, struct dns_packet *p)
{
    struct udp_head *u = b->data + p->at;
    if ((void *)(u + 1) > b->end) {
        return false;
    }
    if (port_of(p->out ? u->to : u->from) != DNS_PORT) {
        return false;
    }
    p->at += sizeof *u;
    p->len = size > p->at ? size - p->at : 0;
    return true;
}

static __always_inline bool dns_tcp(const struct bytes *b, u32 size, struct dns_packet *p)
{
    struct tcp_head *t = b->data + p->at;
    if ((void *)(t + 1) > b->end) {
        return false;
    }
    if (port_of(p->out ? t->to : t->from) != DNS_PORT) {
        return false;
    }
    p->seq = __builtin_bswap32(t->seq);
    p->syn = t->flags & TCP_FLAG_SYN;
    p->at += (u32)(t->data_offset >> 4) * 4;
    p->len = size > p->at ? size - p->at : 0;
    return p->syn || p->len > 0;
}

/* Sets at to the transport header; false when there is none that could be of interest. */
static __always_inline u8 dns_ip4(const struct bytes *b, struct dns_packet *p)
{
    struct ip4_head *ip = b->data;
    if ((void *)(ip + 1) > b->end || (ip->fragment & __builtin_bswap16(IP_OFFSET_MASK))) {
        return 0;
    }
    p->at = (u32)(ip->version_ihl & 15) * 4;
    addr4(&p->server, p->out ? ip->to : ip->from);
    return ip->protocol;
}

static __always_inline u8 dns_ip6(const struct bytes *b, struct dns_packet *p)
{
    struct ip6_head *ip = b->data;
    if ((void *)(ip + 1) > b->end) {
        return 0;
    }
    p->at = sizeof *ip;
    if (p->out) {
        addr6(&p->server, ip->to[0], ip->to[1], ip->to[2], ip->to[3]);
    } else {
        addr6(&p->server, ip->from[0], ip->from[1], ip->from[2], ip->from[3]);
    }
    return ip->next;
}

static __always_inline void dns_look(struct __sk_buff *skb, bool out)
{
    struct dns_packet p = {.out = out};
    const struct bytes b = {(void *)(long)skb->data, (void *)(long)skb->data_end};
    u32 ether = port_of(skb->protocol), size = skb->len;
    u8 protocol = ether == ETH_P_IP ? dns_ip4(&b, &p) : ether == ETH_P_IPV6 ? dns_ip6(&b, &p) : 0;
    p.tcp = protocol == IPPROTO_TCP;
    if (p.tcp ? !dns_tcp(&b, size, &p) : protocol != IPPROTO_UDP || !dns_udp(&b, size, &p)) {
        return;
    }
    p.cookie = bpf_get_socket_cookie(skb);
    if (p.tcp) {
        dns_segment(skb, &p);
    } else {
        dns_emit(skb, &p, p.at, p.len, p.len);
    }
}
