/* SPDX-License-Identifier: Apache-2.0
 * server/http/stream_mhd.h — the listener's side of a stream. For server/http alone. */
#pragma once

#include "http/conn.h"
#include "http/stream.h"
#include <microhttpd.h>

/* Makes the stream of a request that is suspended; one reference for the caller. */
struct wedr_answer_stream *wedr_stream_new(struct MHD_Connection *mhd,
                                           struct wedr_conn *conn,
                                           uint32_t read_deadline_ms,
                                           size_t buffer_len);
/* A response that takes its bytes from the stream (a reference of its own). NULL: out of memory. */
struct MHD_Response *wedr_stream_response(struct wedr_answer_stream *st);
/* The client is gone or the server stops: writers get WEDR_E_CLOSED. */
void wedr_stream_close(struct wedr_answer_stream *st);
