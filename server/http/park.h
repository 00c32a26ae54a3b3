/* SPDX-License-Identifier: Apache-2.0
 * server/http/park.h — connections whose handshake waits for the peer are set aside. MHD 0.9 asks a
 * socket again and again, without a pause, as long as a handshake has begun and is not finished: a
 * stranger who sends half a greeting would take a processor, and every handshake much more than it
 * costs. So a connection is suspended when its socket is empty, and a thread of this module wakes
 * it when there is something to read. For server/http alone. */
#pragma once

#include "http/conn.h"

/* Starts the thread. */
WEDR_MUST_USE int wedr_park_new(struct wedr_park **ret);
/* A new connection, from the listener's thread. */
void wedr_park_adopt(struct wedr_park *k, struct wedr_conn *c, struct MHD_Connection *mhd);
/* The connection is about to be closed. */
void wedr_park_forget(struct wedr_conn *c);
/* Wakes all and sets none aside any more: the listener may be stopped. NULL is allowed. */
void wedr_park_end(struct wedr_park *k);
/* After the listener. NULL is allowed. */
void wedr_park_free(struct wedr_park *k);
