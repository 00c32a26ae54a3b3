/* SPDX-License-Identifier: Apache-2.0
 * wedr/plat/ipc.h — message channels between the agent's processes and from its command line: whole
 * messages, bounded, with handles passed along. POSIX: SOCK_SEQPACKET; Windows: message pipes. One
 * thread per channel end. */
#pragma once

#include "core/base/attr.h"
#include "wedr/plat/fs.h"
#include <stddef.h>
#include <stdint.h>

#define WEDR_IPC_MSG_MAX 65536u /* bytes of one message */
#define WEDR_IPC_HANDLES_MAX 8u /* handles with one message */

struct wedr_ipc; /* one end of a channel */

struct wedr_ipc_peer {
    uint32_t pid, uid, gid; /* as the kernel knows them at connect (SO_PEERCRED) */
};

/* Two connected ends, neither inherited by exec. */
WEDR_MUST_USE int wedr_ipc_pair(struct wedr_ipc **ret_a, struct wedr_ipc **ret_b);
/* Wraps a handle that came from elsewhere; takes it. */
WEDR_MUST_USE int wedr_ipc_from_handle_take(wedr_handle h, struct wedr_ipc **ret_c);
/* Named endpoint: a socket file in dir with mode 0600 (an old file of that name is removed), or a
 * pipe. */
WEDR_MUST_USE int
wedr_ipc_listen(const char *dir, const char *name, struct wedr_ipc **ret_listener);
/* Never blocks: WEDR_E_AGAIN when no client is waiting. */
WEDR_MUST_USE int
wedr_ipc_accept(struct wedr_ipc *listener, struct wedr_ipc **ret_c, struct wedr_ipc_peer *ret_peer);
/* WEDR_E_NOENT when nobody listens. */
WEDR_MUST_USE int wedr_ipc_connect(const char *dir, const char *name, struct wedr_ipc **ret_c);
void wedr_ipc_close(struct wedr_ipc *c); /* NULL is allowed */
/* The handle to wait on, borrowed. */
wedr_handle wedr_ipc_handle(const struct wedr_ipc *c);
/* Never blocks: WEDR_E_AGAIN when the peer is too slow, WEDR_E_CLOSED when it is gone. Handles are
 * duplicated into the peer; the caller keeps its own. An empty message is WEDR_E_INVAL. */
WEDR_MUST_USE int wedr_ipc_send(
    struct wedr_ipc *c, const void *msg, size_t len, const wedr_handle *handles, size_t count);
/* Never blocks: WEDR_E_AGAIN when nothing is there, WEDR_E_CLOSED at the end, WEDR_E_FORMAT when a
 * message was longer than cap or carried more handles than handles_cap (all its handles are
 * closed). The caller owns the handles; with handles_cap 0 ret_handles and ret_count may be NULL.
 */
WEDR_MUST_USE int wedr_ipc_recv(struct wedr_ipc *c,
                                void *msg,
                                size_t cap,
                                size_t *ret_len,
                                wedr_handle *ret_handles,
                                size_t handles_cap,
                                size_t *ret_count);

#define WEDR_WAIT_READ 0x1u
#define WEDR_WAIT_WRITE 0x2u
#define WEDR_WAIT_GONE 0x4u /* result only: hang-up or error */
struct wedr_wait {
    wedr_handle handle; /* WEDR_HANDLE_NONE: ignored */
    unsigned want, got; /* WEDR_WAIT_* */
};
#define WEDR_WAIT_MAX 256u /* entries of one wait */
/* Waits until one is ready or timeout_ms (UINT32_MAX: for ever) passed; *ret_ready (may be NULL)
 * may be 0. */
WEDR_MUST_USE int
wedr_wait_any(struct wedr_wait *w, size_t count, uint32_t timeout_ms, size_t *ret_ready);
