/* SPDX-License-Identifier: Apache-2.0
 * wedr/plat/net.h — what a server needs of sockets: a listener, the host's own names, a way to end
 * a connection that another library owns. Thread-safe. */
#pragma once

#include "core/base/attr.h"
#include "core/util/errinfo.h"
#include "wedr/plat/fs.h"
#include <stddef.h>
#include <stdint.h>

#define WEDR_NET_ADDR_TEXT 64u /* "[2001:db8::1]:65535" with NUL and room for a scope */

/* Listens on TCP "ADDR:PORT", "[V6]:PORT" or ":PORT" (every address). Port 0 lets the system
 * choose. WEDR_E_BUSY when the port is taken, WEDR_E_FORMAT for text that is no such address. */
WEDR_MUST_USE int wedr_net_listen(const char *addr_port,
                                  int backlog,
                                  wedr_handle *ret_listener,
                                  struct wedr_errinfo *ei);
/* The listener's real address in the same form. */
WEDR_MUST_USE int wedr_net_local(wedr_handle listener, char *ret_text, size_t cap);
/* Ends both directions; whoever reads sees the end. Does not close. */
void wedr_net_shutdown(wedr_handle socket_handle);
/* What is there of a stream, at most n bytes; never waits. 0 bytes: its end. WEDR_E_AGAIN: nothing
 * is there yet; WEDR_E_NET. */
WEDR_MUST_USE int wedr_net_recv(wedr_handle socket_handle, void *ret, size_t n, size_t *ret_len);

/* Tells when there is something to read on many sockets that others own. */
struct wedr_net_watch;
WEDR_MUST_USE int wedr_net_watch_new(struct wedr_net_watch **ret);
void wedr_net_watch_free(struct wedr_net_watch *w); /* NULL is allowed */
/* wedr_net_watch_wait gives arg once when bytes or the end are there; then the socket must be given
 * again. Closing it forgets it. Any thread. */
WEDR_MUST_USE int wedr_net_watch_once(struct wedr_net_watch *w, wedr_handle s, void *arg);
/* Up to max args into ret; 0 of them when the time is over. One thread. */
size_t wedr_net_watch_wait(struct wedr_net_watch *w, void **ret, size_t max, uint32_t timeout_ms);
/* Calls fn for each name (host name as set, its first label, "localhost") and each address of this
 * host that another one could use or that is loopback; duplicates are possible, link-local IPv6 is
 * left out. Never asks the network. Stops when fn returns other than 0 and returns that. */
WEDR_MUST_USE int wedr_net_names(int (*fn)(void *arg, const char *name), void *arg);
/* A peer for limits and logs: key of 16 bytes (IPv4 mapped; IPv6 the /64 network) and the address
 * as text. sockaddr is a struct sockaddr of IPv4 or IPv6; anything else gives the zero key and "?".
 */
void wedr_net_peer(const void *sockaddr, uint8_t ret_key[16], char *ret_text, size_t cap);
